use super::*;
use crate::lab::math::to_text;
use proptest::prelude::*;

fn value(text: &str, outputs: &[f64]) -> f64 {
    Formula::parse(text, outputs.len()).unwrap().value(outputs)
}

#[test]
fn operators_bind_as_in_mathematics() {
    for (text, expected) in [
        ("-y1^2", -9.0),
        ("2^3^2", 512.0),
        ("2^-1", 0.5),
        ("1 - 2 - 3", -4.0),
        ("12 / 2 / 3", 2.0),
        ("1 + 2 * y1", 7.0),
        ("-(1 + 2) * y1", -9.0),
        ("--y1", 3.0),
        ("1e-3*y1", 0.003),
        ("2.5e2 + .5 + 1.", 251.5),
        ("ln(e) + sqrt(4) + abs(-1) + log10(100) + log2(8)", 9.0),
        ("cos(pi)", -1.0),
        ("sign(-y1) + sign(0)", -1.0),
        (" y1\n + 1 ", 4.0),
    ] {
        assert!((value(text, &[3.0]) - expected).abs() < 1e-12, "{text}: {}", value(text, &[3.0]));
    }
}

#[test]
fn a_formula_that_cannot_be_read_is_refused_with_the_place() {
    for (text, column, problem) in [
        ("", 1, "the formula ends"),
        ("y1 +", 5, "the formula ends"),
        ("2 y1", 3, "expected an operator or the end, found 'y1'"),
        ("(y1", 1, "this '(' is never closed"),
        ("y1)", 3, "closes nothing"),
        ("ln y1", 4, "expected '(' after ln"),
        ("log(y1)", 1, "'log' is unknown"),
        ("y1 + y3", 6, "there is no 'y3': the network's outputs are y1 to y2"),
        ("y0", 1, "'y0' is unknown"),
        ("y99999999999999999999", 1, "there is no"),
        ("y1 & y2", 4, "'&' means nothing here"),
        ("1.2.3", 4, "found the number 0.3"),
        ("1e999", 1, "'1e999' is not a number"),
        ("é + 1", 1, "'é' is unknown"),
    ] {
        match Formula::parse(text, 2) {
            Err(crate::Error::Formula { column: found, problem: told, .. }) => {
                assert_eq!(found, column, "{text}: {told}");
                assert!(told.contains(problem), "{text}: {told}");
            }
            other => panic!("{text}: {other:?}"),
        }
    }
    let message = Formula::parse("y1 * * y2", 2).unwrap_err().to_string();
    assert!(message.ends_with("\n  y1 * * y2\n       ^"), "{message}");
}

#[test]
fn no_formula_is_deep_enough_to_end_the_program() {
    for deep in ["(".repeat(1999), "-".repeat(1999), "2^".repeat(999), "ln(".repeat(666)] {
        assert!(Formula::parse(&format!("{deep}1"), 1).is_err());
    }
    let error = Formula::parse(&"1+".repeat(100_000), 1).unwrap_err().to_string();
    assert!(error.contains("more than the limit of 2000 bytes"), "{error}");
    let long = vec!["y1"; 600].join("*");
    assert_eq!(Formula::parse(&long, 1).unwrap().gradient(&[1.0]), [600.0]);
}

#[test]
fn a_formula_outside_its_domain_is_not_finite() {
    assert_eq!(value("-ln(y1)", &[0.0]), f64::INFINITY);
    assert!(value("sqrt(y1)", &[-1.0]).is_nan());
}

#[test]
fn derivatives_are_written_as_a_person_would() {
    let written = |text: &str, output: usize| {
        let formula = Formula::parse(text, 2).unwrap();
        to_text(&formula.partial_math(output).unwrap())
    };
    assert_eq!(written("(y1-0.5)^2 - ln(y2)", 0), "2 · (ŷ₁ − 0.5)");
    assert_eq!(written("(y1-0.5)^2 - ln(y2)", 1), "−1/ŷ₂");
    assert_eq!(written("y1", 1), "0");
    assert_eq!(written("3*y1^3*y2", 0), "3 · 3 · ŷ₁² · ŷ₂");
}

proptest! {
    #[test]
    fn derivatives_agree_with_central_differences(
        which in 0..18usize, x in 0.2f64..2.0, y in 0.2f64..2.0,
    ) {
        let text = [
            "(y1-0.5)^2 - ln(y2)", "y1*y2", "y1/y2", "y1^y2", "exp(y1*y2)", "log2(y1+y2)", "log10(y1)*y2",
            "sqrt(y1*y2)", "abs(y1-3)*y2", "sin(y1)*cos(y2)", "tan(y1/3)", "sinh(y1)-cosh(y2)",
            "tanh(y1-y2)", "2^y1", "-(y1^3)/(1+y2^2)", "1/(y1^-2 + 1e-2)", "(y1/y2)/(y2/y1)", "-y1^2+y2^0",
        ][which];
        let formula = Formula::parse(text, 2).unwrap();
        let gradient = formula.gradient(&[x, y]);
        let step = 1e-5;
        let by_x = (formula.value(&[x + step, y]) - formula.value(&[x - step, y])) / (2.0 * step);
        let by_y = (formula.value(&[x, y + step]) - formula.value(&[x, y - step])) / (2.0 * step);
        let scale = 1.0 + gradient[0].abs() + gradient[1].abs();
        prop_assert!((gradient[0] - by_x).abs() < 1e-6 * scale, "{text} {x} {y}: {gradient:?} {by_x}");
        prop_assert!((gradient[1] - by_y).abs() < 1e-6 * scale, "{text} {x} {y}: {gradient:?} {by_y}");
    }

    #[test]
    fn no_text_makes_the_parser_panic(text in "[y12.e+*/^() lnexp-]{0,40}|\\PC{0,20}") {
        if let Ok(formula) = Formula::parse(&text, 2) {
            let _ = formula.gradient(&[0.5, 0.25]);
            let _ = formula.math();
        }
    }
}
