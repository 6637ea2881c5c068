//! How alike two proteins are: local alignment, and the extension of a hit along its diagonal.

use std::ops::{Range, RangeInclusive};

use super::alphabet::OTHER;

/// Cost of a gap's first residue and of every further one, as in BLAST's default (existence 11, extension 1).
const GAP_OPEN: i64 = 12;
const GAP_EXTEND: i64 = 1;
/// An extension ends where it has fallen this far below its best.
const DROP: i32 = 12;
/// A cell holds the score in its upper and the number of identities in its lower half: the better score wins, and of equal
/// scores the one with more identities.
const SCORE: i64 = 1 << 32;

/// BLOSUM62 (Henikoff and Henikoff 1992) in the order of `PROTEIN`.
#[rustfmt::skip]
const BLOSUM62: [[i8; 21]; 21] = [
    [4, 0, -2, -1, -2, 0, -2, -1, -1, -1, -1, -2, -1, -1, -1, 1, 0, 0, -3, -2, 0],
    [0, 9, -3, -4, -2, -3, -3, -1, -3, -1, -1, -3, -3, -3, -3, -1, -1, -1, -2, -2, -2],
    [-2, -3, 6, 2, -3, -1, -1, -3, -1, -4, -3, 1, -1, 0, -2, 0, -1, -3, -4, -3, -1],
    [-1, -4, 2, 5, -3, -2, 0, -3, 1, -3, -2, 0, -1, 2, 0, 0, -1, -2, -3, -2, -1],
    [-2, -2, -3, -3, 6, -3, -1, 0, -3, 0, 0, -3, -4, -3, -3, -2, -2, -1, 1, 3, -1],
    [0, -3, -1, -2, -3, 6, -2, -4, -2, -4, -3, 0, -2, -2, -2, 0, -2, -3, -2, -3, -1],
    [-2, -3, -1, 0, -1, -2, 8, -3, -1, -3, -2, 1, -2, 0, 0, -1, -2, -3, -2, 2, -1],
    [-1, -1, -3, -3, 0, -4, -3, 4, -3, 2, 1, -3, -3, -3, -3, -2, -1, 3, -3, -1, -1],
    [-1, -3, -1, 1, -3, -2, -1, -3, 5, -2, -1, 0, -1, 1, 2, 0, -1, -2, -3, -2, -1],
    [-1, -1, -4, -3, 0, -4, -3, 2, -2, 4, 2, -3, -3, -2, -2, -2, -1, 1, -2, -1, -1],
    [-1, -1, -3, -2, 0, -3, -2, 1, -1, 2, 5, -2, -2, 0, -1, -1, -1, 1, -1, -1, -1],
    [-2, -3, 1, 0, -3, 0, 1, -3, 0, -3, -2, 6, -2, 0, 0, 1, 0, -3, -4, -2, -1],
    [-1, -3, -1, -1, -4, -2, -2, -3, -1, -3, -2, -2, 7, -1, -2, -1, -1, -2, -4, -3, -2],
    [-1, -3, 0, 2, -3, -2, 0, -3, 1, -2, 0, 0, -1, 5, 1, 0, -1, -2, -2, -1, -1],
    [-1, -3, -2, 0, -3, -2, 0, -3, 2, -2, -1, 0, -2, 1, 5, -1, -1, -3, -3, -2, -1],
    [1, -1, 0, 0, -2, 0, -1, -2, 0, -2, -1, 1, -1, 0, -1, 4, 1, -2, -3, -2, 0],
    [0, -1, -1, -1, -2, -2, -2, -1, -1, -1, -1, 0, -1, -1, -1, 1, 5, 0, -2, -2, 0],
    [0, -1, -3, -2, -1, -3, -3, 3, -2, 1, 1, -3, -2, -2, -3, -2, 0, 4, -3, -1, -1],
    [-3, -2, -4, -3, 1, -2, -2, -3, -3, -2, -1, -4, -4, -2, -3, -3, -2, -3, 11, 2, -2],
    [-2, -2, -3, -2, 3, -3, 2, -1, -2, -1, -1, -2, -3, -1, -2, -2, -2, -1, 2, 7, -1],
    [0, -2, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -2, -1, -1, 0, 0, -1, -2, -1, -1],
];

/// The best local alignment of two proteins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Alignment {
    pub(super) score: i64,
    /// Pairs of equal residues in it; `X` equals nothing.
    pub(super) identities: usize,
}

/// Smith and Waterman (1981) with affine gaps (Gotoh 1982), of pairs `a[i]`, `b[j]` with `j - i` in `band` only: as many steps
/// as `a` is long times the band is wide. Of several best alignments one with the most identities.
pub(super) fn align(a: &[u8], b: &[u8], band: RangeInclusive<isize>) -> Alignment {
    const NONE: i64 = i64::MIN / 2;
    // All diagonals there are.
    let first = (*band.start()).max(-(a.len() as isize));
    let last = (*band.end()).min(b.len() as isize);
    let width = usize::try_from(last - first + 1).unwrap_or(0);
    // By diagonal: best up to here, and best that ends with a gap in `b`, of the row before. The neighbour above lies a
    // diagonal further, and there is one more than in the band, where nothing ever is.
    let mut row = vec![(0_i64, NONE); width + 1];
    let mut best = 0;
    for (i, &x) in a.iter().enumerate() {
        let scores = scores(x);
        let start = i as isize + first;
        let skipped = start.min(0).unsigned_abs();
        let columns = b.get(start.max(0) as usize..).unwrap_or(&[]);
        let (mut left, mut gap) = (0, NONE);
        for (k, &y) in (skipped..width).zip(columns) {
            let (above, gap_above) = row[k + 1];
            gap = (gap - GAP_EXTEND * SCORE).max(left - GAP_OPEN * SCORE);
            let gap_above = (gap_above - GAP_EXTEND * SCORE).max(above - GAP_OPEN * SCORE);
            let cell = (row[k].0 + scores[y as usize]).max(gap).max(gap_above);
            // An alignment of score 0 is none.
            left = if cell < SCORE { 0 } else { cell };
            row[k] = (left, gap_above);
            best = best.max(left);
        }
    }
    Alignment { score: best / SCORE, identities: (best % SCORE) as usize }
}

/// What pairing with `x` adds to a cell.
fn scores(x: u8) -> [i64; 21] {
    std::array::from_fn(|y| {
        let identity = y == x as usize && x != OTHER;
        i64::from(BLOSUM62[x as usize][y]) * SCORE + i64::from(identity)
    })
}

/// Extends a hit of `length` residues at `a[i]`, `b[j]` without gaps both ways (Altschul et al. 1990). Gives the score and
/// which part of `a` it covers.
pub(super) fn extend(a: &[u8], b: &[u8], i: usize, j: usize, length: usize) -> (i32, Range<usize>) {
    let score = |(&x, &y): (&u8, &u8)| i32::from(BLOSUM62[x as usize][y as usize]);
    let hit: i32 = a[i..i + length].iter().zip(&b[j..j + length]).map(score).sum();
    let (right, after) = best_run(a[i + length..].iter().zip(&b[j + length..]).map(score));
    let (left, before) = best_run(a[..i].iter().rev().zip(b[..j].iter().rev()).map(score));
    (left + hit + right, i - before..i + length + after)
}

/// The largest sum of a beginning, and how long that is.
fn best_run(scores: impl Iterator<Item = i32>) -> (i32, usize) {
    let (mut sum, mut best, mut length) = (0, 0, 0);
    for (at, score) in scores.enumerate() {
        sum += score;
        if sum > best {
            (best, length) = (sum, at + 1);
        } else if sum < best - DROP {
            break;
        }
    }
    (best, length)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;
    use crate::sequences::PROTEIN;

    const ALL: RangeInclusive<isize> = isize::MIN..=isize::MAX;

    fn protein(text: &str) -> Vec<u8> {
        text.chars().map(|c| PROTEIN.iter().position(|&p| p == c).unwrap() as u8).collect()
    }

    #[test]
    fn the_matrix_is_symmetric_and_nothing_is_likelier_than_identity() {
        for (a, row) in BLOSUM62.iter().enumerate() {
            for (b, &score) in row.iter().enumerate() {
                assert_eq!(score, BLOSUM62[b][a]);
                assert!(a == 20 || b == a || score < row[a]);
            }
        }
        let total: i32 = BLOSUM62.iter().flatten().map(|&score| i32::from(score)).sum();
        assert_eq!(total, -467);
    }

    /// All optimal local alignments by plain recursion over every pair of positions, cubic.
    fn slow(a: &[u8], b: &[u8]) -> (i64, i64) {
        let cost = |gap: usize| GAP_OPEN + GAP_EXTEND * (gap as i64 - 1);
        // Best alignment that ends with the pair (i, j).
        let mut pairs = vec![vec![(0_i64, 0_i64); b.len()]; a.len()];
        let mut best = (0, 0);
        for i in 0..a.len() {
            for j in 0..b.len() {
                let mut before = (0, 0);
                for (p, row) in pairs[..i].iter().enumerate() {
                    for (q, &from) in row[..j].iter().enumerate() {
                        let (gap_a, gap_b) = (i - p - 1, j - q - 1);
                        let gaps = [gap_a, gap_b].map(|g| if g == 0 { 0 } else { cost(g) });
                        before = before.max((from.0 - gaps[0] - gaps[1], from.1));
                    }
                }
                let before = if before.0 <= 0 { (0, 0) } else { before };
                let score = i64::from(BLOSUM62[a[i] as usize][b[j] as usize]);
                pairs[i][j] =
                    (before.0 + score, before.1 + i64::from(a[i] == b[j] && a[i] != OTHER));
                best = best.max(pairs[i][j]);
            }
        }
        best
    }

    #[test]
    fn alignment_agrees_with_trying_every_gap() {
        let mut random = Random::new(1, 0);
        for round in 0..60 {
            let length = 5 + random.below(25);
            let a: Vec<u8> = (0..length).map(|_| random.below(21) as u8).collect();
            // Half of the pairs are related: changed, with a piece cut out.
            let mut b = a.clone();
            b.iter_mut().for_each(|r| {
                if random.unit() < if round % 2 == 0 { 0.3 } else { 1.0 } {
                    *r = random.below(21) as u8;
                }
            });
            let cut = random.below(b.len() - 2);
            b.drain(cut..cut + 2);
            let found = align(&a, &b, ALL);
            assert_eq!((found.score, found.identities as i64), slow(&a, &b));
        }
    }

    #[test]
    fn a_band_counts_what_lies_in_it_only() {
        let mut random = Random::new(2, 0);
        let a: Vec<u8> = (0..60).map(|_| random.below(20) as u8).collect();
        let b = [vec![5; 40], a.clone()].concat();
        let all = align(&a, &b, ALL);
        assert_eq!(all.identities, 60);
        assert_eq!(align(&a, &b, 40..=40), all);
        assert_eq!(align(&b, &a, -45..=-38), all);
        assert!(align(&a, &b, 30..=39).identities < 30);
        for (from, to) in [(200, 300), (-300, -200), (5, 4)] {
            let nowhere = from..=to;
            assert_eq!(align(&a, &b, nowhere).score, 0);
        }
    }

    #[test]
    fn equal_proteins_are_identical_throughout_and_order_does_not_matter() {
        let a = protein("MKVLLAXWWPEDDKRH");
        assert_eq!(align(&a, &a, ALL).identities, 15);
        let b = protein("AAVLLAWWPEDDDDDDD");
        assert_eq!(align(&a, &b, ALL), align(&b, &a, ALL));
        assert_eq!(align(&a, &[], ALL), Alignment { score: 0, identities: 0 });
    }

    #[test]
    fn a_hit_is_extended_as_far_as_it_pays() {
        let a = protein("GGGGWWWWKKKKPPPPPPPP");
        let b = protein("GGGGWWWWKKKKWWWWWWWW");
        // G 6, W 11, K 5 of themselves; P and W −4 of each other.
        assert_eq!(extend(&a, &b, 4, 4, 4), (4 * (6 + 11 + 5), 0..12));
    }
}
