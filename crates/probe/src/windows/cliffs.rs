//! Cliffs: neighbouring windows between which the answer falls.

use serde::Serialize;

use super::{WindowAnswer, Windows};

/// Cliffs that are kept.
const KEPT: usize = 10;

/// Two neighbouring windows, one stride apart to the right or down, with a fall of P(true).
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Cliff {
    /// Where P(true) is larger.
    pub from: CliffSide,
    /// Where it is smaller.
    pub to: CliffSide,
    /// P(true) at `from` less P(true) at `to`, above 0.
    pub drop: f32,
}

/// One side of a cliff.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CliffSide {
    /// Top row of the window.
    pub row: usize,
    /// Left column.
    pub col: usize,
    /// P(y = true | x).
    pub p_true: f32,
    /// The predicted class.
    pub predicted: usize,
    /// Its probability.
    pub p_predicted: f32,
}

/// The highest cliffs, at most ten; of equal ones the first in reading order.
pub(super) fn cliffs(rows: &[WindowAnswer], grid: &Windows) -> Vec<Cliff> {
    let mut all = Vec::new();
    for i in 0..rows.len() {
        if (i + 1) % grid.cols != 0 {
            all.extend(between(&rows[i], &rows[i + 1]));
        }
        if let Some(below) = rows.get(i + grid.cols) {
            all.extend(between(&rows[i], below));
        }
    }
    all.sort_by(|a, b| b.drop.total_cmp(&a.drop));
    all.truncate(KEPT);
    all
}

fn between(a: &WindowAnswer, b: &WindowAnswer) -> Option<Cliff> {
    let (from, to) = if a.p_true >= b.p_true { (a, b) } else { (b, a) };
    let drop = from.p_true - to.p_true;
    let side = |&WindowAnswer { row, col, p_true, predicted, p_predicted, .. }: &WindowAnswer| {
        CliffSide { row, col, p_true, predicted, p_predicted }
    };
    (drop > 0.0).then(|| Cliff { from: side(from), to: side(to), drop })
}

#[cfg(test)]
mod tests {
    use super::super::Size;
    use super::*;

    fn map(p: &[f32], cols: usize) -> Vec<Cliff> {
        let image = Size { height: p.len() / cols, width: cols };
        let grid = Windows::new(image, Size::square(1), 1).unwrap();
        let rows = p.iter().enumerate().map(|(i, &p_true)| {
            let (row, col) = grid.place(i);
            let probabilities = Vec::new();
            let (predicted, p_predicted, change) = (0, p_true, 0.0);
            WindowAnswer { row, col, p_true, predicted, p_predicted, change, probabilities }
        });
        cliffs(&rows.collect::<Vec<_>>(), &grid)
    }

    #[test]
    fn cliffs_go_down_in_every_direction_and_never_around_the_edge() {
        // The 0.0 at the end of the first row and the 1.0 at the start of the second are no
        // neighbours.
        #[rustfmt::skip]
        let found = map(&[
            0.5, 0.3, 0.0,
            1.0, 0.3, 0.1,
        ], 3);
        let place = |side: &CliffSide| (side.row, side.col);
        let found: Vec<_> = found.iter().map(|c| (place(&c.from), place(&c.to))).collect();
        assert_eq!(found[0], ((1, 0), (1, 1)));
        assert_eq!(found[1], ((1, 0), (0, 0)));
        assert_eq!(found[2], ((0, 1), (0, 2)));
        assert!(!found.contains(&((1, 0), (0, 2))));
        assert!(!found.contains(&((0, 1), (1, 1))), "equal neighbours are no cliff");
        assert_eq!(found.len(), 6);
    }

    #[test]
    fn an_even_map_has_none() {
        assert_eq!(map(&[1.0; 9], 3), []);
    }
}
