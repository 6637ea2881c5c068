//! Loss, optimiser and schedules against PyTorch's own, from `fixtures/optimiser.json`.

use cutaway_train::{CrossEntropy, Schedule, Sgd};
use serde::Deserialize;

#[derive(Deserialize)]
struct Fixture {
    loss: Vec<LossCase>,
    sgd: Vec<SgdCase>,
    schedules: Vec<ScheduleCase>,
}

#[derive(Deserialize)]
struct LossCase {
    label_smoothing: f32,
    logits: Vec<Vec<f64>>,
    labels: Vec<usize>,
    losses: Vec<f64>,
    gradients: Vec<Vec<f64>>,
}

#[derive(Deserialize)]
struct SgdCase {
    momentum: f32,
    nesterov: bool,
    weight_decay: f32,
    start: Vec<f32>,
    gradients: Vec<Vec<f32>>,
    learning_rates: Vec<f32>,
    steps: Vec<Vec<f32>>,
}

#[derive(Deserialize)]
struct ScheduleCase {
    schedule: Schedule,
    steps_per_epoch: u64,
    epochs: usize,
    factors: Vec<f64>,
}

fn fixture() -> Fixture {
    serde_json::from_str(include_str!("fixtures/optimiser.json")).unwrap()
}

#[test]
fn cross_entropy_and_its_gradient_are_pytorchs() {
    for case in fixture().loss {
        let loss = CrossEntropy { label_smoothing: case.label_smoothing };
        for (row, logits) in case.logits.iter().enumerate() {
            let mut gradient = vec![0.0; logits.len()];
            let value = loss.value_and_gradient(logits, case.labels[row], &mut gradient);
            // The smoothing is an f32 here and an f64 there.
            assert!((value - case.losses[row]).abs() < 1e-7, "{value} {}", case.losses[row]);
            for (ours, theirs) in gradient.iter().zip(&case.gradients[row]) {
                assert!((ours - theirs).abs() < 1e-8, "{ours} {theirs}");
            }
            let single: Vec<f32> = logits.iter().map(|&logit| logit as f32).collect();
            let mut gradient = vec![0.0f32; logits.len()];
            let value = loss.value_and_gradient(&single, case.labels[row], &mut gradient);
            assert!((f64::from(value) - case.losses[row]).abs() < 2e-6);
        }
    }
}

#[test]
fn five_steps_of_sgd_are_pytorchs() {
    for case in fixture().sgd {
        let SgdCase { momentum, nesterov, weight_decay, .. } = case;
        let sgd = Sgd { momentum, nesterov, weight_decay };
        let mut parameters = case.start.clone();
        let mut velocity = vec![0.0; parameters.len()];
        for (step, expected) in case.steps.iter().enumerate() {
            let gradients = &case.gradients[step];
            sgd.step(case.learning_rates[step], &mut parameters, gradients, &mut velocity);
            for (ours, theirs) in parameters.iter().zip(expected) {
                assert!((ours - theirs).abs() < 1e-6, "{sgd:?}, step {step}: {ours} {theirs}");
            }
        }
    }
}

#[test]
fn schedules_are_pytorchs_step_by_step() {
    for case in fixture().schedules {
        for (step, &expected) in case.factors.iter().enumerate() {
            let factor = case.schedule.factor(step as u64, case.steps_per_epoch, case.epochs);
            assert!(
                (factor - expected).abs() < 1e-9,
                "{:?}, step {step}: {factor} {expected}",
                case.schedule
            );
        }
    }
}
