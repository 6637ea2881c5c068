//! `cutaway attribute`.

mod bench;
mod budget;
mod choice;
mod folder;
mod output;

use std::time::Instant;

use cutaway::Model;
use cutaway::explain::attribution::{self, Attribution, Method, Question};
use cutaway::explain::scores::{self, Randomised, ScoreSettings, Scores};
use ndarray::{Array3, Array4};

pub(crate) use bench::{BENCH_HEAD, bench_rows, rank_on_first};
pub(crate) use budget::{Budget, Lowered};
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
    /// Counts that the budget lowered, told with the first image.
    pub(crate) lowered: Vec<Lowered>,
    /// One an attribution, where they were asked for.
    pub(crate) scores: Vec<Scores>,
    /// Of each attribution, one row a layer.
    pub(crate) randomised: Vec<Vec<Randomised>>,
}

pub(crate) fn run(verb: &args::Attribute, common: &Common) -> Result<()> {
    let model = super::open_model_on(&verb.model, &verb.samples, common)?;
    let methods = choice::methods(&model, verb)?;
    if verb.sensitivity > 0 && !verb.score && verb.bench.is_none() {
        return Err(Error::Usage("--sensitivity needs --score or --bench".to_owned()));
    }
    if verb.budget.is_some_and(|seconds| !(seconds > 0.0 && seconds.is_finite())) {
        return Err(Error::Usage("--budget takes a number of seconds above 0".to_owned()));
    }
    if let Some(count) = verb.bench {
        return bench::bench(&model, verb, common, methods, count);
    }
    let target =
        verb.target.as_deref().map(|name| classes::named(&model, "--target", name)).transpose()?;
    let named = verb.images.is_some()
        || !verb.samples.image.is_empty()
        || !verb.samples.sample.is_empty()
        || !verb.samples.digit.is_empty();
    // An image from a file needs no data set, unless a method was asked for that compares with one.
    let all = verb.method.iter().any(|name| name == "all");
    let given = verb.background.as_deref();
    let given = given.map(|folder| choice::background_in(&model, folder, verb)).transpose()?;
    let compares = methods.iter().any(|m| m.name() == "expected-gradients")
        && (!all || !named)
        && given.is_none();
    let default = [super::windows::default_class(&model, 8)];
    let default = if verb.images.is_some() { &[][..] } else { &default };
    let chosen = samples::choose(&model, &verb.samples, common, default, compares)?;
    let background = match (given, &chosen.dataset) {
        (Some(given), _) => Some(given),
        (None, Some(dataset)) => Some(background(&model, dataset)?),
        (None, None) => None,
    };
    let methods = match &background {
        None if all => choice::without_background(methods),
        _ => methods,
    };
    let images = match &verb.images {
        Some(folder) => cutaway::data::pictures_in(folder)?.len(),
        None => chosen.samples.len(),
    };
    let budget = Budget::given(verb, images);
    let mut ask = Asked { methods, skip: all, target, output: verb.output, background, budget };
    if let Some(folder) = &verb.images {
        return folder::run(&model, verb, common, folder, ask);
    }
    let meter = Meter::new("attributions", common);
    meter.total(ask.units(&model, common) * images);
    let mut explained = Vec::new();
    for sample in chosen.samples {
        explained.push(ask.explain_whole(&model, sample, &meter, verb, common)?);
    }
    drop(meter);
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
    /// What an image may take, until the first has divided it.
    pub(crate) budget: Option<Budget>,
}

/// What a bar counts for a method: evaluations, in forward passes, about.
fn units(method: &Method, question: &Question<'_>) -> usize {
    method.evaluations(question) * method.pass().weight()
}

impl Asked {
    /// What a bar counts for one image: evaluations, in forward passes, about.
    pub(crate) fn units(&self, model: &Model, common: &Common) -> usize {
        let question = self.question(model, common);
        self.methods.iter().map(|method| units(method, &question)).sum()
    }

    /// Asks every method about a sample. With a budget, the first one lowers the counts, for itself and
    /// all that follow.
    pub(crate) fn explain(
        &mut self,
        model: &Model,
        sample: Sample,
        meter: &Meter,
        common: &Common,
    ) -> Result<Explained> {
        let begun = Instant::now();
        let input = sample.input(model)?;
        let batch = stack(std::slice::from_ref(&input));
        let probabilities = model.engine().predict(batch.view())?;
        let probabilities = probabilities.row(0).to_vec();
        samples::say_if_flat(model, &sample, &probabilities)?;
        let predicted = samples::best(&probabilities);
        let class = self.target.unwrap_or(predicted.0);
        let mut lowered = Vec::new();
        let mut found = Vec::new();
        for i in self.order() {
            if let Some(budget) = self.budget.take_if(|budget| budget.lowers(&self.methods[i])) {
                let mut methods = self.methods.clone();
                let question = self.question(model, common);
                lowered = budget.divide(&mut methods, begun, &question, batch.view(), class)?;
                self.methods = methods;
            }
            let method = &self.methods[i];
            let question = self.question(model, common);
            let result = meter.part(method.name(), units(method, &question), |progress| {
                let question = Question { progress, ..question.clone() };
                attribution::attribute(&question, batch.view(), &[class], method)
            });
            found.push((i, result));
        }
        found.sort_by_key(|(i, _)| *i);
        let (mut attributions, mut skipped) = (Vec::new(), Vec::new());
        for (i, result) in found {
            let name = self.methods[i].name();
            match result {
                Ok(found) => attributions.extend(found),
                Err(error) if self.skip && leaves_out(&error) => {
                    console::say(&format!("note: {name} is left out: {error}"));
                    skipped.push((name.to_owned(), error.to_string()));
                }
                Err(error) => return Err(error.into()),
            }
        }
        let (scores, randomised) = (Vec::new(), Vec::new());
        Ok(Explained {
            sample,
            input,
            predicted,
            attributions,
            skipped,
            lowered,
            scores,
            randomised,
        })
    }

    /// [`Asked::explain`], with the scores and the redrawn layers that were asked for.
    fn explain_whole(
        &mut self,
        model: &Model,
        sample: Sample,
        meter: &Meter,
        verb: &args::Attribute,
        common: &Common,
    ) -> Result<Explained> {
        let mut one = self.explain(model, sample, meter, common)?;
        if verb.score {
            one.scores = self.score(model, &one, verb.sensitivity, common)?;
        }
        if verb.randomise {
            one.randomised = self.randomise(model, &one, common)?;
        }
        Ok(one)
    }

    /// The methods in the order in which they run: those that a budget lowers come last, when it is
    /// known what the others took.
    fn order(&self) -> Vec<usize> {
        let last =
            |i: usize| self.budget.as_ref().is_some_and(|budget| budget.lowers(&self.methods[i]));
        let mut order: Vec<usize> = (0..self.methods.len()).collect();
        order.sort_by_key(|&i| last(i));
        order
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
