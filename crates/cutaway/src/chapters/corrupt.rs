//! Corrupting the images: the words, the table and the chapter.

use cutaway::Model;
use cutaway::data::Dataset;
use cutaway::probe::Corrupted;
use cutaway::report::{Chapter, number};

use crate::commands::corrupt::Measured;
use crate::error::Result;
use crate::figures::corrupt as figures;

/// The table for a terminal.
pub(crate) fn table_text(model: &Model, dataset: &Dataset, c: &Corrupted) -> String {
    let mut text = format!(
        "{} on {} test images of {}: accuracy {} as they are\n\n{:<14} {:>9} {:>8}   {}\n",
        model.source(),
        number::count(c.count as u64),
        dataset.name,
        number::percent(c.clean_accuracy, 2),
        "corruption",
        "accuracy",
        "lost",
        "predicted most often"
    );
    for row in &c.rows {
        text += &format!(
            "{:<14} {:>9} {:>8}   {} ({})\n",
            row.corruption.title(),
            number::percent(row.accuracy, 2),
            number::count(row.lost as u64),
            model.label(row.favourite.0),
            number::count(row.favourite.1 as u64)
        );
    }
    text + "\n"
}

/// What the numbers say.
pub(crate) fn sentences(model: &Model, c: &Corrupted) -> Vec<String> {
    let percent = |x: f64| number::percent(x, 2);
    let mut sentences = vec![format!(
        "Of the first {} test images {} are right as they are, and {} on average over the {}.",
        number::count(c.count as u64),
        percent(c.clean_accuracy),
        percent(c.mean_accuracy),
        match c.rows.len() {
            1 => "one corruption".to_owned(),
            n => format!("{n} corruptions"),
        }
    )];
    if let (Some(worst), Some(mildest), true) = (c.worst(), c.mildest(), c.rows.len() > 1) {
        sentences.push(format!(
            "The mildest is {} ({}); the worst is {} ({}), under which {} images that were right \
             no longer are, and ‘{}’ is predicted most often ({} times).",
            mildest.corruption.title(),
            percent(mildest.accuracy),
            worst.corruption.title(),
            percent(worst.accuracy),
            number::count(worst.lost as u64),
            model.label(worst.favourite.0),
            number::count(worst.favourite.1 as u64)
        ));
    }
    sentences
}

/// The chapter.
pub(crate) fn chapter(model: &Model, measured: &Measured, command: &str) -> Result<Chapter> {
    let c = &measured.corrupted;
    let head = ["corruption", "accuracy", "right before, not now", "predicted most often"];
    let rows = c.rows.iter().map(|row| {
        vec![
            row.corruption.title(),
            number::percent(row.accuracy, 2),
            number::count(row.lost as u64),
            format!("{} ({})", model.label(row.favourite.0), number::count(row.favourite.1 as u64)),
        ]
    });
    let count = number::count(c.count as u64);
    Ok(Chapter::new("Corrupting the images")
        .text(&format!(
            "The corruptions of MNIST-C (Mu and Gilmer 2019) at its severities, made here from \
             their definitions. {}",
            sentences(model, c).join(" ")
        ))
        .figure(
            &figures::accuracies(c)?,
            &format!("Share of the first {count} test images classified correctly."),
            command,
        )
        .figure(
            &figures::sheet(measured)?,
            "The first test image of each class, as it is and under each corruption.",
            command,
        )
        .table(&head, &rows.collect::<Vec<_>>()))
}
