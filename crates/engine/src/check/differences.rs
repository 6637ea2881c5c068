//! Gradients against central differences, in f32 as the engine computes.
//!
//! A random weighting of the outputs gives one number. From the input, and from parameters, the check goes
//! a step along a random direction and back, and compares what the number does with what the gradient
//! says. Directions lean on the gradient over a random part of the numbers (else the slope would be lost
//! in rounding: a random direction among n has 1/√n of the slope) and go anywhere else besides.
//!
//! A slope counts where the way ahead and the way back agree on it, and a shorter step does too: a ReLU or a
//! maximum that changes its mind in between changes one side and not the other (where kinks are many and
//! fall anywhere, half the difference of the two sides is about how far their mean is from the slope in the
//! middle), and so does rounding. Else shorter steps are tried, then other directions; what cannot be
//! measured is counted as skipped.

use cutaway_net::{Network, NodeId, Op, ParamId};
use ndarray::{ArrayD, ArrayView, ArrayViewD, Dimension};
use serde::Serialize;

use crate::{Engine, Options, Result};

/// The largest relative difference between a slope and the gradient's that counts as agreement.
pub const TOLERANCE: f64 = 0.02;
/// Two steps agree where their slopes differ by less.
const SPREAD: f64 = 0.005;
/// Half of what the way ahead and the way back may differ by.
const SIDES: f64 = 0.01;
/// What the first step should change of the number, whose size is about 1.
const CHANGE: f64 = 0.03;
/// The longest step, as a share of the length of what is moved.
const LONGEST: f64 = 0.05;
/// A slope counts as 0 below this: where moving by the whole length would change the number by less.
const LEAST: f64 = 0.02;
/// Steps of a direction, each a third of the one before.
const STEPS: i32 = 6;
/// Multiply-adds of all forward passes together, about: a large network is asked less often.
const WORK: f64 = 6e11;
/// The fewest and the most forward passes.
const PASSES: [f64; 2] = [96.0, 1200.0];

/// How much is checked.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// Of the places, the directions and the weighting.
    pub seed: u64,
    /// Directions at the input.
    pub inputs: usize,
    /// Parameters that are moved, chosen at random where there are more.
    pub params: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self { seed: 1, inputs: 4, params: 8 }
    }
}

/// One slope, twice.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Slope {
    /// What was moved: a node, the input, or a parameter, by its name.
    pub of: String,
    /// Slope by the gradient.
    pub gradient: f64,
    /// Slope by differences.
    pub differences: f64,
    /// Length of the step, as a share of the length of what was moved.
    pub step: f64,
    /// Their difference over the larger of the two.
    pub error: f64,
}

/// What the comparison found.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct GradientCheck {
    /// The slopes that could be measured.
    pub slopes: Vec<Slope>,
    /// Directions that were given up on a kink and tried again elsewhere.
    pub kinks: usize,
    /// Places where no direction could be measured, by name.
    pub skipped: Vec<String>,
}

impl GradientCheck {
    /// The slope with the largest error.
    #[must_use]
    pub fn worst(&self) -> Option<&Slope> {
        self.slopes.iter().max_by(|a, b| a.error.total_cmp(&b.error))
    }

    /// Whether slopes were measured and all of them are within [`TOLERANCE`].
    #[must_use]
    pub fn agrees(&self) -> bool {
        self.worst().is_some_and(|worst| worst.error <= TOLERANCE)
    }
}

/// Compares the engine's gradients with finite differences, at the network's input for a batch `[N, ...]`
/// and at its trainable parameters. Deterministic for a seed.
///
/// # Errors
/// If the batch has another shape, or an output is NaN or infinite.
pub fn gradients<D: Dimension>(
    engine: &Engine,
    batch: ArrayView<'_, f32, D>,
    settings: &Settings,
) -> Result<GradientCheck> {
    let batch = batch.into_dyn();
    let mut random = Random(settings.seed);
    let loss = Loss::new(engine, batch.view(), &mut random)?;
    let network = engine.network();
    let input = network.input();
    let found = engine.backward(batch.view(), &loss.seeds, &[input], settings.params > 0)?;
    let mut check = GradientCheck { slopes: Vec::new(), kinks: 0, skipped: Vec::new() };

    let own: Vec<f32> = batch.iter().copied().collect();
    let gradient: Vec<f32> = found.node(input).expect("asked for").iter().copied().collect();
    let params = match settings.params {
        0 => Vec::new(),
        count => chosen(network, count, &mut random),
    };
    let passes = WORK / (cutaway_net::summary(network).total_macs.max(1) as f64);
    let passes =
        passes.clamp(PASSES[0], PASSES[1]) as usize / (settings.inputs + params.len()).max(1);
    for _ in 0..settings.inputs {
        let name = &network.node(input).name;
        let place = Place { name, at: &own, gradient: &gradient, passes };
        place.check(&mut random, &mut check, |moved| {
            let moved = ArrayD::from_shape_vec(batch.raw_dim(), moved).expect("as many as before");
            loss.of(engine, moved.view())
        })?;
    }
    if params.is_empty() {
        return Ok(check);
    }
    let (threads, isa) = (engine.threads(), Some(engine.isa()));
    let options = Options { threads, isa, ..Options::default() };
    let mut other = Engine::compile(network, &options)?;
    for param in params {
        let own = network.param(param);
        let gradient = found.params()[param.0].as_slice().expect("in standard order");
        let node = owner(network, param);
        let place = Place { name: &own.name, at: &own.values, gradient, passes };
        place.check(&mut random, &mut check, |moved| {
            other.set_params(node, param, &moved);
            loss.of(&other, batch.view())
        })?;
        other.set_params(node, param, &own.values);
    }
    Ok(check)
}

/// Some of the trainable parameters, each once, in the network's order.
fn chosen(network: &Network, count: usize, random: &mut Random) -> Vec<ParamId> {
    let all = network.params().iter().enumerate().filter(|(_, param)| param.trainable);
    let mut all: Vec<ParamId> = all.map(|(index, _)| ParamId(index)).collect();
    while all.len() > count {
        let index = random.below(all.len());
        all.remove(index);
    }
    all
}

fn owner(network: &Network, param: ParamId) -> NodeId {
    let found = network.nodes().iter().position(|node| node.params.contains(&param));
    NodeId(found.expect("every parameter has a node"))
}

/// A random weighting of the outputs, of size 1 about.
struct Loss {
    seeds: Vec<(NodeId, ArrayD<f32>)>,
    /// The outputs as they are: what is looked at is how they change.
    values: Vec<ArrayD<f32>>,
}

impl Loss {
    fn new(engine: &Engine, batch: ArrayViewD<'_, f32>, random: &mut Random) -> Result<Loss> {
        let network = engine.network();
        // Probabilities near 0 and 1 hardly move; the scores behind them do.
        let scores = |&id: &NodeId| if id == network.output() { network.logits() } else { id };
        let mut nodes: Vec<NodeId> = network.outputs().iter().map(scores).collect();
        nodes.retain(|&id| !matches!(network.node(id).op, Op::ArgMax { .. }));
        nodes.sort();
        nodes.dedup();
        let mut found = engine.forward(batch.view(), &nodes)?;
        let mut loss = Loss { seeds: Vec::new(), values: Vec::new() };
        for id in nodes {
            let values = found.take(id).expect("asked for");
            if values.iter().any(|v| !v.is_finite()) {
                let found = super::first_not_finite(engine, batch.view())?;
                return Err(match found {
                    Some(found) => found.into(),
                    None => super::not_finite::error(engine, batch, 0),
                });
            }
            let length = length(values.iter()).max(f64::MIN_POSITIVE);
            let each = |_: &f32| (random.sign() / length) as f32;
            loss.seeds.push((id, values.map(each)));
            loss.values.push(values);
        }
        Ok(loss)
    }

    /// How much the number has changed.
    fn of(&self, engine: &Engine, batch: ArrayViewD<'_, f32>) -> Result<f64> {
        let nodes: Vec<NodeId> = self.seeds.iter().map(|(id, _)| *id).collect();
        let found = engine.forward(batch, &nodes)?;
        let mut sum = 0.0;
        for ((id, seed), before) in self.seeds.iter().zip(&self.values) {
            let now = found.get(*id).expect("asked for");
            let each = seed.iter().zip(now).zip(before);
            sum += each
                .map(|((s, now), before)| f64::from(*s) * (f64::from(*now) - f64::from(*before)))
                .sum::<f64>();
        }
        Ok(sum)
    }
}

/// What is moved.
struct Place<'a> {
    name: &'a str,
    at: &'a [f32],
    gradient: &'a [f32],
    /// Forward passes that it may cost, about.
    passes: usize,
}

/// What one step says.
struct Step {
    gradient: f64,
    differences: f64,
    /// Half of what the two sides differ by.
    sides: f64,
}

impl Place<'_> {
    fn check(
        &self,
        random: &mut Random,
        check: &mut GradientCheck,
        mut loss: impl FnMut(Vec<f32>) -> Result<f64>,
    ) -> Result<()> {
        let mut passes = 0;
        while passes < self.passes {
            let way = self.direction(random);
            let mut counted = |moved| {
                passes += 1;
                loss(moved)
            };
            if let Some(slope) = self.measure(&way, &mut counted)? {
                check.slopes.push(slope);
                return Ok(());
            }
            check.kinks += 1;
        }
        check.skipped.push(self.name.to_owned());
        Ok(())
    }

    /// Of length 1: the gradient over a random run of the numbers, and anything over all of them.
    fn direction(&self, random: &mut Random) -> Vec<f32> {
        let n = self.at.len();
        let run = n.div_ceil(2);
        let first = random.below(n);
        let inside = |i: usize| (i + n - first) % n < run;
        let part: Vec<f32> =
            (0..n).map(|i| if inside(i) { self.gradient[i] } else { 0.0 }).collect();
        let anywhere: Vec<f32> = (0..n).map(|_| random.symmetric() as f32).collect();
        let (a, b) = (length(part.iter()), length(anywhere.iter()).max(f64::MIN_POSITIVE));
        let lean = if a > 0.0 { 1.0 / a } else { 0.0 };
        let both = part.iter().zip(&anywhere);
        let way: Vec<f64> =
            both.map(|(p, r)| lean * f64::from(*p) + 0.3 * f64::from(*r) / b).collect();
        let size = way.iter().map(|w| w * w).sum::<f64>().sqrt().max(f64::MIN_POSITIVE);
        way.iter().map(|w| (w / size) as f32).collect()
    }

    /// `None` where no two steps agree.
    fn measure(
        &self,
        way: &[f32],
        loss: &mut impl FnMut(Vec<f32>) -> Result<f64>,
    ) -> Result<Option<Slope>> {
        let own = length(self.at.iter()).max(1e-3 * (self.at.len() as f64).sqrt());
        let each = self.gradient.iter().zip(way);
        let slope: f64 = each.map(|(g, w)| f64::from(*g) * f64::from(*w)).sum();
        let longest = LONGEST * own;
        // From the step that the gradient suggests, and, should that be wrong, from the longest.
        for start in [(CHANGE / slope.abs()).min(longest), longest] {
            let Some(found) = self.agreeing(way, start, own, loss)? else { continue };
            if found.error <= TOLERANCE {
                return Ok(Some(found));
            }
            // Two steps agree by chance now and then: other ones must say the same.
            let again = self.agreeing(way, 0.7 * start, own, loss)?;
            if again.is_some_and(|again| again.error > TOLERANCE) {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    /// The slope that two steps in a row agree on, from the first on.
    fn agreeing(
        &self,
        way: &[f32],
        start: f64,
        own: f64,
        loss: &mut impl FnMut(Vec<f32>) -> Result<f64>,
    ) -> Result<Option<Slope>> {
        let size = |a: f64, b: f64| a.abs().max(b.abs()).max(LEAST / own);
        let mut before: Option<Step> = None;
        for shorter in 0..STEPS {
            let length = start / 3.0_f64.powi(shorter);
            let now = self.step(way, length, loss)?;
            let straight = |step: &Step| step.sides <= SIDES * size(step.differences, 0.0);
            if let Some(before) = before.filter(|before| straight(before) && straight(&now)) {
                let size = size(now.differences, before.differences);
                if (before.differences - now.differences).abs() <= SPREAD * size {
                    let Step { gradient, differences, .. } = now;
                    let error = (differences - gradient).abs() / size.max(gradient.abs());
                    let (of, step) = (self.name.to_owned(), length / own);
                    return Ok(Some(Slope { of, gradient, differences, step, error }));
                }
            }
            before = Some(now);
        }
        Ok(None)
    }

    /// A step ahead and one back.
    fn step(
        &self,
        way: &[f32],
        length: f64,
        loss: &mut impl FnMut(Vec<f32>) -> Result<f64>,
    ) -> Result<Step> {
        let to = |by: f64| -> Vec<f32> {
            let each = self.at.iter().zip(way);
            each.map(|(x, w)| (f64::from(*x) + by * f64::from(*w)) as f32).collect()
        };
        let (ahead, back) = (to(length), to(-length));
        // As the numbers really moved, rounded as they are.
        let each = self.gradient.iter().zip(ahead.iter().zip(&back));
        let change =
            |(g, (a, b)): (&f32, (&f32, &f32))| f64::from(*g) * (f64::from(*a) - f64::from(*b));
        let gradient = each.map(change).sum::<f64>() / (2.0 * length);
        let (ahead, back) = (loss(ahead)?, loss(back)?);
        let differences = (ahead - back) / (2.0 * length);
        Ok(Step { gradient, differences, sides: (ahead + back).abs() / (2.0 * length) })
    }
}

fn length<'a>(values: impl Iterator<Item = &'a f32>) -> f64 {
    values.map(|v| f64::from(*v).powi(2)).sum::<f64>().sqrt()
}

/// SplitMix64 (Steele et al. 2014): enough for places and directions.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// From −1 up to 1.
    fn symmetric(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 52) as f64 - 1.0
    }

    fn sign(&mut self) -> f64 {
        if self.next() & 1 == 0 { 1.0 } else { -1.0 }
    }

    fn below(&mut self, count: usize) -> usize {
        (self.next() % count.max(1) as u64) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `Σ cᵢ xᵢ² / 2 + |x₀ − 0.5|`, in f32 as an engine computes.
    fn value(x: &[f32]) -> f64 {
        let squares = x.iter().enumerate().map(|(i, x)| (i + 1) as f32 * x * x / 2.0);
        f64::from(squares.sum::<f32>() + (x[0] - 0.5).abs())
    }

    fn slope(x: &[f32]) -> Vec<f32> {
        let kink = |i: usize| if i == 0 { (x[0] - 0.5).signum() } else { 0.0 };
        (0..x.len()).map(|i| (i + 1) as f32 * x[i] + kink(i)).collect()
    }

    fn check(x: &[f32], gradient: &[f32]) -> GradientCheck {
        let mut found = GradientCheck { slopes: Vec::new(), kinks: 0, skipped: Vec::new() };
        let mut random = Random(3);
        for _ in 0..6 {
            let place = Place { name: "x", at: x, gradient, passes: 100 };
            let change = |moved: Vec<f32>| Ok(value(&moved) - value(x));
            place.check(&mut random, &mut found, change).unwrap();
        }
        found
    }

    #[test]
    fn a_right_gradient_agrees_and_a_wrong_one_does_not() {
        let x: Vec<f32> = (0..40).map(|i| (i as f32 * 0.7).sin() / 40.0).collect();
        let right = slope(&x);
        let found = check(&x, &right);
        assert!(found.agrees() && found.slopes.len() == 6, "{found:?}");
        assert!(found.worst().unwrap().error < 5e-3, "{found:?}");
        let scaled: Vec<f32> = right.iter().map(|g| g * 1.05).collect();
        assert!(!check(&x, &scaled).agrees());
        let half: Vec<f32> = (0..40).map(|i| if i < 20 { right[i] } else { 0.0 }).collect();
        assert!(!check(&x, &half).agrees());
        assert!(!check(&x, &[0.0; 40]).agrees(), "a gradient that is missing");
        let large: Vec<f32> = right.iter().map(|g| g * 1e6).collect();
        assert!(!check(&x, &large).agrees(), "one that is far too large");
    }

    #[test]
    fn a_kink_at_the_place_itself_is_skipped_and_counted() {
        // At a jump the slope grows with every shorter step.
        let mut found = GradientCheck { slopes: Vec::new(), kinks: 0, skipped: Vec::new() };
        let place = Place { name: "step", at: &[0.5], gradient: &[1.0], passes: 40 };
        let jumps = |moved: Vec<f32>| Ok(if moved[0] > 0.5 { 1.0 } else { 0.0 });
        place.check(&mut Random(1), &mut found, jumps).unwrap();
        assert!(found.slopes.is_empty() && found.kinks > 0, "{found:?}");
        assert_eq!(found.skipped, ["step"]);
        assert!(!found.agrees(), "nothing was measured");
    }
}
