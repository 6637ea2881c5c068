//! `cutaway evaluate`.

use std::path::Path;

use cutaway::Model;
use cutaway::data::Dataset;
use cutaway::train::{Evaluation, evaluate};
use serde_json::json;

use crate::args::{Common, Evaluate};
use crate::commands::train::wrong;
use crate::error::Result;
use crate::{console, figures};

pub(crate) fn run(verb: &Evaluate, common: &Common) -> Result<()> {
    let model = super::open_model(&verb.model, common)?;
    let dataset = super::open_data_for(&model, &verb.data.data, common)?;
    let evaluation = evaluate(model.engine(), &dataset.test)?;
    let json = to_json(&model, &dataset, &evaluation, common.seed);
    if let Some(folder) = &verb.out {
        super::make_folder(folder)?;
        super::write_json(&folder.join("evaluation.json"), &json)?;
        save(folder, &model, &dataset, &evaluation)?;
    }
    if common.json {
        return console::print_json(&json);
    }
    print(&model, &dataset, &evaluation)?;
    match &verb.out {
        Some(folder) => console::print(&format!("figures and tables: {}\n", folder.display())),
        None => Ok(()),
    }
}

/// Writes the figures, and the tables as CSV.
pub(crate) fn save(
    folder: &Path,
    model: &Model,
    dataset: &Dataset,
    evaluation: &Evaluation,
) -> Result<()> {
    for (name, figure) in figures::of_evaluation(model, dataset, evaluation)? {
        figures::save(folder, name, &figure)?;
    }
    super::write(&folder.join("classes.csv"), classes_csv(model, evaluation).as_bytes())?;
    super::write(&folder.join("confusion.csv"), confusion_csv(model, evaluation).as_bytes())
}

/// The scores of every class; empty where there is none.
fn classes_csv(model: &Model, evaluation: &Evaluation) -> String {
    let share = |x: Option<f64>| x.map_or(String::new(), |x| x.to_string());
    let mut text = "class,images,precision,recall,f1\n".to_owned();
    for c in &evaluation.per_class {
        let (precision, recall, f1) = (share(c.precision), share(c.recall), share(c.f1));
        let class = csv_cell(&model.label(c.class));
        text += &format!("{class},{},{precision},{recall},{f1}\n", c.support);
    }
    text
}

/// Rows are true classes, columns predicted ones.
fn confusion_csv(model: &Model, evaluation: &Evaluation) -> String {
    let name = |class: usize| csv_cell(&model.label(class));
    let names: Vec<String> = (0..evaluation.confusion.len()).map(name).collect();
    let mut text = format!("true class,{}\n", names.join(","));
    for (name, row) in names.iter().zip(&evaluation.confusion) {
        let counts: Vec<String> = row.iter().map(ToString::to_string).collect();
        text += &format!("{name},{}\n", counts.join(","));
    }
    text
}

/// A text as a cell of a CSV file (RFC 4180).
fn csv_cell(text: &str) -> String {
    if text.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}

/// The documented object of `evaluate --json`.
pub(crate) fn to_json(
    model: &Model,
    dataset: &Dataset,
    evaluation: &Evaluation,
    seed: u64,
) -> serde_json::Value {
    let mut json = serde_json::to_value(evaluation).expect("results serialise");
    let object = json.as_object_mut().expect("a struct");
    object.insert("model".into(), json!(model.source()));
    object.insert("model_hash".into(), json!(model.network().hash()));
    object.insert("preprocessing".into(), json!(model.network().metadata().preprocessing));
    object.insert("dataset".into(), json!(dataset.name));
    object.insert("dataset_hash".into(), json!(dataset.hash));
    object.insert("labels".into(), json!(dataset.labels));
    object.insert("seed".into(), json!(seed));
    json
}

/// A class's name, short enough for a table.
fn name(model: &Model, class: usize) -> String {
    let label = model.label(class);
    match label.char_indices().nth(24) {
        Some((end, _)) => format!("{}…", &label[..end]),
        None => label,
    }
}

fn print(model: &Model, dataset: &Dataset, e: &Evaluation) -> Result<()> {
    let mut text = format!(
        "{} on the {} test images of {}\naccuracy {:.2} % ({} wrong)   loss {:.4}   expected \
         calibration error {:.4}\n\n",
        model.source(),
        e.count,
        dataset.name,
        100.0 * e.accuracy,
        wrong(e),
        e.loss,
        e.ece
    );
    let names: Vec<String> = (0..e.confusion.len()).map(|class| name(model, class)).collect();
    let widest = names.iter().map(|name| name.chars().count()).max().unwrap_or(0);
    let first = widest.max(5);
    text += &format!("{:<first$}   images   precision     recall         F1\n", "class");
    let percent = |x: Option<f64>| x.map_or("–".to_owned(), |x| format!("{:.2} %", 100.0 * x));
    for class in &e.per_class {
        text += &format!(
            "{:<first$}   {:>6}   {:>9}   {:>8}   {:>8}\n",
            names[class.class],
            class.support,
            percent(class.precision),
            percent(class.recall),
            percent(class.f1)
        );
    }
    text += "\nconfusion (rows: true class, columns: predicted, in the same order)\n";
    text += &" ".repeat(first);
    for (class, name) in names.iter().enumerate() {
        // Where a name does not fit over its column, all columns are numbered.
        let head = if widest <= 6 { name.clone() } else { class.to_string() };
        text += &format!("{head:>7}");
    }
    for (name, row) in names.iter().zip(&e.confusion) {
        text += &format!("\n{name:>first$}");
        row.iter().for_each(|count| text += &format!("{count:>7}"));
    }
    if e.worst.is_empty() {
        return console::print(&(text + "\n\nno mistakes\n"));
    }
    text += "\n\nworst mistakes\n";
    for m in e.worst.iter().take(10) {
        text += &format!(
            "sample {:>5}: {} taken for {} with {:.4} (P({}) = {:.2e})\n",
            m.index,
            model.label(m.label),
            model.label(m.predicted),
            m.probability,
            model.label(m.label),
            m.p_true
        );
    }
    console::print(&text)
}
