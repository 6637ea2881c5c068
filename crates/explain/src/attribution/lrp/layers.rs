//! The rules of layers with weights.

use cutaway_engine::Alone;
use ndarray::{ArrayD, Axis, Zip};

use super::super::baseline::preprocessed;
use super::super::walk::Station;
use super::absorbed::{Part, STABILISER, divided};
use super::{Lrp, LrpBiases, LrpFirst, LrpRule, Relevance};
use crate::Error;

/// The rule of one layer.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
enum Kind {
    Epsilon,
    Gamma,
    ZPlus,
    AlphaBeta,
    Flat,
    WSquare,
    Box,
}

impl Lrp {
    /// The rule of a layer with weights.
    fn of(&self, dense: bool, first: bool) -> Kind {
        let special = match self.rule {
            LrpRule::EpsilonPlusFlat => Some(LrpFirst::Flat),
            LrpRule::EpsilonGammaBox => Some(LrpFirst::Box),
            _ => None,
        };
        match self.first.or(special).filter(|_| first) {
            Some(LrpFirst::Flat) => return Kind::Flat,
            Some(LrpFirst::WSquare) => return Kind::WSquare,
            Some(LrpFirst::Box) => return Kind::Box,
            None => {}
        }
        match self.rule {
            LrpRule::Epsilon => Kind::Epsilon,
            LrpRule::EpsilonPlusFlat | LrpRule::EpsilonGammaBox if dense => Kind::Epsilon,
            LrpRule::Gamma | LrpRule::EpsilonGammaBox => Kind::Gamma,
            LrpRule::ZPlus | LrpRule::EpsilonPlusFlat => Kind::ZPlus,
            LrpRule::AlphaBeta => Kind::AlphaBeta,
        }
    }
}

/// More than this, of what speaks for an output, is something.
const SPOKEN: f32 = 1e-20;

fn positive(v: f32) -> f32 {
    v.max(0.0)
}

fn negative(v: f32) -> f32 {
    v.min(0.0)
}

/// A pass through the layer: its input, what its weights are made of, whether it has the bias, and
/// its sign.
struct Pass<'a> {
    input: ArrayD<f32>,
    weight: &'a (dyn Fn(f32) -> f32 + Sync),
    bias: bool,
    sign: f32,
}

fn pass<'a>(input: &ArrayD<f32>, weight: &'a (dyn Fn(f32) -> f32 + Sync), bias: bool) -> Pass<'a> {
    Pass { input: input.clone(), weight, bias, sign: 1.0 }
}

impl Pass<'_> {
    /// Of the layer with the pass's weights its value for the pass's input.
    fn forward(&self, at: &Station<'_>) -> Result<ArrayD<f32>, Error> {
        self.ask(at, |alone, inputs| alone.forward(inputs))
    }

    /// What of `seed` comes back to the pass's input.
    fn backward(&self, at: &Station<'_>, seed: &ArrayD<f32>) -> Result<ArrayD<f32>, Error> {
        let place = at.data_inputs()[0];
        Ok(self.ask(at, |alone, inputs| alone.backward(inputs, seed, &[place]))?.swap_remove(0))
    }

    /// Asks the layer alone, its parameters changed, or the constant that it takes for one.
    fn ask<T>(
        &self,
        at: &Station<'_>,
        f: impl Fn(&Alone<'_>, &[&ArrayD<f32>]) -> cutaway_engine::Result<T>,
    ) -> Result<T, Error> {
        if at.node.params.is_empty() {
            let data = at.data_inputs();
            let changed = (0..at.node.inputs.len()).map(|i| match data.contains(&i) {
                true => self.input.clone(),
                false => at.input(i).mapv(self.weight),
            });
            let inputs: Vec<ArrayD<f32>> = changed.collect();
            return Ok(f(&at.engine().alone(at.id)?, &inputs.iter().collect::<Vec<_>>())?);
        }
        let change = |place: usize, values: &[f32], changed: &mut [f32]| {
            if place > 0 && !self.bias {
                return changed.fill(0.0);
            }
            changed.iter_mut().zip(values).for_each(|(c, &v)| *c = (self.weight)(v));
        };
        Ok(f(&at.engine().alone_with(at.id, &change)?, &[&self.input])?)
    }
}

/// What the inputs of a layer receive, and of each output what they and its bias have received of it.
struct Shares {
    input: ArrayD<f32>,
    handed: ArrayD<f32>,
    biases: ArrayD<f32>,
}

impl Shares {
    fn plus(mut self, factor: f32, other: &Shares) -> Shares {
        self.input.scaled_add(factor, &other.input);
        self.handed.scaled_add(factor, &other.handed);
        self.biases.scaled_add(factor, &other.biases);
        self
    }
}

impl Relevance<'_> {
    /// What the one input of a layer with weights receives.
    pub(super) fn weighted(
        &self,
        at: &Station<'_>,
        received: &ArrayD<f32>,
    ) -> Result<ArrayD<f32>, Error> {
        let shares = self.shares(at, received)?;
        if self.lrp.biases == LrpBiases::Redistribute {
            let rest = received - &shares.handed;
            return Ok(shares.input + self.rest(at, &rest)?);
        }
        self.ledger.add(Part::Biases, &shares.biases, 1.0);
        Ok(shares.input)
    }

    /// What the inputs have not received of each output goes to them by what speaks for it without
    /// its bias, and in equal parts where nothing does.
    fn rest(&self, at: &Station<'_>, rest: &ArrayD<f32>) -> Result<ArrayD<f32>, Error> {
        let input = at.data()[0];
        let (up, down) = (input.mapv(positive), input.mapv(negative));
        let ones = ArrayD::ones(input.raw_dim());
        let passes = [pass(&up, &positive, false), pass(&down, &negative, false)];
        let mut sum = ArrayD::<f32>::zeros(rest.raw_dim());
        for pass in &passes {
            sum += &pass.forward(at)?;
        }
        let spoken = received_where(rest, &sum, |sum| sum > SPOKEN);
        let (spoken, equal) =
            (self.shared(at, &spoken, &passes, f32::MIN_POSITIVE, 0.0)?, rest - &spoken);
        let equal = self.shared(at, &equal, &[pass(&ones, &|_| 1.0, false)], STABILISER, 1.0)?;
        Ok(spoken.input + equal.input)
    }

    fn shares(&self, at: &Station<'_>, received: &ArrayD<f32>) -> Result<Shares, Error> {
        let dense = !at.node.op.kind().starts_with("Conv");
        let input = at.data()[0];
        let (up, down) = (input.mapv(positive), input.mapv(negative));
        let ones = ArrayD::ones(input.raw_dim());
        let gamma = self.lrp.gamma;
        let more = move |w: f32| w + gamma * positive(w);
        let less = move |w: f32| w + gamma * negative(w);
        // Where all goes on to the inputs stabilisers take nothing.
        let counted = f64::from(self.lrp.biases == LrpBiases::Absorb);
        let by = STABILISER;
        match self.lrp.of(dense, self.first.contains(&at.id)) {
            Kind::Epsilon => self.epsilon(at, received, counted),
            Kind::ZPlus => {
                let passes = [pass(&up, &positive, true), pass(&down, &negative, false)];
                self.shared(at, received, &passes, by, counted)
            }
            Kind::AlphaBeta => {
                let with = [pass(&up, &positive, true), pass(&down, &negative, false)];
                let against = [pass(&up, &negative, true), pass(&down, &positive, false)];
                let (alpha, beta) = (self.lrp.alpha, self.lrp.alpha - 1.0);
                let with = self.shared(at, &(received * alpha), &with, by, counted)?;
                let against = self.shared(at, &(received * beta), &against, by, -counted)?;
                Ok(with.plus(-1.0, &against))
            }
            Kind::Gamma => {
                let with = [pass(&up, &more, true), pass(&down, &less, false)];
                let against = [pass(&up, &less, true), pass(&down, &more, false)];
                let above = received_where(received, at.output(), |z| z > 0.0);
                let below = received_where(received, at.output(), |z| z < 0.0);
                let neither = received - &above - &below;
                self.ledger.add(Part::Stabilisers, &neither, counted);
                let above = self.shared(at, &above, &with, by, counted)?;
                Ok(above.plus(1.0, &self.shared(at, &below, &against, by, counted)?))
            }
            Kind::Flat => self.shared(at, received, &[pass(&ones, &|_| 1.0, false)], by, counted),
            Kind::WSquare => {
                self.shared(at, received, &[pass(&ones, &|w| w * w, true)], by, counted)
            }
            Kind::Box => {
                let (low, high) = (self.bound(at, true)?, self.bound(at, false)?);
                let low = Pass { sign: -1.0, ..pass(&low, &positive, true) };
                let high = Pass { sign: -1.0, ..pass(&high, &negative, true) };
                self.shared(at, received, &[pass(input, &|w| w, true), low, high], by, counted)
            }
        }
    }

    /// `a · (J^T (R / (z + ε sign z)))`. Where biases may not keep relevance, outputs that theirs
    /// decides (less than none or more than all of the sum) hand nothing on: what the others cancel of
    /// it would be many times what there is.
    fn epsilon(
        &self,
        at: &Station<'_>,
        received: &ArrayD<f32>,
        counted: f64,
    ) -> Result<Shares, Error> {
        let z = at.output();
        let mut biases = ArrayD::zeros(z.raw_dim());
        add_biases(at, &mut biases, &|b| b, 1.0);
        let mut own = received.clone();
        if self.lrp.biases == LrpBiases::Redistribute {
            let share = &biases / z;
            own = received_where(received, &share, |share| (0.0..=1.0).contains(&share));
        }
        let seed = divided(&own, z, self.lrp.epsilon, &self.ledger, counted);
        let (place, input) = (at.data_inputs()[0], at.data()[0]);
        let share = at.gradient(&seed)?.swap_remove(place) * input;
        let handed = (z - &biases) * &seed;
        Ok(Shares { input: share, handed, biases: biases * seed })
    }

    /// Passes through a layer with inputs and weights of their own: relevance over the (signed) sum
    /// of their outputs goes back through each and is weighed by its input. Of a pass with ones for
    /// inputs that is the gradient itself. What the stabiliser `by` takes counts by `weight`.
    fn shared(
        &self,
        at: &Station<'_>,
        received: &ArrayD<f32>,
        passes: &[Pass<'_>],
        by: f32,
        weight: f64,
    ) -> Result<Shares, Error> {
        let mut sum = ArrayD::<f32>::zeros(at.output().raw_dim());
        let mut biases = sum.clone();
        for pass in passes {
            sum.scaled_add(pass.sign, &pass.forward(at)?);
            if pass.bias {
                add_biases(at, &mut biases, pass.weight, pass.sign);
            }
        }
        let seed = divided(received, &sum, by, &self.ledger, weight);
        let mut input = ArrayD::<f32>::zeros(at.data()[0].raw_dim());
        for pass in passes {
            let gradient = pass.backward(at, &seed)?;
            input.scaled_add(pass.sign, &(gradient * &pass.input));
        }
        let handed = (sum - &biases) * &seed;
        Ok(Shares { input, handed, biases: biases * seed })
    }

    /// What the layer takes of an image of the least, or the largest, pixel value there is.
    fn bound(&self, at: &Station<'_>, least: bool) -> Result<ArrayD<f32>, Error> {
        let input = self.network.input();
        let of = |raw: f32| -> Result<ArrayD<f32>, Error> {
            let shape = [&[1], self.network.shape(input)].concat();
            let mut image = ArrayD::zeros(shape);
            for (c, mut plane) in image.axis_iter_mut(Axis(1)).enumerate() {
                plane.fill(preprocessed(self.network, c, raw));
            }
            let id = at.node.inputs[at.data_inputs()[0]];
            Ok(at.engine().forward(image.view(), &[id])?.take(id).expect("tapped"))
        };
        let (mut bound, other) = (of(0.0)?, of(255.0)?);
        bound.zip_mut_with(&other, |a, &b| *a = if least { a.min(b) } else { a.max(b) });
        let all = at.data()[0].raw_dim();
        Ok(bound.broadcast(all).expect("one image for all").to_owned())
    }
}

/// Adds a layer's biases, changed, to what is of its output's shape.
fn add_biases(at: &Station<'_>, to: &mut ArrayD<f32>, change: &dyn Fn(f32) -> f32, sign: f32) {
    let Some(&bias) = at.node.params.get(1) else { return };
    let values = &at.network().param(bias).values;
    for (mut plane, &b) in to.axis_iter_mut(Axis(1)).zip(values.iter()) {
        plane += sign * change(b);
    }
}

fn received_where(
    received: &ArrayD<f32>,
    z: &ArrayD<f32>,
    keep: impl Fn(f32) -> bool,
) -> ArrayD<f32> {
    let mut result = received.clone();
    Zip::from(&mut result).and(z).for_each(|r, &z| *r = if keep(z) { *r } else { 0.0 });
    result
}
