//! Problem files of the laboratory: no bytes may panic, hang or take memory out of proportion; where a small one is
//! worked out, the two exact ways to its gradients agree.

#![cfg_attr(feature = "libfuzzer", no_main)]

use cutaway_recurrent::lab::{Options, Parameter, Problem, Target, run};

cutaway_fuzz::target!("problem", |bytes| {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let Ok(problem) = Problem::from_toml(text) else { return };
    let numbers = problem.parameters().count() + problem.length() * problem.hidden();
    if numbers * problem.length() * problem.loss().operations() > 1_000_000 {
        return;
    }
    let options = Options { loss: Some(Target::Sum), ..Options::default() };
    if let Ok(lab) = run(&problem, &options) {
        lab.derivations.iter().for_each(|d| assert!(!d.lines(&problem).is_empty()));
        // Larger numbers may cancel, and then differ by as much as their last digits.
        let parameters = Parameter::ALL.into_iter().flat_map(|p| problem.parameters().values(p));
        let tame = problem.length() <= 4 && parameters.chain(problem.inputs().iter().flatten()).all(|v| v.abs() < 10.0);
        let largest = lab.disagreements.iter().fold(1.0, |m: f64, d| m.max(d.largest));
        if tame && largest.is_finite() {
            lab.disagreements.iter().for_each(|d| assert!(d.rtrl <= 1e-6 * largest, "{d:?}"));
        }
    }
});
