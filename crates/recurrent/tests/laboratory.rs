//! The laboratory against the reference study, PyTorch, and itself by three ways.

use cutaway_recurrent::lab::{
    Gradient, Method, Options, Parameter, Problem, Target, backpropagation, central_differences,
    forward, math, published, run, sensitivities, step_errors,
};
use cutaway_recurrent::{Error, Matrix};
use proptest::prelude::*;

/// How many decimals of a printed number are right, to a unit of the last.
fn right_decimals(printed: &str, value: f64) -> usize {
    let number: f64 = printed.parse().unwrap();
    let decimals = printed.split('.').nth(1).map_or(0, str::len);
    let right = |d: &usize| (number - value).abs() < 10f64.powi(-(*d as i32));
    (0..=decimals).rev().find(right).unwrap_or(0)
}

#[test]
fn every_published_digit_that_is_right_is_reproduced() {
    let study = Problem::study();
    let options = Options { loss: Some(Target::At(3)), ..Options::default() };
    let worked = run(&study, &options).unwrap();
    let (before, after) = (&worked.steps, &worked.descent.after);
    let derivation = &worked.derivations[0];
    let factor = |row, column| derivation.a_by_b.at(row, column);
    let b = &worked.descent.updated.b;
    for (what, printed, value, decimals) in [
        ("y1(1)", "0.94921601", before[0].y[0], 8),
        ("y2(1)", "0.05078399", before[0].y[1], 8),
        ("y1(2)", "0.95221995", before[1].y[0], 8),
        ("y2(2)", "0.04778005", before[1].y[1], 8),
        ("y1(3)", "0.94001124", before[2].y[0], 8),
        ("y2(3)", "0.05998876", before[2].y[1], 8),
        ("L(1)", "3.181969072144948", before[0].loss, 15),
        ("L(2)", "3.2456499539124866", before[1].loss, 15),
        ("L(3)", "3.007207986556634", before[2].loss, 15),
        ("dL(3)/db1", "-0.009961", derivation.loss_by_b[0], 6),
        ("dL(3)/db2", "0.434009", derivation.loss_by_b[1], 6),
        ("da2/db1", "0", factor(1, 0), 0),
        ("da1/db2", "-0.01329", factor(0, 1), 5),
        ("da2/db2", "1.02599", factor(1, 1), 5),
        // The published text has errors here; these are the exact values.
        ("da1/db1", "1.0045001", factor(0, 0), 7),
        ("b1 after", "-0.99990039", b[0], 8),
        ("b2 after", "0.99565990", b[1], 8),
        ("y1(1) after", "0.94920082", after[0].y[0], 8),
        ("y2(1) after", "0.05079918", after[0].y[1], 8),
        ("y1(2) after", "0.95221729", after[1].y[0], 8),
        ("y2(2) after", "0.04778271", after[1].y[1], 8),
        ("y1(3) after", "0.93990339", after[2].y[0], 8),
        ("y2(3) after", "0.06009661", after[2].y[1], 8),
        // Published after a step with a numerical gradient.
        ("L(1) after", "3.181656470686603", after[0].loss, 11),
        ("L(2) after", "3.24559190013447", after[1].loss, 12),
        ("L(3) after", "3.0053167625193016", after[2].loss, 11),
    ] {
        let right = right_decimals(printed, value);
        assert!(right >= decimals, "{what}: {printed} against {value}: {right} decimals");
    }
    assert_eq!(factor(1, 0), 0.0);
}

#[test]
fn the_published_errors_are_told_with_their_reason_and_nothing_else_is_called_wrong() {
    let all = published().unwrap();
    assert_eq!(all.len(), 26);
    let wrong: Vec<_> = all
        .iter()
        .filter(|p| !p.every_digit && p.note.as_ref().unwrap().contains("error"))
        .collect();
    let names: Vec<&str> = wrong.iter().map(|p| p.quantity.as_str()).collect();
    assert_eq!(names, ["∂a₁(3)/∂b₁", "b₁ after the step", "b₂ after the step"]);
    let note = wrong[0].note.as_ref().unwrap();
    assert!(note.contains("1.0000000 + 0.0042032 + 0.0002970"), "{note}");
    assert!(note.contains("it would give ∂L/∂b₁ = -0.025515"), "{note}");
    assert!(wrong[1].note.as_ref().unwrap().contains("needs a derivative of 2.379892"));
    // The last digits of the losses after the step are those of a numerical gradient.
    for (t, printed, off) in [
        (1, 3.181656470686603, 2e-15),
        (2, 3.24559190013447, 2e-15),
        (3, 3.0053167625193016, 2e-14),
    ] {
        let name = format!("L({t}) after the step");
        let note = all.iter().find(|p| p.quantity == name).unwrap().note.clone().unwrap();
        let numerical: f64 = note.rsplit(' ').next().unwrap().parse().unwrap();
        assert!((numerical - printed).abs() <= off, "{note}");
    }
    let noise = all.iter().filter(|p| !p.every_digit).count() - wrong.len();
    assert_eq!(noise, 3, "the three losses after the step");
}

#[test]
fn the_factors_of_the_derivation_multiply_to_the_gradient() {
    for problem in [Problem::study(), random(3, 2, 4, 9, 77), random(1, 1, 1, 1, 5)] {
        let result =
            run(&problem, &Options { loss: Some(Target::Sum), ..Options::default() }).unwrap();
        for d in &result.derivations {
            let by_o = d.y_by_o.left_times(&d.loss_by_y);
            let by_h = d.o_by_h.left_times(&by_o);
            let by_a = Matrix::diagonal(&d.slopes[d.t - 1]).left_times(&by_h);
            let by_b = d.a_by_b.left_times(&by_a);
            let steps = forward(&problem, problem.parameters()).unwrap();
            let exact =
                backpropagation(&problem, problem.parameters(), &steps, Target::At(d.t)).unwrap();
            near(&by_b, &exact.parameters.b, 1e-13, "product of the factors");
            assert_eq!(d.terms.len(), d.t);
        }
    }
}

#[test]
fn the_derivation_shows_its_factors_in_all_three_notations() {
    let study = Problem::study();
    let result = run(&study, &Options { loss: Some(Target::At(3)), ..Options::default() }).unwrap();
    let lines = result.derivations[0].lines(&study);
    let all = |write: fn(&math::Math) -> String| {
        lines.iter().map(|line| write(&line.math)).collect::<Vec<_>>().join("\n")
    };
    let text = all(math::to_text);
    for piece in ["∂L(3)/∂ŷ₁ = 2 · (ŷ₁ − 0.5) = 0.88002248", "−1/ŷ₂", "1.0045001", "−0.0099613883"]
    {
        assert!(text.contains(piece), "{piece} in\n{text}");
    }
    let latex = all(math::to_latex);
    assert!(latex.contains(r"\frac{\partial L(3)}{\partial b}"), "{latex}");
    assert_eq!(latex.matches('{').count(), latex.matches('}').count());
    let mathml = all(math::to_mathml);
    assert_eq!(mathml.matches("<math").count(), lines.len());
    for tag in ["mrow", "mfrac", "mtable", "mtr", "mtd", "msub", "msup", "mi", "mn", "mo"] {
        let opened = mathml.matches(&format!("<{tag}>")).count()
            + mathml.matches(&format!("<{tag} ")).count();
        assert_eq!(opened, mathml.matches(&format!("</{tag}>")).count(), "{tag}");
    }
}

#[test]
fn a_long_derivation_leaves_its_middle_out_and_keeps_its_sum() {
    let problem = random(9, 2, 6, 20, 3);
    let result = run(&problem, &Options { loss: Some(Target::At(20)), ..Options::default() });
    let lines = result.unwrap().derivations[0].lines(&problem);
    assert!(lines.len() < 30, "{}", lines.len());
    assert!(lines.iter().any(|line| line.words == "b at the steps 15 down to 2, together"));
    assert!(lines.iter().any(|line| line.words == "b at step 1, 19 steps back"));
}

#[test]
fn outputs_and_gradients_are_those_of_pytorch() {
    let text = include_str!("fixtures/recurrent.json");
    let fixture: serde_json::Value = serde_json::from_str(text).unwrap();
    let cases = fixture["cases"].as_array().unwrap();
    assert_eq!(cases.len(), 12, "four activations, three outputs");
    for case in cases {
        let name = format!("{} {}", case["activation"], case["output"]);
        let problem = problem_of(case);
        let parameters = problem.parameters();
        let steps = forward(&problem, parameters).unwrap();
        for (step, (y, loss)) in steps.iter().zip(rows(&case["y"]).iter().zip(row(&case["losses"])))
        {
            near(&step.y, y, 1e-13, &name);
            near(&[step.loss], &[loss], 1e-13, &name);
        }
        for expected in case["gradients"].as_array().unwrap() {
            let loss = expected["loss"].as_u64().map_or(Target::Sum, |t| Target::At(t as usize));
            let name = format!("{name} {loss}");
            let bptt = backpropagation(&problem, parameters, &steps, loss).unwrap();
            let rtrl = sensitivities(&problem, parameters, &steps, &[loss]).unwrap().remove(0);
            for gradient in [bptt, rtrl] {
                for parameter in Parameter::ALL {
                    let expected = flat(&expected[parameter.name()]);
                    let found = gradient.parameters.values(parameter);
                    near(found, &expected, 1e-12, &format!("{name} {parameter:?}"));
                }
                near(&gradient.states.concat(), &flat(&expected["states"]), 1e-12, &name);
            }
        }
    }
}

#[test]
fn gradient_steps_lower_the_loss_and_change_only_what_they_may() {
    let problem = random(4, 3, 2, 6, 11);
    let options = Options {
        loss: Some(Target::Sum),
        steps: 50,
        rate: 0.01,
        update: Some(vec![Parameter::U, Parameter::H0]),
        ..Options::default()
    };
    let descent = run(&problem, &options).unwrap().descent;
    assert_eq!(descent.losses.len(), 51);
    assert!(descent.losses.windows(2).all(|pair| pair[1] < pair[0]), "{:?}", descent.losses);
    for parameter in Parameter::ALL {
        let changed = descent.updated.values(parameter) != problem.parameters().values(parameter);
        assert_eq!(changed, [Parameter::U, Parameter::H0].contains(&parameter), "{parameter:?}");
    }
    let again = forward(&problem, &descent.updated).unwrap();
    assert_eq!(again, descent.after);
}

#[test]
fn central_differences_are_best_at_a_middling_step() {
    let problem = Problem::study();
    let steps = forward(&problem, problem.parameters()).unwrap();
    let exact = backpropagation(&problem, problem.parameters(), &steps, Target::At(3)).unwrap();
    let errors = step_errors(&problem, &exact).unwrap();
    let error = |wanted: f64| {
        let found = errors.iter().find(|e| (e.step / wanted - 1.0).abs() < 1e-9);
        found.unwrap().error.unwrap()
    };
    // Truncation falls with the square of the step, rounding grows with its inverse.
    let ratio = error(1e-2) / error(1e-3);
    assert!((90.0..110.0).contains(&ratio), "{ratio}");
    assert!(error(1e-5) < 1e-9 && error(1e-12) > 1e-6, "{errors:?}");
}

#[test]
fn a_loss_outside_its_domain_names_the_step() {
    let relu = "W=[[0]]\nU=[[1]]\nV=[[1]]\nb=[0]\nc=[0]\ninputs=[[1],[2],[-1]]\n\
                activation='relu'\noutput='identity'\nloss='ln(y1)'";
    let problem = Problem::from_toml(relu).unwrap();
    let error = run(&problem, &Options::default()).unwrap_err();
    assert!(matches!(error, Error::NotFinite { .. }));
    let message = error.to_string();
    assert!(message.contains("the loss is -inf at step 3, where the outputs are [0]"), "{message}");
    let root = relu.replace("ln(y1)", "sqrt(y1)");
    let message = run(&Problem::from_toml(&root).unwrap(), &Options::default()).unwrap_err();
    let message = message.to_string();
    assert!(message.contains("moved by") || message.contains("derivative"), "{message}");
}

#[test]
fn sizes_that_do_not_fit_are_named_with_what_was_expected() {
    let study = Problem::STUDY;
    for (from, to, expected) in [
        ("W = [[1, -1], [0, 2]]", "W = [[1, -1]]", "W: expected as many columns as rows"),
        ("U = [[-1, 0], [1, -2]]", "U = [[-1, 0]]", "U: expected 2 (W is 2 × 2) rows"),
        ("V = [[-2, 1], [-1, 0]]", "V = [[-2], [-1]]", "V: expected 2 (W is 2 × 2) columns"),
        ("b = [-1, 1]", "b = [-1]", "b: expected 2 (W is 2 × 2) values, found 1"),
        ("c = [0.5, -0.5]", "c = []", "c: expected 2 (V is 2 × 2) values, found 0"),
        ("h0 = [0, 0]", "h0 = [0, 0, 0]", "h0: expected 2 (W is 2 × 2) values, found 3"),
        ("[0.5, 0.25]", "[0.5]", "input of step 2: expected 2 values (U is 2 × 2), found 1"),
        (
            "inputs = [[1, 0], [0.5, 0.25], [0, 1]]",
            "inputs = []",
            "inputs: expected one row a step",
        ),
        ("b = [-1, 1]", "b = [-1, nan]", "value 2 of b is NaN in the file"),
        ("[[1, -1], [0, 2]]", "[[1, -1], [0]]", "row 2 of the matrix has 1 values, expected 2"),
        ("ln(y2)", "ln(y3)", "column 19: there is no 'y3'"),
        ("b = [-1, 1]", "bias = [-1, 1]", "unknown field `bias`"),
        ("\"tanh\"", "\"elu\"", "unknown variant `elu`"),
        ("b = [-1, 1]", "b = [-1, \"1\"]", "line 7"),
        ("update = [\"b\"]", "update = [\"d\"]", "unknown variant `d`"),
    ] {
        assert!(study.contains(from), "{from}");
        let message = Problem::from_toml(&study.replace(from, to)).unwrap_err().to_string();
        assert!(message.contains(expected), "{to}: {message}");
    }
}

#[test]
fn a_problem_beyond_a_laboratory_is_refused_before_it_takes_time_or_memory() {
    let ones = |n: usize| format!("[{}]", vec!["1"; n].join(","));
    let matrix = |rows: usize, columns: usize| format!("[{}]", vec![ones(columns); rows].join(","));
    let large = format!(
        "W={}\nU={}\nV={}\nb={}\nc=[0]\ninputs={}\nloss='y1'\noutput='identity'",
        matrix(300, 300),
        matrix(300, 1),
        matrix(1, 300),
        ones(300),
        matrix(50, 1)
    );
    let message = run(&Problem::from_toml(&large).unwrap(), &Options::default()).unwrap_err();
    assert!(message.to_string().contains("the work on this problem"), "{message}");
    let long = Problem::STUDY
        .replace("[[1, 0], [0.5, 0.25], [0, 1]]", &format!("[{}]", vec!["[1, 0]"; 1200].join(",")));
    let long = Problem::from_toml(&long).unwrap();
    let message = run(&long, &Options::default()).unwrap_err().to_string();
    assert!(message.contains("ask for the loss of one step only"), "{message}");
}

#[test]
fn settings_out_of_range_are_refused() {
    let study = Problem::study();
    for (options, expected) in [
        (Options { loss: Some(Target::At(4)), ..Options::default() }, "the steps 1 to 3"),
        (Options { loss: Some(Target::At(0)), ..Options::default() }, "the steps 1 to 3"),
        (Options { difference_step: 0.0, ..Options::default() }, "a number above 0"),
        (Options { difference_step: f64::NAN, ..Options::default() }, "a number above 0"),
        (Options { rate: f64::INFINITY, ..Options::default() }, "the rate is inf"),
        // Uphill until an output is 0, where the loss has no logarithm.
        (
            Options { rate: -1e300, update: Some(vec![Parameter::V]), ..Options::default() },
            "after gradient step 1: the loss is inf at step 1",
        ),
        (Options { steps: usize::MAX, ..Options::default() }, "take fewer steps"),
    ] {
        let message = run(&study, &options).unwrap_err().to_string();
        assert!(message.contains(expected), "{message}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn the_three_ways_agree_on_random_problems(
        hidden in 1..6usize, inputs in 1..4usize, outputs in 2..5usize, length in 1..8usize, seed in 0..u64::MAX,
    ) {
        let problem = random(hidden, inputs, outputs, length, seed);
        let parameters = problem.parameters();
        let steps = forward(&problem, parameters).unwrap();
        let losses: Vec<Target> = (1..=length).map(Target::At).chain([Target::Sum]).collect();
        let rtrl = sensitivities(&problem, parameters, &steps, &losses).unwrap();
        let differences = central_differences(&problem, parameters, &losses, 1e-5).unwrap();
        for ((&loss, rtrl), differences) in losses.iter().zip(&rtrl).zip(&differences) {
            let bptt = backpropagation(&problem, parameters, &steps, loss).unwrap();
            prop_assert_eq!((bptt.method, rtrl.method), (Method::Bptt, Method::Rtrl));
            let exact = all(&bptt);
            near(&all(rtrl), &exact, 1e-11, "rtrl");
            near(&all(differences), &exact, 1e-7, "differences");
        }
    }
}

fn all(gradient: &Gradient) -> Vec<f64> {
    let parameters = Parameter::ALL.map(|p| gradient.parameters.values(p).to_vec()).concat();
    [parameters, gradient.states.concat()].concat()
}

/// A smooth random problem.
fn random(hidden: usize, inputs: usize, outputs: usize, length: usize, seed: u64) -> Problem {
    let mut state = seed;
    let mut number = || {
        // SplitMix64 (Steele, Lea and Flood 2014).
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 52) as f64 - 1.0
    };
    let mut rows = |rows: usize, columns: usize| -> Vec<Vec<f64>> {
        (0..rows).map(|_| (0..columns).map(|_| number()).collect()).collect()
    };
    let activation = ["tanh", "sigmoid", "identity"][seed as usize % 3];
    let (output, loss) = [
        ("softmax", "(y1-0.5)^2 - ln(y1)"),
        ("identity", "y1^2 + sin(y1)"),
        ("sigmoid", "exp(y1) - sqrt(y1)"),
    ][seed as usize / 3 % 3];
    let text = format!(
        "W={:?}\nU={:?}\nV={:?}\nb={:?}\nc={:?}\nh0={:?}\ninputs={:?}\nactivation='{activation}'\n\
         output='{output}'\nloss='{loss}'",
        rows(hidden, hidden),
        rows(hidden, inputs),
        rows(outputs, hidden),
        rows(1, hidden)[0],
        rows(1, outputs)[0],
        rows(1, hidden)[0],
        rows(length, inputs),
    );
    Problem::from_toml(&text).unwrap()
}

fn problem_of(case: &serde_json::Value) -> Problem {
    let line = |key: &str| format!("{key} = {}\n", case[key]);
    let keys = ["W", "U", "V", "b", "c", "h0", "inputs", "activation", "output", "loss"];
    Problem::from_toml(&keys.map(line).concat()).unwrap()
}

fn row(value: &serde_json::Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect()
}

fn rows(value: &serde_json::Value) -> Vec<Vec<f64>> {
    value.as_array().unwrap().iter().map(row).collect()
}

fn flat(value: &serde_json::Value) -> Vec<f64> {
    if value[0].is_array() { rows(value).concat() } else { row(value) }
}

/// Within `tolerance` of the largest value, or of 1.
fn near(found: &[f64], expected: &[f64], tolerance: f64, what: &str) {
    assert_eq!(found.len(), expected.len(), "{what}");
    let scale = expected.iter().fold(1.0f64, |m, v| v.abs().max(m));
    for (i, (found, expected)) in found.iter().zip(expected).enumerate() {
        let close = (found - expected).abs() <= tolerance * scale;
        assert!(close, "{what}, value {i}: {found}, expected {expected}");
    }
}
