//! `cutaway study`: train or take a model, evaluate it, look inside, break it, write the report.

use cutaway::Model;
use cutaway::data::Dataset;
use cutaway::net::Summary;
use cutaway::report::{Chapter, Report, number};
use cutaway::train::{Evaluation, TrainReport, evaluate};
use serde_json::{Value, json};

use super::attack::{self, StudyAttacks};
use super::corrupt::{self, StudyCorruptions};
use super::sequence;
use super::shift::{self, StudyShifts};
use super::study_windows::{self, WindowFindings};
use super::train::{self, train_model};
use crate::args::{Common, ModelArg, Study, Training};
use crate::chapters::Inside;
use crate::chapters::attribute::StudyAttributions;
use crate::chapters::published::Published;
use crate::chapters::visualise::StudyVisualisations;
use crate::error::Result;
use crate::{chapters, console, figures};

/// Epochs of a study that is not told: a few minutes on two cores.
const EPOCHS: u64 = 8;

/// A model with what its training and its evaluation gave.
struct Subject {
    model: Model,
    dataset: Dataset,
    training: Option<(TrainReport, String)>,
    evaluation: Evaluation,
}

/// What a study has found out about it.
struct Findings {
    inside: Inside,
    windows: Option<WindowFindings>,
    shifts: Option<StudyShifts>,
    corruptions: StudyCorruptions,
    sequence: sequence::Findings,
    attacks: StudyAttacks,
    attributions: Option<StudyAttributions>,
    visualisations: Option<StudyVisualisations>,
}

/// How commands under the figures name what was studied.
struct Spelling {
    /// `--model … --out …`
    model: String,
    /// `NAME|PATH`
    data: String,
    out: String,
    /// `--model … --out … --data … --seed …`: the seed draws `strokes`
    both: String,
    seed: u64,
}

pub(crate) fn run(verb: &Study, common: &Common) -> Result<()> {
    let dataset = super::open_data(&verb.data.data, common)?;
    let subject = subject(verb, common, dataset)?;
    let findings = findings(&subject, common)?;
    let published = published(&subject, &findings);
    let results = results(&subject, &findings, &published, common);
    let page = verb.out.join("index.html");
    let report = report(verb, common, &subject, &findings, &published)?;
    write_files(verb, &subject, &results)?;
    report.save(&page)?;
    if common.json {
        return console::print_json(&results);
    }
    console::print(&format!(
        "Test accuracy {} ({} of {} wrong)\nReport: {}\n",
        number::percent(subject.evaluation.accuracy, 2),
        super::wrong(&subject.evaluation),
        subject.evaluation.count,
        page.display()
    ))
}

fn subject(verb: &Study, common: &Common, dataset: Dataset) -> Result<Subject> {
    let Some(spec) = &verb.model else { return trained(verb, common, dataset) };
    let model = super::open_model(&ModelArg::plain(spec), common)?;
    let evaluation = evaluate(model.engine(), &dataset.test)?;
    super::make_folder(&verb.out)?;
    cutaway::net::onnx::save(model.network(), verb.out.join("model.onnx"))?;
    Ok(Subject { model, dataset, training: None, evaluation })
}

fn trained(verb: &Study, common: &Common, dataset: Dataset) -> Result<Subject> {
    let epochs = verb.training.epochs.or(Some(EPOCHS));
    let training = Training { epochs, ..verb.training.clone() };
    let data = super::spelled(&verb.data.data, &dataset);
    let command = train::command("train", &data, &training, common);
    let outcome = train_model(&dataset, &training, common, &verb.out, command.clone())?;
    let (model, evaluation) = (outcome.model, outcome.evaluation);
    Ok(Subject { model, dataset, training: Some((outcome.report, command)), evaluation })
}

fn findings(subject: &Subject, common: &Common) -> Result<Findings> {
    let Subject { model, dataset, .. } = subject;
    Ok(Findings {
        inside: Inside::measure(model, dataset)?,
        windows: study_windows::run(model, dataset, common)?,
        shifts: shift::for_study(model, dataset, common)?,
        corruptions: corrupt::for_study(model, dataset, common)?,
        sequence: sequence::for_study(common)?,
        attacks: attack::for_study(model, dataset, common)?,
        attributions: StudyAttributions::measure(model, dataset, common)?,
        visualisations: StudyVisualisations::measure(model, dataset, common)?,
    })
}

/// The figures of the reference study beside ours: they are about MNIST.
fn published(subject: &Subject, findings: &Findings) -> Vec<Published> {
    if subject.dataset.name != "mnist" {
        return Vec::new();
    }
    let mut rows = vec![Published::new(
        "1 test accuracy",
        "99.42 %",
        number::percent(subject.evaluation.accuracy, 2),
        "Published without epochs and batch size.",
    )];
    rows.extend(findings.shifts.iter().flat_map(StudyShifts::published));
    rows.extend(findings.windows.iter().flat_map(|windows| windows.published(&subject.model)));
    rows
}

fn results(
    subject: &Subject,
    findings: &Findings,
    published: &[Published],
    common: &Common,
) -> Value {
    let Subject { model, dataset, training, evaluation } = subject;
    json!({
        "model": model.source(), "model_hash": model.network().hash(),
        "dataset": dataset.name, "dataset_hash": dataset.hash, "seed": common.seed,
        "network": cutaway::net::summary(model.network()),
        "training": training.as_ref().map(|(report, _)| report),
        "evaluation": evaluation,
        "inside": findings.inside.to_json(),
        "windows": findings.windows.as_ref().map(WindowFindings::results),
        "shift": findings.shifts.as_ref().map(|shifts| shifts.results(model, dataset, common)),
        "corrupt": findings.corruptions.results(model, dataset, common),
        "sequence": sequence::to_json(&findings.sequence, common.seed),
        "attack": findings.attacks.results(model, dataset, common),
        "attribute": findings.attributions.as_ref().map(StudyAttributions::results),
        "visualise": findings.visualisations.as_ref().map(|made| made.results(model)),
        "published": published
    })
}

fn write_files(verb: &Study, subject: &Subject, results: &Value) -> Result<()> {
    super::write_json(&verb.out.join("results.json"), results)?;
    let Subject { model, dataset, training, evaluation } = subject;
    let summary = cutaway::net::summary(model.network());
    figures::save(&verb.out, "network", &figures::network(model, &summary)?)?;
    if let Some((report, _)) = training {
        for (name, figure) in figures::of_training(&report.epochs)? {
            figures::save(&verb.out, name, &figure)?;
        }
    }
    super::evaluate::save(&verb.out, model, dataset, evaluation)
}

impl Spelling {
    fn new(verb: &Study, dataset: &Dataset, common: &Common) -> Spelling {
        let path = match verb.model.as_deref() {
            Some("builtin") => "builtin".to_owned(),
            _ => super::quoted(&verb.out.join("model.onnx").display().to_string()),
        };
        let seed = common.seed;
        let out = super::quoted(&verb.out.display().to_string());
        let data = super::spelled(&verb.data.data, dataset);
        let model = format!("--model {path} --out {out}");
        Spelling { both: format!("{model} --data {data} --seed {seed}"), model, data, out, seed }
    }
}

fn report(
    verb: &Study,
    common: &Common,
    subject: &Subject,
    findings: &Findings,
    published: &[Published],
) -> Result<Report> {
    let Subject { model, dataset, evaluation, .. } = subject;
    let summary = cutaway::net::summary(model.network());
    let ask = Spelling::new(verb, dataset, common);
    let lead = format!(
        "What {} learnt from the images of {}, how good it is, what it looks at and how it breaks. \
         Every number can be made again by the command under it.",
        summary.name, dataset.name
    );
    let report = Report::new("A look inside a neural network", lead)
        .key_figure(number::percent(evaluation.accuracy, 2), "test accuracy")
        .key_figure(super::wrong(evaluation).to_string(), "test images wrong")
        .key_figure(number::count(summary.total_params), "parameters")
        .key_figure(&dataset.name, "data set")
        .command(study_command(verb, subject, &ask));
    let mut chapters = of_subject(subject, &summary, &ask)?;
    chapters.extend(of_findings(subject, findings, &ask)?);
    if !published.is_empty() {
        chapters.push(chapters::published::chapter(published));
    }
    chapters.push(chapters::rnn::study(&ask.out)?);
    chapters.push(chapters::sequence::of(
        &findings.sequence,
        &sequence::study_command(common, &ask.out),
    )?);
    Ok(chapters.into_iter().fold(report, Report::chapter))
}

/// The command that makes the page again.
fn study_command(verb: &Study, subject: &Subject, ask: &Spelling) -> String {
    let Spelling { data, out, seed, .. } = ask;
    let how = match (&verb.model, &subject.training) {
        // The command of the training with another verb.
        (None, Some((_, command))) => {
            let flags = command.strip_prefix("cutaway train").unwrap_or_default();
            return format!("cutaway study{flags} --out {out}");
        }
        (model, _) => super::quoted(model.as_deref().unwrap_or("builtin")),
    };
    format!("cutaway study --model {how} --data {data} --out {out} --seed {seed}")
}

/// The network, its training, how good it is.
fn of_subject(subject: &Subject, summary: &Summary, ask: &Spelling) -> Result<Vec<Chapter>> {
    let Subject { model, dataset, training, evaluation } = subject;
    let mut all = vec![chapters::network(model, summary, &ask.model)?];
    if let Some((training, command)) = training {
        all.push(chapters::training(training, &format!("{command} --out {}", ask.out))?);
    }
    let evaluate = format!("cutaway evaluate {}", ask.both);
    all.push(chapters::evaluation(model, dataset, evaluation, &evaluate)?);
    all.push(chapters::mistakes(model, dataset, evaluation, &evaluate)?);
    Ok(all)
}

/// What it has inside, and how it breaks.
fn of_findings(subject: &Subject, findings: &Findings, ask: &Spelling) -> Result<Vec<Chapter>> {
    let Subject { model, dataset, .. } = subject;
    let data = format!("{} --seed {}", ask.data, ask.seed);
    let mut all = findings.inside.chapters(model, dataset, &ask.model, &data)?;
    if let Some(made) = &findings.visualisations {
        all.push(made.chapter(model, &ask.both)?);
    }
    if let Some(attributions) = &findings.attributions {
        all.push(attributions.chapter(model, &ask.both)?);
    }
    if let Some(shifts) = &findings.shifts {
        all.push(shifts.chapter(model, &ask.both)?);
    }
    if let Some(windows) = &findings.windows {
        all.extend(windows.chapters(model, &ask.both)?);
    }
    all.push(findings.corruptions.chapter(model, &ask.both)?);
    all.push(findings.attacks.chapter(model, &ask.both)?);
    Ok(all)
}
