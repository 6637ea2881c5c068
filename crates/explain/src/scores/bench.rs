//! Which method is best for a model: every method on many images, every score.

use ndarray::{ArrayView4, Axis};
use serde::Serialize;

use super::agreement::{spearman, top_intersection};
use super::{ScoreSettings, Scores, score};
use crate::Error;
use crate::attribution::{Method, Question, attribute};

/// Share of the pixels that are compared by [`top_intersection`].
const TOP: f64 = 0.1;

/// Methods compared on the same images.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Bench {
    /// One row a method, the best first.
    pub methods: Vec<BenchRow>,
    /// Number of images.
    pub images: usize,
    /// Rank correlation of each pair of methods, mean over the images, in the order of `names`.
    pub rank_correlation: Vec<Vec<f64>>,
    /// Share of the top tenth of the pixels that each pair has in common, mean over the images.
    pub top_intersection: Vec<Vec<f64>>,
    /// Names of the methods in the order in which they were asked.
    pub names: Vec<String>,
}

/// One method's scores.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct BenchRow {
    /// Its name.
    pub method: String,
    /// Its parameters.
    pub parameters: Method,
    /// Mean of its ranks (1 is best) by deletion, insertion, infidelity and ROAD.
    pub mean_rank: f64,
    /// Of each criterion in [`CRITERIA`]: mean, standard error of the mean, rank.
    pub criteria: Vec<Criterion>,
    /// Mean seconds an image.
    pub seconds: f64,
    /// The scores of each image.
    pub samples: Vec<Scores>,
}

/// A criterion's figures.
#[derive(Copy, Clone, Debug, PartialEq, Serialize)]
pub struct Criterion {
    /// Its name, one of [`CRITERIA`].
    pub name: &'static str,
    /// Mean over the images.
    pub mean: f64,
    /// Standard error of the mean; 0 for one image.
    pub standard_error: f64,
    /// 1 for the best method; equal means share a rank.
    pub rank: f64,
}

/// What methods are ranked by, and whether more is better. The last two do not count for the mean
/// rank: a map can be concentrated and wrong.
pub const CRITERIA: [(&str, bool); 6] = [
    ("deletion", false),
    ("insertion", true),
    ("infidelity", false),
    ("road", false),
    ("sparseness", true),
    ("complexity", false),
];

/// Criteria that count for the mean rank.
const COUNTED: usize = 4;

fn criterion(scores: &Scores, which: usize) -> f64 {
    match which {
        0 => scores.deletion.auc,
        1 => scores.insertion.auc,
        2 => scores.infidelity.scaled,
        3 => scores.road.iter().map(|p| p.probability).sum::<f64>() / scores.road.len() as f64,
        4 => scores.sparseness,
        _ => scores.complexity,
    }
}

/// Runs every method on every image `[N, C, H, W]`, each with its class, and ranks them. `progress`
/// hears of images done.
///
/// # Errors
/// As [`attribute`]; if there is no image or no method.
pub fn bench(
    question: &Question<'_>,
    images: ArrayView4<'_, f32>,
    classes: &[usize],
    methods: &[Method],
    settings: &ScoreSettings,
) -> Result<Bench, Error> {
    let count = images.shape()[0];
    if count == 0 || methods.is_empty() {
        return Err(Error::Setting("a bench needs an image and a method at least".to_owned()));
    }
    let mut samples: Vec<Vec<Scores>> = vec![Vec::new(); methods.len()];
    let mut seconds = vec![0.0; methods.len()];
    let square = vec![vec![0.0; methods.len()]; methods.len()];
    let (mut correlation, mut intersection) = (square.clone(), square);
    let quiet = Question { progress: &|_, _| (), ..question.clone() };
    for (i, (image, &class)) in images.outer_iter().zip(classes).enumerate() {
        let batch = image.insert_axis(Axis(0));
        let mut attributions = Vec::new();
        for (method, seconds) in methods.iter().zip(&mut seconds) {
            let own = attribute(&quiet, batch, &[class], method)?.remove(0);
            *seconds += own.seconds / count as f64;
            attributions.push(own);
        }
        for (own, scores) in
            samples.iter_mut().zip(score(&quiet, image, class, &attributions, settings)?)
        {
            own.push(scores);
        }
        let maps: Vec<Vec<f32>> = attributions.iter().map(|a| a.pixels()).collect();
        for (a, first) in maps.iter().enumerate() {
            for (b, second) in maps.iter().enumerate() {
                correlation[a][b] += spearman(first, second) / count as f64;
                intersection[a][b] += top_intersection(first, second, TOP) / count as f64;
            }
        }
        (question.progress)(i + 1, count);
    }
    let mut rows = ranked(methods, samples, &seconds);
    rows.sort_by(|a, b| a.mean_rank.total_cmp(&b.mean_rank));
    Ok(Bench {
        methods: rows,
        images: count,
        rank_correlation: correlation,
        top_intersection: intersection,
        names: methods.iter().map(|m| m.name().to_owned()).collect(),
    })
}

fn ranked(methods: &[Method], samples: Vec<Vec<Scores>>, seconds: &[f64]) -> Vec<BenchRow> {
    let figures: Vec<Vec<(f64, f64)>> =
        samples.iter().map(|own| (0..CRITERIA.len()).map(|c| mean_of(own, c)).collect()).collect();
    let rank = |method: usize, c: usize| {
        let better = |a: f64, b: f64| if CRITERIA[c].1 { a > b } else { a < b };
        let own = figures[method][c].0;
        let before = figures.iter().filter(|f| better(f[c].0, own)).count();
        let equal = figures.iter().filter(|f| f[c].0 == own).count();
        before as f64 + (equal as f64 + 1.0) / 2.0
    };
    let row = |(method, samples): (usize, Vec<Scores>)| {
        let criteria: Vec<Criterion> = (0..CRITERIA.len())
            .map(|c| {
                let (mean, standard_error) = figures[method][c];
                Criterion { name: CRITERIA[c].0, mean, standard_error, rank: rank(method, c) }
            })
            .collect();
        let mean_rank = criteria[..COUNTED].iter().map(|c| c.rank).sum::<f64>() / COUNTED as f64;
        BenchRow {
            method: methods[method].name().to_owned(),
            parameters: methods[method].clone(),
            mean_rank,
            criteria,
            seconds: seconds[method],
            samples,
        }
    };
    samples.into_iter().enumerate().map(row).collect()
}

/// Mean and standard error.
fn mean_of(samples: &[Scores], which: usize) -> (f64, f64) {
    let n = samples.len() as f64;
    let mean = samples.iter().map(|s| criterion(s, which)).sum::<f64>() / n;
    let squares = samples.iter().map(|s| (criterion(s, which) - mean).powi(2)).sum::<f64>();
    let error = if n > 1.0 { (squares / (n - 1.0) / n).sqrt() } else { 0.0 };
    (mean, error)
}
