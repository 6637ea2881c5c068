//! `cutaway summary`.

use crate::args::{Common, Summary};
use crate::console;
use crate::error::Result;

pub(crate) fn run(verb: &Summary, common: &Common) -> Result<()> {
    let model = super::open_model(&verb.model.model, common)?;
    let summary = cutaway::net::summary(model.network());
    if common.json {
        return console::print_json(&summary);
    }
    let mut text = format!("{summary}\n");
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
