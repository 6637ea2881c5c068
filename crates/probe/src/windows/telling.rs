//! The few windows that tell the most, chosen by rule.

use serde::Serialize;

use super::{HARMLESS, WindowAnswer};

/// Why a window was chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum TellingRule {
    /// The largest P(true) of all windows.
    MostHarmless,
    /// Of the windows that are still recognised and whose P(true) fell by less than [`HARMLESS`],
    /// the one that changes the image the most: with a black patch on bright ink, the one that
    /// covers the most ink.
    HarmlessMostInk,
    /// Of the windows predicted as one wrong class, the smallest P(true). Chosen for the two wrong
    /// classes that are predicted at the most windows.
    MostHarmful,
}

/// A window that tells something.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Telling {
    /// Why it was chosen.
    pub rule: TellingRule,
    /// Its place among all windows, in reading order.
    pub window: usize,
    /// Top row of the window.
    pub row: usize,
    /// Left column.
    pub col: usize,
    /// P(y = true | x), 0 to 1.
    pub p_true: f32,
    /// The predicted class.
    pub predicted: usize,
    /// Its probability, 0 to 1.
    pub p_predicted: f32,
    /// See [`WindowAnswer::change`].
    pub change: f32,
}

/// The telling windows, at most four. Of equal ones the first in reading order is taken; a rule
/// that no window meets gives none.
pub(super) fn telling(rows: &[WindowAnswer], truth: usize, clean_p_true: f32) -> Vec<Telling> {
    let all = || rows.iter().enumerate();
    let harmless = |r: &WindowAnswer| r.predicted == truth && clean_p_true - r.p_true < HARMLESS;
    let mut chosen = Vec::new();
    if let Some(best) = first_max(all(), |r| r.p_true) {
        chosen.push(case(TellingRule::MostHarmless, rows, best));
    }
    if let Some(best) = first_max(all().filter(|(_, r)| harmless(r)), |r| r.change) {
        chosen.push(case(TellingRule::HarmlessMostInk, rows, best));
    }
    for class in frequent_wrong(rows, truth).into_iter().take(2) {
        let of_class = all().filter(|(_, r)| r.predicted == class);
        if let Some(worst) = first_max(of_class, |r| -r.p_true) {
            chosen.push(case(TellingRule::MostHarmful, rows, worst));
        }
    }
    chosen
}

/// Wrong classes that windows are predicted as, the most frequent first; of equal ones the lower.
fn frequent_wrong(rows: &[WindowAnswer], truth: usize) -> Vec<usize> {
    let counts = super::sweep::count_classes(rows);
    counts.into_iter().map(|count| count.class).filter(|&class| class != truth).collect()
}

/// Index of the largest; of equal ones the first.
fn first_max<'a>(
    rows: impl Iterator<Item = (usize, &'a WindowAnswer)>,
    key: impl Fn(&WindowAnswer) -> f32,
) -> Option<usize> {
    let keyed = rows.map(|(i, row)| (i, key(row)));
    let best = keyed.reduce(|best, next| if next.1 > best.1 { next } else { best });
    best.map(|(i, _)| i)
}

fn case(rule: TellingRule, rows: &[WindowAnswer], window: usize) -> Telling {
    let &WindowAnswer { row, col, p_true, predicted, p_predicted, change, .. } = &rows[window];
    Telling { rule, window, row, col, p_true, predicted, p_predicted, change }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(col: usize, p_true: f32, predicted: usize, change: f32) -> WindowAnswer {
        let p_predicted = if predicted == 6 { p_true } else { 1.0 - p_true };
        let probabilities = Vec::new();
        WindowAnswer { row: 0, col, p_true, predicted, p_predicted, change, probabilities }
    }

    #[test]
    fn the_four_cases_of_a_hand_made_map() {
        let rows = [
            row(0, 0.999, 6, 0.0),
            row(1, 1.000, 6, 3.0), // the most harmless
            row(2, 1.000, 6, 1.0),
            row(3, 0.991, 6, 9.0), // harmless, and covers the most
            row(4, 0.900, 6, 40.0),
            row(5, 0.300, 5, 20.0),
            row(6, 0.100, 5, 20.0), // the most harmful towards 5, predicted twice
            row(7, 0.000, 3, 20.0), // 3 and 1 are predicted once each: the lower class counts
            row(8, 0.000, 3, 20.0),
            row(9, 0.200, 5, 20.0),
            row(10, 0.050, 1, 20.0),
        ];
        let chosen: Vec<_> = telling(&rows, 6, 1.0).iter().map(|t| (t.rule, t.col)).collect();
        let expected = [
            (TellingRule::MostHarmless, 1),
            (TellingRule::HarmlessMostInk, 3),
            (TellingRule::MostHarmful, 6),
            (TellingRule::MostHarmful, 7),
        ];
        assert_eq!(chosen, expected);
    }

    #[test]
    fn a_rule_that_no_window_meets_gives_none() {
        let safe = telling(&[row(0, 1.0, 6, 0.0)], 6, 1.0);
        assert_eq!(safe.len(), 2);
        let lost = telling(&[row(0, 0.1, 5, 0.0)], 6, 1.0);
        let rules: Vec<_> = lost.iter().map(|t| t.rule).collect();
        assert_eq!(rules, [TellingRule::MostHarmless, TellingRule::MostHarmful]);
    }
}
