//! From characters to tokens, each with its column.

/// A piece of a formula.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token {
    Number(f64),
    Name(String),
    /// One of `+ - * / ^ ( )`.
    Sign(char),
    End,
}

/// A token and the column, from 1, where it begins.
pub(super) type Placed = (Token, usize);

/// The tokens, the last one [`Token::End`]; or the column and what is wrong there.
pub(super) fn tokens(text: &str) -> Result<Vec<Placed>, (usize, String)> {
    let chars: Vec<char> = text.chars().collect();
    let mut tokens = Vec::new();
    let mut at = 0;
    while at < chars.len() {
        let (c, column) = (chars[at], at + 1);
        if c.is_whitespace() {
            at += 1;
        } else if c.is_ascii_digit() || c == '.' {
            let end = number_end(&chars, at);
            let word: String = chars[at..end].iter().collect();
            let number = word.parse::<f64>().ok().filter(|n| n.is_finite());
            let number = number.ok_or((column, format!("'{word}' is not a number")))?;
            tokens.push((Token::Number(number), column));
            at = end;
        } else if c.is_alphabetic() || c == '_' {
            let rest = chars[at..].iter();
            let end = at + rest.take_while(|c| c.is_alphanumeric() || **c == '_').count();
            tokens.push((Token::Name(chars[at..end].iter().collect()), column));
            at = end;
        } else if "+-*/^()".contains(c) {
            tokens.push((Token::Sign(c), column));
            at += 1;
        } else {
            let shown = c.escape_debug();
            let problem = format!(
                "'{shown}' means nothing here; expected numbers, y1, +, -, *, /, ^, ( or )"
            );
            return Err((column, problem));
        }
    }
    tokens.push((Token::End, chars.len() + 1));
    Ok(tokens)
}

/// Where the number ends that begins at `at`: digits, a point, an exponent if digits follow it.
fn number_end(chars: &[char], at: usize) -> usize {
    let digits = |from: usize| {
        from + chars[from.min(chars.len())..].iter().take_while(|c| c.is_ascii_digit()).count()
    };
    let mut end = digits(at);
    if chars.get(end) == Some(&'.') {
        end = digits(end + 1);
    }
    if matches!(chars.get(end), Some('e' | 'E')) {
        let signed = matches!(chars.get(end + 1), Some('+' | '-'));
        let exponent = end + 1 + usize::from(signed);
        if digits(exponent) > exponent {
            end = digits(exponent);
        }
    }
    end
}
