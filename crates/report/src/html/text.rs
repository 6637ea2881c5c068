//! Running text.

use crate::escape::escape;

/// Escapes a text, then sets `` `code` `` and `**strong**`. A mark without its partner stays as it is.
pub(super) fn inline(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((at, mark)) = next_mark(rest) {
        let (before, from) = rest.split_at(at);
        out.push_str(&escape(before));
        let inner = &from[mark.len()..];
        let Some(end) = inner.find(mark).filter(|&end| end > 0) else {
            out.push_str(mark);
            rest = inner;
            continue;
        };
        let tag = if mark == "`" { "code" } else { "strong" };
        out.push_str(&format!("<{tag}>{}</{tag}>", escape(&inner[..end])));
        rest = &inner[end + mark.len()..];
    }
    out + &escape(rest)
}

fn next_mark(text: &str) -> Option<(usize, &'static str)> {
    let marks = ["`", "**"].into_iter().filter_map(|mark| Some((text.find(mark)?, mark)));
    marks.min_by_key(|(at, _)| *at)
}

/// A word for addresses within the page: lower case, digits and hyphens.
pub(super) fn slug(text: &str) -> String {
    let lower = text.to_lowercase();
    let words = lower.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    let slug = words.collect::<Vec<_>>().join("-");
    if slug.is_empty() { "section".to_owned() } else { slug }
}

/// JSON as the content of a `script` element: a `<` within a string could end the element.
pub(super) fn island(json: &str) -> String {
    json.replace('<', "\\u003c").replace('\u{2028}', "\\u2028").replace('\u{2029}', "\\u2029")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_and_strong_are_set_and_everything_is_escaped() {
        let html = inline("run `a < b` and **note <i>** & go");
        let expected = "run <code>a &lt; b</code> and <strong>note &lt;i&gt;</strong> &amp; go";
        assert_eq!(html, expected);
    }

    #[test]
    fn marks_without_a_partner_stay() {
        assert_eq!(inline("5 ** 2 and ` alone"), "5 ** 2 and ` alone");
        assert_eq!(inline("****"), "****");
        assert_eq!(inline("`**`"), "<code>**</code>");
    }

    #[test]
    fn slugs_hold_nothing_but_letters_digits_and_hyphens() {
        assert_eq!(slug("What it has learnt: conv1 & conv2"), "what-it-has-learnt-conv1-conv2");
        assert_eq!(slug("漢字"), "section");
    }

    #[test]
    fn a_data_island_cannot_end_its_element() {
        assert_eq!(island(r#"{"a":"</script><!--"}"#), r#"{"a":"\u003c/script>\u003c!--"}"#);
    }
}
