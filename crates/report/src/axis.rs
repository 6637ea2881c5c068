//! Axes: which numbers get a tick, how they are written, and where a value lies.

use crate::number::{fixed, power, power_of_ten, significant};

/// How an axis looks. The range comes from the data unless it is given.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Axis {
    pub(crate) label: String,
    pub(crate) log: bool,
    pub(crate) percent: bool,
    pub(crate) whole: bool,
    pub(crate) powers: bool,
    pub(crate) range: Option<(f64, f64)>,
}

impl Axis {
    /// A linear axis with a label that names quantity and unit.
    pub fn new(label: impl Into<String>) -> Axis {
        Axis { label: label.into(), ..Axis::default() }
    }

    /// Makes the axis logarithmic; values at or below 0 cannot be drawn and are counted in the legend.
    #[must_use]
    pub fn log(mut self) -> Axis {
        self.log = true;
        self
    }

    /// Writes shares as percentages (0.5 is "50 %").
    #[must_use]
    pub fn percent(mut self) -> Axis {
        self.percent = true;
        self
    }

    /// Puts ticks at whole numbers only: epochs, steps, layers.
    #[must_use]
    pub fn whole(mut self) -> Axis {
        self.whole = true;
        self
    }

    /// Takes values as logarithms to base 10 and writes them as powers of ten (−3 is "10⁻³"): for numbers
    /// that lie beyond the range of `f64`. An exact 0 is −∞, which cannot be drawn and is counted.
    #[must_use]
    pub fn powers(mut self) -> Axis {
        self.powers = true;
        self
    }

    /// Fixes both ends. Ends that are not finite, or in the wrong order, are ignored.
    #[must_use]
    pub fn range(mut self, low: f64, high: f64) -> Axis {
        self.range = (low.is_finite() && high.is_finite() && low < high).then_some((low, high));
        self
    }

    /// Whether a value has a place on this axis.
    pub(crate) fn can_show(&self, value: f64) -> bool {
        value.is_finite() && (!self.log || value > 0.0)
    }

    /// Lays the axis out for values from `low` to `high`, with about `target` ticks. A `loose` axis
    /// grows to whole ticks, a tight one ends where the data end.
    pub(crate) fn lay_out(&self, extent: Option<(f64, f64)>, target: usize, loose: bool) -> Layout {
        let fixed_range = self.range.filter(|&(low, _)| !self.log || low > 0.0);
        let fallback = if self.log { (0.1, 1.0) } else { (0.0, 1.0) };
        let (mut low, mut high) = fixed_range.or(extent).unwrap_or(fallback);
        if self.whole && low == high {
            (low, high) = (low - 0.5, high + 0.5);
        }
        let (low, high) = widen((low, high), self.log);
        let mut ticks =
            if self.log { log_ticks(low, high, target) } else { ticks(low, high, target) };
        // Between powers of ten only where there are hardly any.
        if self.whole || (self.powers && high - low >= 2.0) {
            ticks.retain(|tick| tick.fract() == 0.0);
        }
        let (mut from, mut to) = (low, high);
        if loose && fixed_range.is_none() {
            from = ticks.first().map_or(low, |tick| tick.min(low));
            to = ticks.last().map_or(high, |tick| tick.max(high));
        }
        let slack = if self.log { 0.0 } else { (to - from) * 1e-9 };
        let shown: Vec<f64> =
            ticks.into_iter().filter(|t| (from - slack..=to + slack).contains(t)).collect();
        let labels = self.labels(&shown);
        Layout { from, to, log: self.log, ticks: shown.into_iter().zip(labels).collect() }
    }

    /// A value of this axis in words.
    pub(crate) fn text(&self, value: f64) -> String {
        if self.powers { power(value, 3) } else { significant(value, 4) }
    }

    fn labels(&self, ticks: &[f64]) -> Vec<String> {
        if self.powers {
            return ticks.iter().map(|&tick| power(tick, 2)).collect();
        }
        if self.log && !self.percent {
            return ticks.iter().map(|&tick| log_label(tick)).collect();
        }
        let factor = if self.percent { 100.0 } else { 1.0 };
        let scaled: Vec<f64> = ticks.iter().map(|tick| tick * factor).collect();
        let labels = if self.log {
            scaled.iter().map(|&v| significant(v, 2)).collect()
        } else {
            linear_labels(&scaled)
        };
        if !self.percent {
            return labels;
        }
        labels.into_iter().map(|label| label + " %").collect()
    }
}

/// An axis with its numbers settled.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Layout {
    pub(crate) from: f64,
    pub(crate) to: f64,
    log: bool,
    pub(crate) ticks: Vec<(f64, String)>,
}

impl Layout {
    /// 0 at the beginning of the axis, 1 at its end.
    pub(crate) fn position(&self, value: f64) -> f64 {
        if self.log {
            return (value.ln() - self.from.ln()) / (self.to.ln() - self.from.ln());
        }
        // Halved first, so that the widest finite range does not overflow.
        (0.5 * value - 0.5 * self.from) / (0.5 * self.to - 0.5 * self.from)
    }
}

/// Gives an empty range some width around its value.
fn widen((low, high): (f64, f64), log: bool) -> (f64, f64) {
    let magnitude = low.abs().max(high.abs());
    if 0.5 * high - 0.5 * low > magnitude * 1e-11 {
        return (low, high);
    }
    if log {
        return ((low / 2.0).max(f64::MIN_POSITIVE), (high * 2.0).min(f64::MAX));
    }
    let margin = if magnitude > 1e-300 { 0.1 * magnitude } else { 1.0 };
    ((low - margin).max(f64::MIN), (high + margin).min(f64::MAX))
}

/// Multiples of 1, 2 or 5 times a power of ten, the outermost ones at or beyond both ends.
pub(crate) fn ticks(low: f64, high: f64, target: usize) -> Vec<f64> {
    let target = target.clamp(1, 50) as f64;
    let rough = (high / target - low / target).max(f64::MIN_POSITIVE * 1e10);
    let exponent = rough.log10().floor() as i32;
    let lead = rough / 10f64.powi(exponent);
    let lead = [1.0, 2.0, 5.0].into_iter().find(|&step| lead <= step * 1.000_001).unwrap_or(10.0);
    let step = Step { lead, exponent };
    let below = |v: f64| (step.count(v) + 1e-9).floor();
    let above = |v: f64| (step.count(v) - 1e-9).ceil();
    let (first, last) = (below(low), above(high));
    let count = (last - first).clamp(0.0, 200.0) as usize;
    (0..=count).map(|i| step.times(first + i as f64)).filter(|tick| tick.is_finite()).collect()
}

/// A distance between ticks, kept in two parts so that 3 × 0.1 is the nearest number to 0.3.
struct Step {
    lead: f64,
    exponent: i32,
}

impl Step {
    fn times(&self, n: f64) -> f64 {
        if self.exponent < 0 && self.exponent > -300 {
            n * self.lead / 10f64.powi(-self.exponent)
        } else {
            n * self.lead * 10f64.powi(self.exponent)
        }
    }

    fn count(&self, value: f64) -> f64 {
        value / self.lead / 10f64.powi(self.exponent)
    }
}

/// Powers of ten, thinned where there are many; with 2 and 5 between them where there are few.
fn log_ticks(low: f64, high: f64, target: usize) -> Vec<f64> {
    let (first, last) = (low.log10().floor() as i32, high.log10().ceil() as i32);
    let decades = (last - first).max(1) as usize;
    let leads: &[f64] = if decades * 3 <= target.max(6) { &[1.0, 2.0, 5.0] } else { &[1.0] };
    let stride = decades.div_ceil(target.max(2)).max(1);
    // Thinned powers are multiples of the stride, so that 1 is among them.
    let first = first.div_euclid(stride as i32) * stride as i32;
    let all: Vec<f64> = (first..=last + stride as i32)
        .step_by(stride)
        .flat_map(|exponent| leads.iter().map(move |lead| lead * 10f64.powi(exponent)))
        .filter(|tick| tick.is_finite() && *tick > 0.0)
        .collect();
    // From the last tick at or below the lower end to the first at or above the upper end.
    let begin = all.iter().rposition(|&t| t <= low * (1.0 + 1e-9)).unwrap_or(0);
    let end = all.iter().position(|&t| t >= high * (1.0 - 1e-9)).unwrap_or(all.len() - 1);
    all[begin..=end.max(begin)].to_vec()
}

fn log_label(tick: f64) -> String {
    let exponent = tick.log10().round() as i32;
    let whole = (tick / 10f64.powi(exponent) - 1.0).abs() < 1e-6;
    if whole && !(-2..=4).contains(&exponent) {
        power_of_ten(exponent)
    } else {
        significant(tick, 2)
    }
}

/// Labels with the same count of decimals, just enough to tell the ticks apart.
fn linear_labels(ticks: &[f64]) -> Vec<String> {
    let largest = ticks.iter().fold(0.0f64, |m, t| m.max(t.abs()));
    if largest == 0.0 {
        return ticks.iter().map(|&t| fixed(t, 0)).collect();
    }
    let step = match ticks {
        [a, b, ..] => 0.5 * b - 0.5 * a,
        _ => 0.5 * largest,
    } * 2.0;
    let plain = (1e-4..1e6).contains(&largest) && step > 1e-7;
    if plain && step.is_finite() {
        let exact = |decimals: &usize| {
            let factor = 10f64.powi(*decimals as i32);
            ticks.iter().all(|t| ((t * factor).round() - t * factor).abs() < 1e-6 * step * factor)
        };
        let decimals = (0..10).find(exact).unwrap_or(10);
        return ticks.iter().map(|&t| fixed(t, decimals)).collect();
    }
    let digits = (largest / step.max(f64::MIN_POSITIVE)).log10().ceil().clamp(0.0, 15.0) as usize;
    ticks.iter().map(|&t| significant(t, digits + 2)).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn texts(layout: &Layout) -> Vec<&str> {
        layout.ticks.iter().map(|(_, label)| label.as_str()).collect()
    }

    #[test]
    fn ticks_fall_on_round_numbers() {
        assert_eq!(ticks(0.0, 1.0, 5), [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]);
        assert_eq!(ticks(-0.3, 0.35, 4), [-0.4, -0.2, 0.0, 0.2, 0.4]);
        assert_eq!(ticks(1.0, 12.0, 6), [0.0, 2.0, 4.0, 6.0, 8.0, 10.0, 12.0]);
    }

    #[test]
    fn labels_have_as_many_decimals_as_they_need() {
        let axis = Axis::new("loss");
        assert_eq!(
            texts(&axis.lay_out(Some((0.0, 0.35)), 4, true)),
            ["0.0", "0.1", "0.2", "0.3", "0.4"]
        );
        let axis = Axis::new("accuracy").percent();
        assert_eq!(
            texts(&axis.lay_out(Some((0.98, 0.996)), 4, true)),
            ["98.0 %", "98.5 %", "99.0 %", "99.5 %", "100.0 %"]
        );
        let axis = Axis::new("images").range(0.0, 60_000.0);
        assert_eq!(texts(&axis.lay_out(None, 3, true)), ["0", "20,000", "40,000", "60,000"]);
        let axis = Axis::new("gradient").log();
        assert_eq!(texts(&axis.lay_out(Some((2e-7, 0.4)), 8, true)).first(), Some(&"10⁻⁷"));
    }

    #[test]
    fn a_single_value_gets_an_axis_around_it() {
        for value in [0.0, 5.0, -3e-9, 1e300, f64::MAX, f64::MIN] {
            let layout = Axis::new("x").lay_out(Some((value, value)), 5, true);
            let position = layout.position(value);
            assert!((0.0..=1.0).contains(&position), "{value}: {layout:?}");
            assert!(layout.from < layout.to);
        }
    }

    #[test]
    fn a_lone_tick_at_zero_has_no_decimals() {
        assert_eq!(linear_labels(&[0.0]), ["0"]);
    }

    #[test]
    fn logarithms_are_written_as_powers_of_ten_far_beyond_the_smallest_number() {
        let axis = Axis::new("norm").powers();
        assert_eq!(
            texts(&axis.lay_out(Some((-1046.3, 0.0)), 4, true)),
            ["10⁻¹⁵⁰⁰", "10⁻¹⁰⁰⁰", "10⁻⁵⁰⁰", "1"]
        );
        assert_eq!(
            texts(&axis.lay_out(Some((-3.0, 0.5)), 4, true)),
            ["0.001", "0.01", "0.1", "1", "10"]
        );
        let close = axis.lay_out(Some((0.0, 0.9)), 4, true);
        assert_eq!(texts(&close), ["1", "3.2", "10"]);
        assert_eq!(axis.text(-1046.0), "10⁻¹⁰⁴⁶");
        assert_eq!(axis.text(-2.0), "0.01");
    }

    #[test]
    fn a_whole_axis_has_no_tick_between_epochs() {
        let epochs = Axis::new("epoch").whole();
        assert_eq!(texts(&epochs.lay_out(Some((1.0, 1.0)), 8, false)), ["1"]);
        assert_eq!(texts(&epochs.lay_out(Some((1.0, 3.0)), 8, false)), ["1", "2", "3"]);
        assert_eq!(texts(&epochs.lay_out(Some((1.0, 12.0)), 4, false)), ["5", "10"]);
    }

    fn wide() -> impl Strategy<Value = f64> {
        (-1.0f64..1.0, -290i32..290).prop_map(|(lead, exponent)| lead * 10f64.powi(exponent))
    }

    proptest! {
        #[test]
        fn ticks_cover_any_range_in_order_and_evenly(a in wide(), b in wide(), target in 2usize..12) {
            let (low, high) = widen((a.min(b), a.max(b)), false);
            let ticks = ticks(low, high, target);
            let slack = (high - low) * 1e-6;
            prop_assert!(ticks[0] <= low + slack, "{ticks:?} {low} {high}");
            prop_assert!(ticks[ticks.len() - 1] >= high - slack, "{ticks:?} {low} {high}");
            prop_assert!(ticks.len() <= 2 * target + 3, "{} ticks", ticks.len());
            prop_assert!(ticks.windows(2).all(|w| w[0] < w[1]), "{ticks:?}");
            let step = ticks[1] - ticks[0];
            let even = ticks.windows(2).all(|w| ((w[1] - w[0]) / step - 1.0).abs() < 1e-3);
            prop_assert!(even, "{ticks:?}");
        }

        #[test]
        fn logarithmic_ticks_cover_any_positive_range(
            a in -290i32..270, lead in 1.0f64..10.0, decades in 0.0f64..20.0, target in 2usize..12,
        ) {
            let low = lead * 10f64.powi(a);
            let high = (low * 10f64.powf(decades)).min(1e305);
            let (low, high) = widen((low.min(high), high), true);
            let ticks = log_ticks(low, high, target);
            prop_assert!(ticks[0] <= low * 1.000_001, "{ticks:?} {low} {high}");
            prop_assert!(ticks[ticks.len() - 1] >= high * 0.999_999, "{ticks:?} {low} {high}");
            prop_assert!(ticks.windows(2).all(|w| w[0] < w[1]), "{ticks:?}");
        }

        #[test]
        fn labels_of_neighbouring_ticks_differ(a in wide(), b in wide(), target in 2usize..12) {
            let layout = Axis::new("x").lay_out(Some((a.min(b), a.max(b))), target, true);
            for pair in layout.ticks.windows(2) {
                prop_assert!(pair[0].1 != pair[1].1, "{:?}", layout.ticks);
            }
        }
    }
}
