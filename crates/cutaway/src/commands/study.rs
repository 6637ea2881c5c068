//! `cutaway study`: train or take a model, evaluate it, write the report.

use cutaway::Model;
use cutaway::data::Dataset;
use cutaway::explain;
use cutaway::report::{Report, number};
use cutaway::train::{Evaluation, TrainReport, evaluate};
use serde_json::json;

use crate::args::{Common, Study, Training};
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
}

pub(crate) fn run(verb: &Study, common: &Common) -> Result<()> {
    super::make_folder(&verb.out)?;
    let dataset = super::open_data(&verb.data.data, common)?;
    let findings = match &verb.model {
        Some(spec) => {
            let model = super::open_model(spec, common)?;
            cutaway::net::onnx::save(model.network(), verb.out.join("model.onnx"))?;
            let evaluation = evaluate(model.engine(), &dataset.test)?;
            Findings { model, dataset, training: None, evaluation }
        }
        None => trained(verb, common, dataset)?,
    };
    let results = results(&findings, common);
    write_files(verb, &findings, &results)?;
    let page = verb.out.join("index.html");
    report(verb, &findings)?.save(&page)?;
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
    let command = train::command("train", &verb.data.data, &training, common);
    let outcome = train_model(&dataset, &training, common, &verb.out, command.clone())?;
    let training = Some((outcome.report, command));
    Ok(Findings { model: outcome.model, dataset, training, evaluation: outcome.evaluation })
}

fn results(findings: &Findings, common: &Common) -> serde_json::Value {
    let Findings { model, dataset, training, evaluation } = findings;
    json!({
        "model": model.source(), "model_hash": model.network().hash(),
        "dataset": dataset.name, "dataset_hash": dataset.hash, "seed": common.seed,
        "network": cutaway::net::summary(model.network()),
        "training": training.as_ref().map(|(report, _)| report),
        "evaluation": evaluation
    })
}

fn write_files(verb: &Study, findings: &Findings, results: &serde_json::Value) -> Result<()> {
    let mut text = serde_json::to_vec_pretty(results).expect("results serialise");
    text.push(b'\n');
    super::write(&verb.out.join("results.json"), &text)?;
    let Findings { model, dataset, evaluation, .. } = findings;
    for (name, figure) in figures::of_evaluation(model, dataset, evaluation)? {
        figure.save_png(verb.out.join(format!("{name}.png")))?;
    }
    Ok(())
}

fn report(verb: &Study, findings: &Findings) -> Result<Report> {
    let Findings { model, dataset, training, evaluation } = findings;
    let summary = cutaway::net::summary(model.network());
    let path = match verb.model.as_deref() {
        Some("builtin") => "builtin".to_owned(),
        _ => verb.out.join("model.onnx").display().to_string(),
    };
    let ask = format!("--model {path}");
    let evaluate = format!("cutaway evaluate {ask} --data {}", verb.data.data);
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
        .chapter(chapters::network(model, &summary, &ask)?);
    if let Some((training, command)) = training {
        report = report.chapter(chapters::training(training, command)?);
    }
    report = report
        .chapter(chapters::evaluation(model, dataset, evaluation, &evaluate)?)
        .chapter(chapters::mistakes(model, dataset, evaluation, &evaluate)?);
    if let Some(layer) = explain::convolutions(model.network()).first() {
        let filters = explain::filters(model.network(), layer)?;
        report = report.chapter(chapters::filters(&filters, &ask)?);
    }
    report = report.chapter(chapters::rnn::study()?);
    Ok(report)
}
