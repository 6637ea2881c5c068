//! Numbers as people read them.

/// A count with thousands separators: `1234567` is `1,234,567`.
#[must_use]
pub fn count(value: u64) -> String {
    group(&value.to_string())
}

/// A share as a percentage: `percent(0.9952, 2)` is `99.52 %`.
#[must_use]
pub fn percent(share: f64, decimals: usize) -> String {
    match not_finite(share) {
        Some(text) => text,
        None => format!("{} %", fixed(100.0 * share, decimals)),
    }
}

/// A number with a fixed count of decimals, thousands separators and a true minus sign.
#[must_use]
pub fn fixed(value: f64, decimals: usize) -> String {
    if let Some(text) = not_finite(value) {
        return text;
    }
    let text = format!("{:.*}", decimals, value.abs());
    // A value that rounds to zero has no sign.
    let negative = value < 0.0 && text.bytes().any(|b| b.is_ascii_digit() && b != b'0');
    let (whole, fraction) = match text.split_once('.') {
        Some((whole, fraction)) => (whole.to_owned(), format!(".{fraction}")),
        None => (text, String::new()),
    };
    format!("{}{}{fraction}", if negative { "−" } else { "" }, group(&whole))
}

/// A number with about `digits` significant digits, without trailing zeros; very large and very
/// small ones as `1.5×10⁻⁷`.
#[must_use]
pub fn significant(value: f64, digits: usize) -> String {
    if let Some(text) = not_finite(value) {
        return text;
    }
    if value == 0.0 {
        return "0".to_owned();
    }
    let digits = digits.clamp(1, 17);
    let text = format!("{:.*e}", digits - 1, value.abs());
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let sign = if value < 0.0 { "−" } else { "" };
    if (-4..7).contains(&exponent) {
        let decimals = (digits as i32 - 1 - exponent).max(0) as usize;
        return format!("{sign}{}", trim_zeros(&fixed(value.abs(), decimals)));
    }
    match trim_zeros(mantissa) {
        "1" => format!("{sign}{}", power_of_ten(exponent)),
        mantissa => format!("{sign}{mantissa}×{}", power_of_ten(exponent)),
    }
}

/// The number of which a logarithm to base 10 is given, whatever its range.
pub(crate) fn power(log: f64, digits: usize) -> String {
    if log.is_nan() || log == f64::INFINITY {
        return significant(log, digits);
    }
    if log == f64::NEG_INFINITY {
        return "0".to_owned();
    }
    if log.abs() < 300.0 {
        return significant(10f64.powf(log), digits);
    }
    let exponent = log.clamp(-1e9, 1e9).floor();
    let mantissa = significant(10f64.powf(log - exponent), digits);
    match (mantissa.as_str(), exponent as i32) {
        ("1", exponent) => power_of_ten(exponent),
        ("10", exponent) => power_of_ten(exponent + 1),
        (mantissa, exponent) => format!("{mantissa}×{}", power_of_ten(exponent)),
    }
}

/// `10⁻³` and the like.
pub(crate) fn power_of_ten(exponent: i32) -> String {
    let superscript = |c| match c {
        '-' => '⁻',
        '1' => '¹',
        '2' => '²',
        '3' => '³',
        digit => char::from_u32(0x2070 + (digit as u32 - '0' as u32)).unwrap_or(digit),
    };
    format!("10{}", exponent.to_string().chars().map(superscript).collect::<String>())
}

fn not_finite(value: f64) -> Option<String> {
    if value.is_nan() {
        return Some("NaN".to_owned());
    }
    value.is_infinite().then(|| if value > 0.0 { "∞" } else { "−∞" }.to_owned())
}

fn trim_zeros(text: &str) -> &str {
    if !text.contains('.') {
        return text;
    }
    text.trim_end_matches('0').trim_end_matches('.')
}

fn group(digits: &str) -> String {
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_grouped_by_thousands() {
        assert_eq!(count(0), "0");
        assert_eq!(count(999), "999");
        assert_eq!(count(140_598), "140,598");
        assert_eq!(count(u64::MAX), "18,446,744,073,709,551,615");
    }

    #[test]
    fn fixed_numbers_have_a_true_minus_and_no_negative_zero() {
        assert_eq!(fixed(-1234.5, 1), "−1,234.5");
        assert_eq!(fixed(-0.0001, 2), "0.00");
        assert_eq!(fixed(f64::NAN, 2), "NaN");
        assert_eq!(fixed(f64::NEG_INFINITY, 2), "−∞");
        assert_eq!(percent(0.9952, 2), "99.52 %");
    }

    #[test]
    fn numbers_are_written_from_their_logarithms_beyond_every_range() {
        assert_eq!(power(-1000.0 + 2.5f64.log10(), 3), "2.5×10⁻¹⁰⁰⁰");
        assert_eq!(power(1e4, 3), "10¹⁰⁰⁰⁰");
        assert_eq!(power(400.0 - 1e-12, 3), "10⁴⁰⁰");
        assert_eq!(power(f64::NEG_INFINITY, 3), "0");
        assert_eq!(power(f64::NAN, 3), "NaN");
        assert_eq!(power(0.5, 3), "3.16");
    }

    #[test]
    fn significant_digits_fit_the_magnitude() {
        assert_eq!(significant(0.0, 3), "0");
        assert_eq!(significant(0.01234, 3), "0.0123");
        assert_eq!(significant(-3.0, 3), "−3");
        assert_eq!(significant(123_456.0, 3), "123,456");
        assert_eq!(significant(1.0e-9, 3), "10⁻⁹");
        assert_eq!(significant(1.5e12, 3), "1.5×10¹²");
        assert_eq!(significant(9.999, 2), "10");
    }
}
