//! `cutaway study`: train or take a model, evaluate it, write the report.

use cutaway::Model;
use cutaway::data::Dataset;
use cutaway::explain;
use cutaway::report::{Report, number};
use cutaway::train::{Evaluation, TrainReport, evaluate};
use serde_json::json;

use crate::args::{Common, Study, Training};
use crate::chapters::published::Published;
use crate::commands::study_windows::{self, WindowFindings};
use crate::commands::train::{self, train_model};
use crate::error::Result;
use crate::{chapters, console, figures};

/// Epochs of a study that is not told: a few minutes on two cores.
const EPOCHS: u64 = 8;

/// What a study has found.
struct Findings {
    model: Model,
    dataset: Dataset,
    training: Option<(TrainReport, String)>,
    evaluation: Evaluation,
    windows: Option<WindowFindings>,
}

pub(crate) fn run(verb: &Study, common: &Common) -> Result<()> {
    let dataset = super::open_data(&verb.data.data, common)?;
    let findings = match &verb.model {
        Some(spec) => {
            let model = super::open_model(spec, common)?;
            let evaluation = evaluate(model.engine(), &dataset.test)?;
            super::make_folder(&verb.out)?;
            cutaway::net::onnx::save(model.network(), verb.out.join("model.onnx"))?;
            Findings { model, dataset, training: None, evaluation, windows: None }
        }
        None => trained(verb, common, dataset)?,
    };
    let findings = Findings {
        windows: study_windows::run(&findings.model, &findings.dataset, common)?,
        ..findings
    };
    let results = results(&findings, common);
    write_files(verb, &findings, &results)?;
    let page = verb.out.join("index.html");
    report(verb, &findings, common)?.save(&page)?;
    if common.json {
        return console::print_json(&results);
    }
    console::print(&format!(
        "Test accuracy {} ({} of {} wrong)\nReport: {}\n",
        number::percent(findings.evaluation.accuracy, 2),
        super::wrong(&findings.evaluation),
        findings.evaluation.count,
        page.display()
    ))
}

fn trained(verb: &Study, common: &Common, dataset: Dataset) -> Result<Findings> {
    let epochs = verb.training.epochs.or(Some(EPOCHS));
    let training = Training { epochs, ..verb.training.clone() };
    let data = super::spelled(&verb.data.data, &dataset);
    let command = train::command("train", &data, &training, common);
    let outcome = train_model(&dataset, &training, common, &verb.out, command.clone())?;
    let training = Some((outcome.report, command));
    let (model, evaluation) = (outcome.model, outcome.evaluation);
    Ok(Findings { model, dataset, training, evaluation, windows: None })
}

fn results(findings: &Findings, common: &Common) -> serde_json::Value {
    let Findings { model, dataset, training, evaluation, windows } = findings;
    json!({
        "model": model.source(), "model_hash": model.network().hash(),
        "dataset": dataset.name, "dataset_hash": dataset.hash, "seed": common.seed,
        "network": cutaway::net::summary(model.network()),
        "training": training.as_ref().map(|(report, _)| report),
        "evaluation": evaluation,
        "windows": windows.as_ref().map(WindowFindings::results),
        "published": published(findings)
    })
}

/// The figures of the reference study beside ours: they are about MNIST.
fn published(findings: &Findings) -> Vec<Published> {
    let Findings { model, dataset, evaluation, windows, .. } = findings;
    if dataset.name != "mnist" {
        return Vec::new();
    }
    let mut rows = vec![Published::new(
        "1 test accuracy",
        "99.42 %",
        number::percent(evaluation.accuracy, 2),
        "Published without epochs and batch size.",
    )];
    rows.extend(windows.iter().flat_map(|windows| windows.published(model)));
    rows
}

fn write_files(verb: &Study, findings: &Findings, results: &serde_json::Value) -> Result<()> {
    super::write_json(&verb.out.join("results.json"), results)?;
    let Findings { model, dataset, training, evaluation, .. } = findings;
    let summary = cutaway::net::summary(model.network());
    figures::save(&verb.out, "network", &figures::network(model, &summary)?)?;
    if let Some((report, _)) = training {
        for (name, figure) in figures::of_training(&report.epochs)? {
            figures::save(&verb.out, name, &figure)?;
        }
    }
    super::evaluate::save(&verb.out, model, dataset, evaluation)
}

fn report(verb: &Study, findings: &Findings, common: &Common) -> Result<Report> {
    let Findings { model, dataset, training, evaluation, windows } = findings;
    let summary = cutaway::net::summary(model.network());
    let path = match verb.model.as_deref() {
        Some("builtin") => "builtin".to_owned(),
        _ => super::quoted(&verb.out.join("model.onnx").display().to_string()),
    };
    let out = super::quoted(&verb.out.display().to_string());
    let ask = format!("--model {path}");
    let data = super::spelled(&verb.data.data, dataset);
    let evaluate =
        format!("cutaway evaluate {ask} --data {data} --seed {} --out {out}", common.seed);
    let lead = format!(
        "What {} learnt from the images of {}, how good it is and where it fails. Every number \
         can be made again by the command under it.",
        summary.name, dataset.name
    );
    let mut report = Report::new("A look inside a neural network", lead)
        .key_figure(number::percent(evaluation.accuracy, 2), "test accuracy")
        .key_figure(super::wrong(evaluation).to_string(), "test images wrong")
        .key_figure(number::count(summary.total_params), "parameters")
        .key_figure(&dataset.name, "data set")
        .chapter(chapters::network(model, &summary, &format!("{ask} --out {out}"))?);
    if let Some((training, command)) = training {
        report = report.chapter(chapters::training(training, command)?);
    }
    report = report
        .chapter(chapters::evaluation(model, dataset, evaluation, &evaluate)?)
        .chapter(chapters::mistakes(model, dataset, evaluation, &evaluate)?);
    if let Some(layer) = explain::convolutions(model.network()).first() {
        let filters = explain::filters(model.network(), layer)?;
        report = report.chapter(chapters::filters(&filters, &format!("{ask} --out {out}"))?);
    }
    if let Some(windows) = windows {
        for chapter in
            windows.chapters(model, &format!("{ask} --data {data} --seed {}", common.seed))?
        {
            report = report.chapter(chapter);
        }
    }
    let published = published(findings);
    if !published.is_empty() {
        report = report.chapter(chapters::published::chapter(&published));
    }
    Ok(report)
}
