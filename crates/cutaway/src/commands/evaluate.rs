//! `cutaway evaluate`.

use cutaway::Model;
use cutaway::data::Dataset;
use cutaway::train::{Evaluation, evaluate};
use serde_json::json;

use crate::args::{Common, Evaluate};
use crate::commands::train::wrong;
use crate::error::Result;
use crate::{console, figures};

pub(crate) fn run(verb: &Evaluate, common: &Common) -> Result<()> {
    let model = super::open_model(&verb.model.model, common)?;
    let dataset = super::open_data(&verb.data.data, common)?;
    let evaluation = evaluate(model.engine(), &dataset.test)?;
    let json = to_json(&model, &dataset, &evaluation, common.seed);
    if let Some(folder) = &verb.out {
        super::make_folder(folder)?;
        let mut text = serde_json::to_vec_pretty(&json).expect("results serialise");
        text.push(b'\n');
        super::write(&folder.join("evaluation.json"), &text)?;
        for (name, figure) in figures::of_evaluation(&model, &dataset, &evaluation)? {
            figure.save_png(folder.join(format!("{name}.png")))?;
            figure.save_svg(folder.join(format!("{name}.svg")))?;
        }
    }
    if common.json { console::print_json(&json) } else { print(&model, &dataset, &evaluation) }
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
    object.insert("dataset".into(), json!(dataset.name));
    object.insert("dataset_hash".into(), json!(dataset.hash));
    object.insert("labels".into(), json!(dataset.labels));
    object.insert("seed".into(), json!(seed));
    json
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
    text += "class        images   precision   recall   F1\n";
    let percent = |x: Option<f64>| x.map_or("–".to_owned(), |x| format!("{:.2} %", 100.0 * x));
    for class in &e.per_class {
        text += &format!(
            "{:<12} {:>6}   {:>9}   {:>8}   {:>8}\n",
            model.label(class.class),
            class.support,
            percent(class.precision),
            percent(class.recall),
            percent(class.f1)
        );
    }
    text += "\nconfusion (rows: true class, columns: predicted)\n        ";
    for class in 0..e.confusion.len() {
        text += &format!("{:>7}", model.label(class));
    }
    for (class, row) in e.confusion.iter().enumerate() {
        text += &format!("\n{:>8}", model.label(class));
        row.iter().for_each(|count| text += &format!("{count:>7}"));
    }
    text += "\n\nworst mistakes\n";
    for m in e.worst.iter().take(10) {
        text += &format!(
            "sample {:>5}: a {} taken for {} with {:.4} (P({}) = {:.2e})\n",
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
