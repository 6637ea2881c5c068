//! `cutaway summary`.

use serde_json::json;

use crate::args::{Common, Summary};
use crate::error::Result;
use crate::{console, figures};

pub(crate) fn run(verb: &Summary, common: &Common) -> Result<()> {
    let model = super::open_model(&verb.model, common)?;
    let summary = cutaway::net::summary(model.network());
    if let Some(folder) = &verb.out {
        super::make_folder(folder)?;
        figures::save(folder, "network", &figures::network(&model, &summary)?)?;
    }
    if common.json {
        let mut json = serde_json::to_value(&summary).expect("results serialise");
        json["model"] = json!(model.source());
        json["preprocessing"] = json!(model.network().metadata().preprocessing);
        json["model_hash"] = json!(model.network().hash());
        return console::print_json(&json);
    }
    let mut text = format!("{summary}\n");
    text += &format!("\nInput: {}\n", model.network().metadata().preprocessing);
    if let Some(training) = &model.network().metadata().training {
        text += &format!(
            "\nTrained on {} with recipe {}, {} epochs, seed {}.\n",
            training.dataset, training.recipe, training.epochs, training.seed
        );
        if let Some(accuracy) = training.test_accuracy {
            text += &format!("Test accuracy then: {:.2} %.\n", 100.0 * accuracy);
        }
        if !training.command.is_empty() {
            text += &format!("Command: {}\n", training.command);
        }
    }
    console::print(&text)
}
