//! `cutaway attribute`.

mod bench;
mod choice;
mod output;

use cutaway::Model;
use cutaway::explain::attribution::{self, Attribution, Method, Question};
use cutaway::explain::scores::{self, Randomised, ScoreSettings, Scores};
use ndarray::{Array3, Array4};

pub(crate) use bench::{BENCH_HEAD, bench_rows, rank_on_first};
pub(crate) use choice::background;

use super::classes;
use super::maps::stack;
use crate::args::{self, Common};
use crate::console;
use crate::error::{Error, Result};
use crate::meter::Meter;
use crate::samples::{self, Sample};

/// One image and what the methods say of it.
pub(crate) struct Explained {
    pub(crate) sample: Sample,
    pub(crate) input: Array3<f32>,
    /// The predicted class and its probability.
    pub(crate) predicted: (usize, f32),
    pub(crate) attributions: Vec<Attribution>,
    /// Methods that were left out, and why.
    pub(crate) skipped: Vec<(String, String)>,
    /// One an attribution, where they were asked for.
    pub(crate) scores: Vec<Scores>,
    /// Of each attribution, one row a layer.
    pub(crate) randomised: Vec<Vec<Randomised>>,
}

pub(crate) fn run(verb: &args::Attribute, common: &Common) -> Result<()> {
    let model = super::open_model(&verb.model, common)?;
    let methods = choice::methods(verb)?;
    if verb.sensitivity > 0 && !verb.score && verb.bench.is_none() {
        return Err(Error::Usage("--sensitivity needs --score or --bench".to_owned()));
    }
    if let Some(count) = verb.bench {
        return bench::bench(&model, verb, common, &methods, count);
    }
    let target =
        verb.target.as_deref().map(|name| classes::named(&model, "--target", name)).transpose()?;
    let named = !verb.samples.image.is_empty()
        || !verb.samples.sample.is_empty()
        || !verb.samples.digit.is_empty();
    // An image from a file needs no data set, unless a method was asked for that compares with one.
    let all = verb.method.iter().any(|name| name == "all");
    let compares = methods.iter().any(|m| m.name() == "expected-gradients") && (!all || !named);
    let default = [super::windows::default_class(&model, 8)];
    let chosen = samples::choose(&model, &verb.samples, common, &default, compares)?;
    let background = chosen.dataset.as_ref().map(|d| background(&model, d)).transpose()?;
    let methods = match &background {
        None if all => choice::without_background(methods),
        _ => methods,
    };
    let ask = Asked { methods, skip: all, target, output: verb.output, background };
    let mut explained = Vec::new();
    for sample in chosen.samples {
        let mut one = ask.explain(&model, sample, common)?;
        if verb.score {
            one.scores = ask.score(&model, &one, verb.sensitivity, common)?;
        }
        if verb.randomise {
            one.randomised = ask.randomise(&model, &one, common)?;
        }
        explained.push(one);
    }
    super::make_folder(&verb.out)?;
    let (files, arrays) = output::write(&model, &explained, verb)?;
    if common.json {
        let dataset = chosen.dataset.as_ref();
        return console::print_json(&output::to_json(
            &model, &explained, dataset, common, &files, &arrays,
        ));
    }
    let mut text: String = explained.iter().map(|one| output::describe(&model, one)).collect();
    for file in files.iter().chain(arrays.iter().flatten()) {
        text += &format!("file: {}\n", file.display());
    }
    console::print(&text)
}

/// What is asked of every image.
pub(crate) struct Asked {
    pub(crate) methods: Vec<Method>,
    /// Whether a method that cannot treat the network is left out, with a word, instead of an error.
    pub(crate) skip: bool,
    /// The class; `None` for the predicted one.
    pub(crate) target: Option<usize>,
    pub(crate) output: attribution::Output,
    pub(crate) background: Option<Array4<f32>>,
}

impl Asked {
    /// Asks every method about a sample.
    pub(crate) fn explain(
        &self,
        model: &Model,
        sample: Sample,
        common: &Common,
    ) -> Result<Explained> {
        let input = sample.input(model)?;
        let batch = stack(std::slice::from_ref(&input));
        let probabilities = model.engine().predict(batch.view())?;
        let predicted = samples::best(&probabilities.row(0).to_vec());
        let class = self.target.unwrap_or(predicted.0);
        let (mut attributions, mut skipped) = (Vec::new(), Vec::new());
        for method in &self.methods {
            let meter = Meter::new(method.name(), common);
            let found = meter.watch(|progress| {
                let question = Question {
                    output: self.output,
                    seed: common.seed,
                    background: self.background.as_ref().map(|images| images.view()),
                    progress,
                    ..Question::new(model.engine())
                };
                attribution::attribute(&question, batch.view(), &[class], method)
            });
            match found {
                Ok(found) => attributions.extend(found),
                Err(error) if self.skip && leaves_out(&error) => {
                    console::say(&format!("note: {} is left out: {error}", method.name()));
                    skipped.push((method.name().to_owned(), error.to_string()));
                }
                Err(error) => return Err(error.into()),
            }
        }
        let (scores, randomised) = (Vec::new(), Vec::new());
        Ok(Explained { sample, input, predicted, attributions, skipped, scores, randomised })
    }

    /// The question, without its progress.
    fn question<'a>(&'a self, model: &'a Model, common: &Common) -> Question<'a> {
        Question {
            output: self.output,
            seed: common.seed,
            background: self.background.as_ref().map(|images| images.view()),
            ..Question::new(model.engine())
        }
    }

    fn score(
        &self,
        model: &Model,
        one: &Explained,
        sensitivity_samples: usize,
        common: &Common,
    ) -> Result<Vec<Scores>> {
        let settings = ScoreSettings { sensitivity_samples, ..ScoreSettings::default() };
        let question = self.question(model, common);
        let class = self.target.unwrap_or(one.predicted.0);
        Ok(scores::score(&question, one.input.view(), class, &one.attributions, &settings)?)
    }

    fn randomise(
        &self,
        model: &Model,
        one: &Explained,
        common: &Common,
    ) -> Result<Vec<Vec<Randomised>>> {
        let question = self.question(model, common);
        let class = self.target.unwrap_or(one.predicted.0);
        let of = |method| scores::randomisation(&question, one.input.view(), class, method);
        one.attributions.iter().map(|one| Ok(of(&one.parameters)?)).collect()
    }
}

/// Whether an error says that a method cannot treat this network, whatever the image.
fn leaves_out(error: &cutaway::explain::Error) -> bool {
    use cutaway::explain::Error as Explain;
    matches!(error, Explain::Operator { .. } | Explain::NoMaps { .. } | Explain::NoNumber { .. })
}
