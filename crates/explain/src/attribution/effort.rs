//! How long methods take, and counts of samples that suit a network.

use cutaway_net::Network;
use serde::Serialize;

use super::ask::{Ask, Question};
use super::cam::cam_layer;
use super::{Method, Segments};

/// Multiply-adds of a network up to which every method takes its full counts.
const FULL: f64 = 1e8;
/// The least maps that Score-CAM is lowered to.
const LEAST_MAPS: usize = 64;

/// How an evaluation goes through the network.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Pass {
    /// Forward.
    Forward,
    /// Forward and back by the engine.
    Gradient,
    /// Forward and back node by node, by a method's own rules.
    Walk,
}

impl Pass {
    /// What it costs, in forward passes, about: for progress and first guesses.
    #[must_use]
    pub fn weight(self) -> usize {
        match self {
            Pass::Forward => 1,
            Pass::Gradient => 4,
            Pass::Walk => 30,
        }
    }
}

/// A number that says how much a method is asked, with the least that still makes sense.
struct Count<'a> {
    value: &'a mut usize,
    least: usize,
}

impl Method {
    /// How its evaluations go through the network.
    #[must_use]
    pub fn pass(&self) -> Pass {
        match self {
            Method::Gradient(_)
            | Method::InputXGradient(_)
            | Method::SmoothGrad(_)
            | Method::IntegratedGradients(_)
            | Method::ExpectedGradients(_)
            | Method::Cam(_) => Pass::Gradient,
            Method::GuidedBackprop(_)
            | Method::Deconvolution(_)
            | Method::Lrp(_)
            | Method::DeepLift(_) => Pass::Walk,
            Method::ScoreCam(_)
            | Method::Occlusion(_)
            | Method::Rise(_)
            | Method::Lime(_)
            | Method::KernelShap(_) => Pass::Forward,
        }
    }

    /// Evaluations that an image will take, about: forward passes, or forward and back.
    #[must_use]
    pub fn evaluations(&self, question: &Question<'_>) -> usize {
        let ask = Ask::unchecked(question.clone());
        ask.map_or(1, |ask| self.attribute().planned(&ask) + 1)
    }

    /// Whether it can be asked less, for less time.
    #[must_use]
    pub fn has_counts(&self) -> bool {
        let mut own = self.clone();
        own.count().is_some() || matches!(self, Method::ScoreCam(_) | Method::Occlusion(_))
    }

    fn count(&mut self) -> Option<Count<'_>> {
        // Each part hidden alone and shown alone, at least.
        let parts = |segments: Segments| match segments {
            Segments::Grid(side) => 2 * side.saturating_mul(side) + 2,
            Segments::Slic(count) => 2 * count + 2,
        };
        let (value, least) = match self {
            Method::SmoothGrad(m) => (&mut m.samples, 10),
            Method::IntegratedGradients(m) => (&mut m.steps, 16),
            Method::ExpectedGradients(m) => (&mut m.samples, 20),
            Method::Rise(m) => (&mut m.samples, 100),
            Method::Lime(m) => (&mut m.samples, parts(m.segments)),
            Method::KernelShap(m) => (&mut m.samples, parts(m.segments)),
            _ => return None,
        };
        Some(Count { value, least })
    }

    /// Lowers the counts (samples, steps, maps, places of the window) to what suits the network: with
    /// more than a hundred million multiply-adds to an image, by the root of how many times more.
    /// Networks below that, and methods without counts, keep what they have, and so do integrated
    /// gradients: with half their steps the error of the sum is ten times as large.
    pub fn suit(&mut self, question: &Question<'_>) {
        if matches!(self, Method::IntegratedGradients(_)) {
            return;
        }
        let macs = cutaway_net::summary(question.engine.network()).total_macs as f64;
        if macs > FULL {
            let share = (FULL / macs).sqrt();
            self.take_share(question, share);
        }
    }

    /// Lowers the counts so that an image takes so many evaluations at most, but never below what
    /// still makes sense. Says whether anything was lowered.
    pub fn lower(&mut self, question: &Question<'_>, evaluations: usize) -> bool {
        let before = self.clone();
        let planned = self.evaluations(question);
        if planned > evaluations && self.has_counts() {
            self.take_share(question, evaluations as f64 / planned as f64);
        }
        self.widen(question, evaluations);
        *self != before
    }

    /// The places of a window do not go exactly with the square of the stride: goes on to the first
    /// stride that has few enough.
    fn widen(&mut self, question: &Question<'_>, evaluations: usize) {
        let &[_, height, width] =
            question.engine.network().shape(question.engine.network().input())
        else {
            return;
        };
        while self.evaluations(question) > evaluations {
            let Method::Occlusion(method) = self else { return };
            let [window, stride] = method.window_and_stride([height, width]);
            if stride >= window.div_ceil(2) {
                return;
            }
            method.stride = Some(stride + 1);
        }
    }

    fn take_share(&mut self, question: &Question<'_>, share: f64) {
        let network = question.engine.network();
        match self {
            Method::ScoreCam(method) => {
                let Ok(layer) = cam_layer(network, method.layer.as_deref()) else { return };
                let all = network.shape(layer)[0];
                let now = method.maps.unwrap_or(all).min(all);
                let maps = rounded(now as f64 * share).max(LEAST_MAPS);
                if maps < now {
                    method.maps = Some(maps);
                }
            }
            Method::Occlusion(method) => {
                let &[_, height, width] = network.shape(network.input()) else { return };
                let [window, stride] = method.window_and_stride([height, width]);
                // The places grow with the square; every pixel stays covered.
                let wider = (stride as f64 / share.sqrt()).ceil() as usize;
                let wider = wider.min(window.div_ceil(2));
                if wider > stride {
                    method.stride = Some(wider);
                }
            }
            _ => {
                let Some(Count { value, least }) = self.count() else { return };
                let lower = rounded(*value as f64 * share).max(least);
                *value = lower.min(*value);
            }
        }
    }

    /// The counts in words, such as `50 steps`; empty where it has none.
    #[must_use]
    pub fn counts(&self, network: &Network) -> String {
        match self {
            Method::SmoothGrad(m) => format!("{} samples", m.samples),
            Method::IntegratedGradients(m) => format!("{} steps", m.steps),
            Method::ExpectedGradients(m) => format!("{} samples", m.samples),
            Method::Rise(m) => format!("{} masks", m.samples),
            Method::Lime(m) => format!("{} samples", m.samples),
            Method::KernelShap(m) => format!("{} samples", m.samples),
            Method::ScoreCam(m) => match m.maps {
                Some(maps) => format!("{maps} maps"),
                None => "all maps".to_owned(),
            },
            Method::Occlusion(m) => match *network.shape(network.input()) {
                [_, height, width] => {
                    let [window, stride] = m.window_and_stride([height, width]);
                    format!("window {window}, stride {stride}")
                }
                _ => String::new(),
            },
            _ => String::new(),
        }
    }
}

/// A count that people can read: tens from a hundred up.
fn rounded(count: f64) -> usize {
    let count = count.floor().max(0.0) as usize;
    if count >= 100 { count / 10 * 10 } else { count }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cutaway_engine::{Engine, Options};
    use cutaway_net::{ConvSpec, NetworkBuilder};

    fn engine(network: &Network) -> Engine {
        Engine::compile(network, &Options::default()).unwrap()
    }

    /// 400 million multiply-adds: four times what is asked in full.
    fn heavy() -> Network {
        let mut b = NetworkBuilder::new("heavy");
        b.input("x", &[16, 64, 64]).conv("conv", ConvSpec::new(680, 3)).relu("relu");
        b.global_avg_pool("pool").flatten("flat").dense("logits", 5);
        b.build(3).unwrap()
    }

    fn method(name: &str) -> Method {
        name.parse().unwrap()
    }

    #[test]
    fn a_small_network_is_asked_in_full() {
        let engine = engine(&cutaway_net::presets::reference_cnn(1));
        for name in Method::NAMES {
            let mut own = method(name);
            own.suit(&Question::new(&engine));
            assert_eq!(own, method(name));
        }
    }

    #[test]
    fn a_heavy_network_is_asked_less_by_the_root_of_its_multiply_adds() {
        let engine = engine(&heavy());
        let question = Question::new(&engine);
        let share = (1e8 / cutaway_net::summary(engine.network()).total_macs as f64).sqrt();
        assert!((share - 0.5).abs() < 0.02, "{share}");
        for (name, counts) in [
            ("rise", "1000 masks"),
            ("smooth-grad", "25 samples"),
            ("score-cam", "340 maps"),
            ("lime", "500 samples"),
            ("occlusion", "window 19, stride 8"),
        ] {
            let mut own = method(name);
            let before = own.evaluations(&question);
            own.suit(&question);
            let near = |a: &str, b: &str| {
                let number = |s: &str| -> Vec<f64> {
                    s.split(|c: char| !c.is_ascii_digit()).filter_map(|n| n.parse().ok()).collect()
                };
                number(a).iter().zip(number(b)).all(|(a, b)| (a - b).abs() <= 0.03 * b + 1.0)
            };
            let own_counts = own.counts(engine.network());
            assert!(near(&own_counts, counts), "{name}: {own_counts}, not {counts}");
            assert!(own.evaluations(&question) < before, "{name}");
        }
        let mut own = method("integrated-gradients");
        own.suit(&question);
        assert_eq!(own, method("integrated-gradients"), "its error would grow");
    }

    #[test]
    fn lowering_keeps_within_what_is_given_or_at_the_least() {
        let engine = engine(&heavy());
        let question = Question::new(&engine);
        for name in Method::NAMES {
            let full = method(name).evaluations(&question);
            let mut own = method(name);
            assert!(!own.lower(&question, full), "{name} needs no more than it needs");
            let mut own = method(name);
            let lowered = own.lower(&question, full * 3 / 4);
            assert_eq!(lowered, own.has_counts(), "{name}");
            if lowered {
                assert!(own.evaluations(&question) <= full * 3 / 4 + 1, "{name}");
            }
            own.lower(&question, 1);
            own.attribute().check().unwrap();
            let least = own.clone();
            assert!(!own.lower(&question, 1), "{name}");
            assert_eq!(own, least);
        }
    }
}
