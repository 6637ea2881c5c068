//! Leaves out proteins that are much like another, so that a test is no test of memory.
//!
//! **Similar** are two proteins whose best local alignment (BLOSUM62, gaps 11 + 1) has as many identities as
//! [`identity`](Similarity::identity) of the *shorter* one's residues, and a score of at least 50, which keeps short
//! peptides from being similar by chance. A fragment of another protein is similar to it; two proteins that share one
//! domain of many are not.
//!
//! **Greedy clustering** (as CD-HIT, Li and Godzik 2006): proteins are taken longest first; one that is similar to a protein kept
//! before is left out, else it is kept. Of equal length the one first in the alphabet (by residues, then class, then name) comes
//! first, so that what is kept does not depend on the order of the files.
//!
//! **To find candidates** without aligning all pairs: words of four residues (not of one or two kinds only) that both
//! have, extended along their diagonal as in BLAST (Altschul et al. 1990). Extensions of score 30 or more (of peptides 20 or
//! their length) that do not overlap, the better first, are summed for each pair. Of the kept proteins whose sum is at least
//! `1.5 · identity² · length` of the shorter one, the four with the largest are aligned, in a band of 32 diagonals on both
//! sides of the best extension and of those within 64 of it. What this misses was measured by aligning all pairs of a
//! sample: docs/sequences.md.
//!
//! **Contradictions**: a protein and its like of another class are often real relatives that went different ways; the longer is
//! kept as always. From [`contradiction`](Similarity::contradiction) identity on they are taken for one
//! protein with two labels, and neither is kept.

use std::cmp::Reverse;
use std::ops::{Range, RangeInclusive};

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::align::{align, extend};
use super::alphabet::OTHER;
use super::{ClassCount, Inputs, PROTEIN, Sequences, Targets};
use crate::{Error, Result};

/// Residues of a word.
const WORD: usize = 4;
const WORDS: usize = 20_usize.pow(WORD as u32);
/// An alignment below this may be chance.
const MIN_SCORE: i64 = 50;
/// An extension below this is not counted, but of peptides.
const MIN_EXTENSION: usize = 30;
/// Diagonals on both sides of an extension that an alignment may use ...
const MARGIN: isize = 32;
/// ... and how far from the best extension's others are looked at.
const NEAR: isize = 64;
/// Kept proteins that one protein is aligned with.
const MAX_ALIGNED: usize = 4;
/// Proteins compared at a time with all that are kept; any number gives the same result.
const BLOCK: usize = 128;

/// What is too similar.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Similarity {
    /// Share of the shorter protein's residues that are identical in the alignment, from 0.3 to 1; 0.4 by default.
    pub identity: f64,
    /// From here on, proteins of different classes are contradictions; 0.9 by default. Above 1: none are.
    pub contradiction: f64,
}

impl Default for Similarity {
    fn default() -> Self {
        Self { identity: 0.4, contradiction: 0.9 }
    }
}

/// What was left out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SimilarityReport {
    /// What was too similar.
    pub similarity: Similarity,
    /// Proteins before.
    pub before: usize,
    /// Proteins kept.
    pub kept: usize,
    /// Those kept, a class each.
    pub classes: Vec<ClassCount>,
    /// Left out for a longer one of the same class.
    pub same_class: usize,
    /// Left out for a longer one of another class.
    pub other_class: usize,
    /// Left out as contradictions, the longer ones with them.
    pub contradictory: usize,
}

/// The numbers, ascending, of the proteins that are kept, and what was left out: greedy clustering, the longest first, by
/// identities of local alignments (BLOSUM62). `docs/sequences.md` says how, and what it misses.
/// [`Sequences::select`] gives what is kept.
///
/// # Errors
/// [`Error::Invalid`] for sequences that are no proteins with classes, an identity that is not from 0.3 to 1 (below that,
/// alignments tell nothing), and where a class would have nothing left.
pub fn remove_similar(
    sequences: &Sequences,
    similarity: &Similarity,
) -> Result<(Vec<usize>, SimilarityReport)> {
    let (proteins, names, labels) = parts(sequences)?;
    if !(0.3..=1.0).contains(&similarity.identity) || similarity.contradiction.is_nan() {
        return Err(Error::Invalid(format!(
            "proteins are similar from an identity between 0.3 and 1 on, not {}",
            similarity.identity
        )));
    }
    let mut order: Vec<usize> = (0..proteins.len()).collect();
    order.sort_by_key(|&i| {
        (Reverse(proteins[i].len()), &proteins[i], &names[labels[i]], &sequences.ids[i])
    });
    let mut clusters = Clusters::new(proteins, labels, *similarity);
    order.chunks(BLOCK).for_each(|block| clusters.add(block));
    let (kept, mut report) = clusters.finish();
    for (class, name) in names.iter().enumerate() {
        let count = kept.iter().filter(|&&i| labels[i] == class).count();
        if count == 0 {
            return Err(Error::Invalid(format!(
                "the class '{name}' has nothing left without similar proteins; raise the identity or \
                 leave the class out"
            )));
        }
        report.classes.push(ClassCount { class: name.clone(), count });
    }
    Ok((kept, report))
}

/// Residues, names of classes, labels.
type Labelled<'a> = (&'a [Vec<u8>], &'a [String], &'a [usize]);

fn parts(sequences: &Sequences) -> Result<Labelled<'_>> {
    match (&sequences.inputs, &sequences.targets) {
        (Inputs::Symbols { alphabet, sequences }, Targets::Classes { names, labels })
            if alphabet[..] == PROTEIN =>
        {
            Ok((sequences, names, labels))
        }
        _ => Err(Error::Invalid(format!(
            "'{}' has no proteins with classes, and only such can be compared",
            sequences.name
        ))),
    }
}

/// Why a protein is left out.
#[derive(Clone, Copy)]
struct Like {
    /// Which kept protein it is like.
    kept: usize,
    identity: f64,
}

struct Clusters<'a> {
    proteins: &'a [Vec<u8>],
    labels: &'a [usize],
    similarity: Similarity,
    index: Index,
    kept: Vec<usize>,
    /// Kept proteins that have their like in another class.
    contradicted: Vec<bool>,
    report: SimilarityReport,
}

impl<'a> Clusters<'a> {
    fn new(proteins: &'a [Vec<u8>], labels: &'a [usize], similarity: Similarity) -> Self {
        let report = SimilarityReport {
            similarity,
            before: proteins.len(),
            kept: 0,
            classes: Vec::new(),
            same_class: 0,
            other_class: 0,
            contradictory: 0,
        };
        let contradicted = vec![false; proteins.len()];
        let (index, kept) = (Index::new(), Vec::new());
        Self { proteins, labels, similarity, index, kept, contradicted, report }
    }

    /// Compares a block, in parallel, with all that were kept before it, then what is left of it with each other.
    fn add(&mut self, block: &[usize]) {
        let (this, index) = (&*self, &self.index);
        let found: Vec<_> = block.par_iter().map(|&protein| this.find(index, protein)).collect();
        let mut of_block = Index::new();
        for (&protein, found) in block.iter().zip(found) {
            match found.or_else(|| self.find(&of_block, protein)) {
                Some(like) => self.leave_out(protein, like),
                None => {
                    of_block.add(protein, &self.proteins[protein]);
                    self.kept.push(protein);
                }
            }
        }
        self.index.append(of_block);
    }

    fn leave_out(&mut self, protein: usize, like: Like) {
        if self.labels[protein] == self.labels[like.kept] {
            self.report.same_class += 1;
        } else if like.identity < self.similarity.contradiction {
            self.report.other_class += 1;
        } else {
            self.report.contradictory += 1;
            self.contradicted[like.kept] = true;
        }
    }

    fn find(&self, index: &Index, protein: usize) -> Option<Like> {
        let residues = &self.proteins[protein];
        let least = (1.5 * self.similarity.identity.powi(2) * residues.len() as f64) as i32;
        let candidates =
            index.candidates(residues, self.proteins, least.max(min_extension(residues.len())));
        candidates.into_iter().find_map(|Candidate { protein: kept, band, .. }| {
            let alignment = align(residues, &self.proteins[kept], band);
            let identity = alignment.identities as f64 / residues.len() as f64;
            let similar = identity >= self.similarity.identity && alignment.score >= MIN_SCORE;
            similar.then_some(Like { kept, identity })
        })
    }

    fn finish(mut self) -> (Vec<usize>, SimilarityReport) {
        let before = self.kept.len();
        self.kept.retain(|&protein| !self.contradicted[protein]);
        self.kept.sort_unstable();
        self.report.contradictory += before - self.kept.len();
        self.report.kept = self.kept.len();
        (self.kept, self.report)
    }
}

/// Where every word stands in the proteins kept.
struct Index {
    /// Protein and position, a list a word.
    places: Vec<Vec<(u32, u32)>>,
}

impl Index {
    fn new() -> Self {
        Self { places: vec![Vec::new(); WORDS] }
    }

    fn add(&mut self, protein: usize, residues: &[u8]) {
        for (at, word) in words(residues) {
            self.places[word].push((protein as u32, at as u32));
        }
    }

    fn append(&mut self, other: Self) {
        for (mine, mut others) in self.places.iter_mut().zip(other.places) {
            mine.append(&mut others);
        }
    }

    /// The proteins that may be like `residues`, the likeliest first.
    fn candidates(&self, residues: &[u8], proteins: &[Vec<u8>], least: i32) -> Vec<Candidate> {
        let mut candidates: Vec<Candidate> = self
            .hits(residues, proteins.len())
            .filter_map(|(protein, hits)| extended(protein, &hits, residues, &proteins[protein]))
            .filter(|candidate| candidate.sum >= least)
            .collect();
        // Of equal sums the first in the order in which proteins are compared, not in the files'.
        candidates.sort_by_key(|&Candidate { sum, protein, .. }| {
            (Reverse(sum), Reverse(proteins[protein].len()), &proteins[protein])
        });
        candidates.truncate(MAX_ALIGNED);
        candidates
    }

    /// The words that `residues` share with each protein, those of one diagonal one after the other. Put in order of the
    /// proteins by counting: there are tens of thousands, and nearly all are chance.
    fn hits(&self, residues: &[u8], proteins: usize) -> impl Iterator<Item = (usize, Vec<Hit>)> {
        let mut starts = vec![0_u32; proteins + 1];
        for (_, word) in words(residues) {
            self.places[word].iter().for_each(|&(protein, _)| starts[protein as usize + 1] += 1);
        }
        for protein in 0..proteins {
            starts[protein + 1] += starts[protein];
        }
        let mut next = starts.clone();
        let mut hits = vec![Hit::default(); starts[proteins] as usize];
        for (at, word) in words(residues) {
            for &(protein, place) in &self.places[word] {
                let slot = &mut next[protein as usize];
                let diagonal = place as i32 - at as i32;
                hits[*slot as usize] = Hit { diagonal, at: at as u32 };
                *slot += 1;
            }
        }
        (0..proteins).filter_map(move |protein| {
            let range = starts[protein] as usize..starts[protein + 1] as usize;
            let mut hits = hits.get(range).filter(|hits| !hits.is_empty())?.to_vec();
            hits.sort_unstable();
            Some((protein, hits))
        })
    }
}

/// A word that two proteins have.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Hit {
    /// Place in the protein kept less place in the other.
    diagonal: i32,
    at: u32,
}

struct Candidate {
    protein: usize,
    /// Of the scores of the extensions.
    sum: i32,
    /// Where an alignment is looked for.
    band: RangeInclusive<isize>,
}

/// An extension of less is not counted; of a peptide there is not more to be had.
fn min_extension(length: usize) -> i32 {
    length.clamp(20, MIN_EXTENSION) as i32
}

/// Extends the hits in one protein; none where no extension counts.
fn extended(protein: usize, hits: &[Hit], residues: &[u8], other: &[u8]) -> Option<Candidate> {
    let mut extensions: Vec<(Reverse<i32>, isize, Range<usize>)> = Vec::new();
    let mut until = (0, 0);
    for &Hit { diagonal, at } in hits {
        // Within what was just extended.
        let (at, place) = (at as usize, (diagonal + at as i32) as usize);
        if until.0 == diagonal && at < until.1 {
            continue;
        }
        let (score, part) = extend(residues, other, at, place, WORD);
        until = (diagonal, part.end);
        if score >= min_extension(residues.len()) {
            extensions.push((Reverse(score), diagonal as isize, part));
        }
    }
    // A repeat is extended along many diagonals, and would count many times.
    extensions.sort_by_key(|(score, diagonal, part)| (*score, *diagonal, part.start));
    let best = extensions.first()?.1;
    let (mut sum, mut first, mut last) = (0, best, best);
    let mut counted: Vec<Range<usize>> = Vec::new();
    for (Reverse(score), diagonal, part) in extensions {
        if counted.iter().any(|other| part.start < other.end && other.start < part.end) {
            continue;
        }
        counted.push(part);
        sum += score;
        if (diagonal - best).abs() <= NEAR {
            (first, last) = (first.min(diagonal), last.max(diagonal));
        }
    }
    Some(Candidate { protein, sum, band: first - MARGIN..=last + MARGIN })
}

/// The words of a protein with their places. Left out: what has an `X`, and what has one or two kinds of residue, which
/// stand for a composition rather than a relation.
fn words(residues: &[u8]) -> impl Iterator<Item = (usize, usize)> {
    residues.windows(WORD).enumerate().filter_map(|(at, word)| {
        let kinds = (0..WORD).filter(|&i| !word[..i].contains(&word[i])).count();
        let good = kinds > 2 && !word.contains(&OTHER);
        good.then(|| (at, word.iter().fold(0, |number, &r| 20 * number + r as usize)))
    })
}

#[cfg(test)]
#[path = "similar_tests.rs"]
mod tests;
