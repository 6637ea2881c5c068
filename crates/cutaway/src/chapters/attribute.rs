//! Attributions in a study: the sheets of two images, and the methods ranked.

use cutaway::Model;
use cutaway::data::Dataset;
use cutaway::explain::attribution::{Method, Output, Question};
use cutaway::explain::scores::{Bench, BenchRow, ScoreSettings};
use cutaway::report::{Chapter, number};
use serde_json::{Value, json};

use crate::args::Common;
use crate::commands::attribute::{
    Asked, BENCH_HEAD, Explained, background, bench_rows, rank_on_first,
};
use crate::commands::maps::{two_classes, whose};
use crate::error::Result;
use crate::figures::attribute as figures;
use crate::meter::Meter;
use crate::samples;

/// Samples of the methods that draw some: a study is to stay short.
const DRAWN: usize = 300;
/// Images that the methods are ranked on.
const RANKED: usize = 5;

/// What a study has found out about attributions.
pub(crate) struct StudyAttributions {
    explained: Vec<Explained>,
    bench: Bench,
}

impl StudyAttributions {
    /// Asks every method; `None` where the network takes no images or none is recognised.
    pub(crate) fn measure(
        model: &Model,
        dataset: &Dataset,
        common: &Common,
    ) -> Result<Option<StudyAttributions>> {
        let network = model.network();
        let images = network.shape(network.input()).len() == 3;
        let scores = network.shape(network.logits())[1..].iter().all(|&size| size == 1);
        if !images || !scores || network.classes() != dataset.classes() {
            return Ok(None);
        }
        let classes = two_classes(model);
        let found: Vec<usize> = classes
            .iter()
            .filter_map(|&class| samples::first_correct(model, dataset, class).ok())
            .collect();
        if found.is_empty() {
            return Ok(None);
        }
        let background = background(model, dataset)?;
        let methods: Vec<Method> = methods(model);
        let settings = ScoreSettings::default();
        let question = Question {
            seed: common.seed,
            background: Some(background.view()),
            ..Question::new(model.engine())
        };
        let count = dataset.test.len().min(RANKED);
        let bench = rank_on_first(model, dataset, &methods, count, &question, &settings)?;
        let background = Some(background.clone());
        let (skip, target, output, budget) = (true, None, Output::Logit, None);
        let mut ask = Asked { methods, skip, target, output, background, budget };
        let quiet = Common { quiet: true, ..common.clone() };
        let meter = Meter::new("attributions", &quiet);
        let explain = |&index: &usize| {
            ask.explain(model, samples::from_test(dataset, index)?, &meter, &quiet)
        };
        let explained = found.iter().map(explain).collect::<Result<_>>()?;
        Ok(Some(StudyAttributions { explained, bench }))
    }

    /// The numbers, for `results.json`: without the maps themselves.
    pub(crate) fn results(&self) -> Value {
        let of = |one: &Explained| {
            let rows = one.attributions.iter().map(|a| {
                json!({
                    "method": a.method, "target": a.target.class, "sum": a.sum,
                    "expected_sum": a.expected_sum, "error": a.error,
                    "evaluations": a.evaluations, "seconds": a.seconds
                })
            });
            let rows: Vec<Value> = rows.collect();
            json!({ "sample": one.sample.index, "label": one.sample.label, "attributions": rows })
        };
        json!({ "images": self.explained.iter().map(of).collect::<Vec<_>>(), "bench": self.bench })
    }

    /// The chapter.
    pub(crate) fn chapter(&self, model: &Model, ask: &str) -> Result<Chapter> {
        let mut chapter = Chapter::new("What speaks for an answer").text(
            "An attribution says of every pixel how much it speaks for a class (red) or against \
             it (blue). The methods answer different questions, and their numbers have different \
             units: each map has a scale of its own.",
        );
        for one in &self.explained {
            let sample = one.sample.index.unwrap_or_default();
            chapter = chapter.figure(
                &figures::sheet(model, one, &whose(model, &one.sample))?,
                "The network’s input, and what each method makes of it for the predicted class.",
                &format!(
                    "cutaway attribute {ask} --sample {sample} --method all --samples {DRAWN}"
                ),
            );
        }
        let count = self.bench.images;
        let command =
            format!("cutaway attribute {ask} --bench {count} --method all --samples {DRAWN}");
        Ok(chapter
            .text(&sentences(&self.bench).join(" "))
            .figure(
                &figures::ranking(&self.bench)?,
                &format!("Mean rank of each method on the first {count} test images."),
                &command,
            )
            .table(&BENCH_HEAD, &bench_rows(&self.bench)))
    }
}

/// Every method, with fewer samples; without class activation maps where no layer has maps.
fn methods(model: &Model) -> Vec<Method> {
    let network = model.network();
    let convolution = |node: &cutaway::net::Node| node.op.kind() == "Conv";
    let maps = network.nodes().iter().any(convolution);
    let all = Method::NAMES.iter().filter(|name| maps || !name.contains("cam"));
    all.filter_map(|name| name.parse::<Method>().ok())
        .map(|mut method| {
            method.set_samples(DRAWN);
            method
        })
        .collect()
}

/// What the ranking says.
pub(crate) fn sentences(bench: &Bench) -> Vec<String> {
    let by = |which: usize| {
        let best = bench
            .methods
            .iter()
            .min_by(|a, b| a.criteria[which].rank.total_cmp(&b.criteria[which].rank));
        best.map_or("–", |row: &BenchRow| row.method.as_str())
    };
    let mut sentences = vec![format!(
        "Scored on the model itself: on {} by deletion {} is best, by insertion {}, by \
         infidelity {}, by ROAD {}.",
        images(bench.images),
        by(0),
        by(1),
        by(2),
        by(3)
    )];
    if let (Some(first), Some(last)) = (bench.methods.first(), bench.methods.last()) {
        sentences.push(format!(
            "By the mean of the four ranks {} comes first ({}) and {} last ({}).",
            first.method,
            number::fixed(first.mean_rank, 1),
            last.method,
            number::fixed(last.mean_rank, 1)
        ));
    }
    if bench.images < 30 {
        sentences.push("With so few images neighbours in the list may well change places.".into());
    }
    sentences
}

fn images(count: usize) -> String {
    if count == 1 { "one image".to_owned() } else { format!("{count} images") }
}
