//! The chapter on memory over long sequences: problem 4 of the reference study.

use cutaway::report::{Chapter, number};

use crate::commands::sequence::{Findings, text};
use crate::error::Result;
use crate::figures::sequence as figures;

/// Epochs of which a heat map is shown, of this many networks.
const HEAT_MAPS: usize = 2;

/// Tells of the findings; `command` makes them again.
pub(crate) fn of(found: &Findings, command: &str) -> Result<Chapter> {
    let task = &found.task;
    let mut chapter = Chapter::new("Memory over long sequences").text(&format!(
        "{}: {}. {} Networks of {} read them a residue at a time and answer from what they still hold in the end.",
        task.name,
        task.what,
        text::about_data(found).join(" "),
        kinds(found)
    ));
    chapter = chapter.table(&text::COMPARISON, &text::comparison(found));
    if let Some(figure) = figures::comparison(found)? {
        chapter = chapter.figure(
            &figure,
            "Balanced accuracy on the test set: the mean of the shares of each class that are right. Reading forward, what \
             stands at the beginning must be carried over the whole sequence; in reverse it is read last. Dashed: logistic \
             regression that sees only the composition, or only the beginning.",
            command,
        );
    }
    for sentence in text::sentences(found) {
        chapter = chapter.text(&sentence);
    }
    if !found.baselines.is_empty() {
        chapter = chapter
            .text("What can be said without a recurrent network, by logistic regression:")
            .table(&text::BASELINES, &text::baselines(found));
    }
    chapter = memory(chapter, found, command)?;
    chapter = against(chapter, found, command)?;
    chapter = echo(chapter, found, command)?;
    close(chapter, found, command)
}

fn kinds(found: &Findings) -> String {
    let mut names: Vec<&str> = found.compared.iter().map(|c| c.cell.title()).collect();
    names.dedup();
    let kinds = match names.len() {
        1 => "one kind".to_owned(),
        n => format!("{n} kinds"),
    };
    format!("{kinds} ({})", names.join(", "))
}

fn memory(mut chapter: Chapter, found: &Findings, command: &str) -> Result<Chapter> {
    if let Some(figure) = figures::gradients(found)? {
        chapter = chapter.figure(
            &figure,
            "The norm of the derivative of the loss by the state so many steps before the last one read, on trained \
             networks: the geometric mean over test sequences of all lengths, logarithmic scale.",
            command,
        );
    }
    if !found.flows.is_empty() {
        chapter = chapter.table(&text::MEMORY, &text::memory(found));
    }
    let with_epochs = found.runs.iter().filter(|r| r.gradient_norms.epochs.len() > 1);
    for run in with_epochs.take(HEAT_MAPS) {
        let name = crate::commands::sequence::name(run.cell, run.direction);
        chapter = chapter.figure(
            &figures::flow::gradients_by_epoch(&name, &run.gradient_norms)?,
            "The same curve before training (epoch 0) and after each epoch.",
            command,
        );
    }
    for flow in &found.flows {
        let Some(memory) = &flow.memory else { continue };
        if let Some([along, through]) = &memory.paths {
            let whole = memory.memories.as_ref().unwrap_or(&memory.states);
            chapter = chapter.figure(
                &figures::flow::paths(&flow.name(), whole, along, through)?,
                "The two ways of a gated cell’s gradient: straight along the memory, through gates alone, and through \
                 recurrent weights.",
                command,
            );
            break;
        }
    }
    if let Some(flow) = found.flows.iter().find(|f| f.memory.is_some()) {
        let memory = flow.memory.as_ref().expect("just asked");
        chapter = chapter
            .figure(
                &figures::flow::singular_values(&flow.name(), &memory.jacobians)?,
                "Singular values of the derivative of the last state by an earlier one, beside the bounds that the norm of \
                 the weights gives (Pascanu et al. 2013).",
                command,
            )
            .figure(
                &figures::flow::eigenvalues(&flow.name(), &memory.spectrum)?,
                "Eigenvalues of the recurrent weights and the unit circle.",
                command,
            );
    }
    Ok(chapter)
}

fn against(mut chapter: Chapter, found: &Findings, command: &str) -> Result<Chapter> {
    if let Some(figure) = figures::by_length(found)? {
        chapter = chapter.figure(
            &figure,
            "Accuracy on fifths of the test set by length; bands: lowest and highest run.",
            command,
        );
    }
    if let Some(figure) = figures::by_padding(found)? {
        chapter = chapter.figure(
            &figure,
            "Accuracy with random residues put in behind the first 40 of each test sequence: the signal stays what it is and \
             only its distance from the end grows.",
            command,
        );
    }
    Ok(chapter)
}

fn echo(mut chapter: Chapter, found: &Findings, command: &str) -> Result<Chapter> {
    let Some(echo) = &found.echo else { return Ok(chapter) };
    let check = &echo.check;
    chapter = chapter.text(&format!(
        "Is the start forgotten (the echo state property)? Two states that start apart come nearer by a factor of {} a step \
         on the longest test sequence. The spectral radius of W is {}, its largest singular value {}.",
        number::significant(check.rate, 4),
        number::significant(check.spectral_radius, 3),
        number::significant(check.largest_singular_value, 3)
    ));
    for (_, figure) in figures::echo_figures(echo)? {
        let words = "Reservoirs drawn once and scaled: how much of a random input a linear readout can recall (Jaeger 2001), \
                     and how well one tells the classes apart.";
        chapter = chapter.figure(&figure, words, command);
    }
    Ok(chapter)
}

fn close(chapter: Chapter, found: &Findings, command: &str) -> Result<Chapter> {
    let Some(close) = &found.close else { return Ok(chapter) };
    let name = crate::commands::sequence::name(close.cell, close.direction);
    Ok(chapter
        .text(&format!(
            "One sequence of the test set, {}, a {} of {} residues, as the {name} with seed {} sees it.",
            close.title(),
            close.label,
            close.letters.len(),
            close.seed
        ))
        .figure(
            &figures::strip(close)?,
            "Each residue coloured by the derivative of the decision times how its embedding differs from the mean one.",
            command,
        )
        .figure(
            &figures::substitutions(close)?,
            "Every residue at the beginning put in the place of each other, and the decision computed anew.",
            command,
        )
        .figure(
            &figures::positions(close)?,
            "How much the decision changes at most with one other residue at each position, and what the derivative says.",
            command,
        ))
}
