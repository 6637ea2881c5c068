//! The chapter on the channels that tell two classes apart.

use cutaway::Model;
use cutaway::data::Dataset;
use cutaway::explain::{Answers, ChannelRow, Detail, Region, Units, region};
use cutaway::report::{Chapter, number};

use crate::error::Result;
use crate::figures::maps::words;
use crate::figures::units as figures;

/// The cells that the reference study names, with the class each speaks for.
const PUBLISHED: [([usize; 2], usize); 4] = [([6, 0], 0), ([5, 0], 0), ([1, 1], 8), ([5, 2], 8)];

/// Which channels tell two classes apart.
pub(super) fn chapter(
    model: &Model,
    dataset: &Dataset,
    units: &Units,
    ask: &str,
    data: &str,
) -> Result<Chapter> {
    let [a, b] = units.classes.map(|class| model.label(class));
    let command = format!(
        "cutaway units {ask} --data {data} --classes {},{} --layer {}",
        units.classes[0], units.classes[1], units.layer
    );
    let mut chapter = Chapter::new(format!("What tells ‘{a}’ from ‘{b}’")).text(&format!(
        "Each of the {} channels of {} answers to an image with the mean of its map. Over {} \
         images of ‘{a}’ and {} of ‘{b}’: the AUC is the probability that the answer to an image \
         of ‘{a}’ is larger than that to one of ‘{b}’ (½: the channel cannot tell them apart); \
         Cohen's d is the difference of the means over the pooled standard deviation. {}",
        units.channels,
        units.layer,
        number::count(units.counts[0] as u64),
        number::count(units.counts[1] as u64),
        best(model, units)
    ));
    let compare = published(model, dataset, units);
    let heads = |what: &str| [&a, &b].map(|class| format!("{what} ‘{class}’"));
    let [[mean_a, mean_b], [right_a, right_b], [p_a, p_b]] =
        [heads("mean"), heads("right"), heads("mean P")];
    chapter = chapter
        .figure(
            &figures::cells(model, units, &marked(dataset, units))?,
            "Every channel at its cell of the grid of maps; colour and number are 2·AUC − 1, from −1 \
             (it always answers less) to 1 (always more) to the first class.",
            &command,
        )
        .text(&compare.unwrap_or_default())
        .table(&["cell", "channel", &mean_a, &mean_b, "d", "AUC"], &ranked(units))
        .figure(
            &figures::ranking(model, units)?,
            "Effect sizes (Cohen’s d) of the most telling channels, in the order of their AUC.",
            &command,
        );
    if units.details.is_empty() {
        return Ok(chapter);
    }
    Ok(chapter
        .figure(
            &figures::mean_maps(model, units)?,
            "Where in the image the difference lies: the channels that speak most for either \
             class, averaged over all its images, on one scale.",
            &command,
        )
        .text(&places(model, dataset, units))
        .figure(
            &figures::drivers(model, &dataset.test, units)?,
            "Of all test images, whatever their class, those in which the channel's strongest unit \
             is largest. Orange: what that unit sees. Under each image its class, its place in the \
             test set and the unit's value.",
            &command,
        )
        .figure(
            &figures::classes(model, units)?,
            "What the same channels answer to all classes: their mean activation, as number and \
                 colour.",
            &command,
        )
        .text(&format!(
            "Without one of these channels (its map set to 0 for everything that follows), the \
             network says of the test images of ‘{a}’ and of ‘{b}’:"
        ))
        .table(&["without", "speaks for", &right_a, &p_a, &right_b, &p_b], &ablated(model, units))
        .text(&harm(model, units)))
}

fn best(model: &Model, units: &Units) -> String {
    let Some(row) = units.rows.first() else { return String::new() };
    let class = model.label(units.classes[usize::from(row.auc < 0.5)]);
    let strong = units.rows.iter().filter(|r| (r.auc - 0.5).abs() >= 0.4).count();
    format!(
        "The most telling one, channel {} at ({}, {}), speaks for ‘{class}’ with an AUC of {:.4}; \
         {strong} of {} have one beyond 0.9 or below 0.1.",
        row.channel, row.cell[0], row.cell[1], row.auc, units.channels
    )
}

/// The cells that the study names, to be outlined where the question is the study's.
pub(crate) fn marked(dataset: &Dataset, units: &Units) -> Vec<([usize; 2], String)> {
    if !is_the_studys(dataset, units) {
        return Vec::new();
    }
    let named = |&([row, col], class): &([usize; 2], usize)| {
        ([row, col], format!("({row}, {col}): the study's, for ‘{class}’"))
    };
    PUBLISHED.iter().map(named).collect()
}

fn is_the_studys(dataset: &Dataset, units: &Units) -> bool {
    let same = dataset.name == "mnist" && units.classes == [0, 8];
    same && units.channels == 64 && units.grid_columns == 8
}

/// The study's cells beside ours, where the question is the study's.
fn published(model: &Model, dataset: &Dataset, units: &Units) -> Option<String> {
    if !is_the_studys(dataset, units) {
        return None;
    }
    let cells = PUBLISHED.iter().filter_map(|(cell, class)| {
        let rank = units.rows.iter().position(|row| row.cell == *cell)?;
        let (auc, rank) = (units.rows[rank].auc, rank + 1);
        Some(format!("({}, {}) for ‘{class}’: here AUC {auc:.3}, rank {rank}", cell[0], cell[1]))
    });
    let cells: Vec<String> = cells.collect();
    let top = |class: usize| -> String {
        let of = units.details.iter().filter(|d| d.speaks_for == class).take(2);
        let cell = |d: &Detail| {
            let [row, col] = [d.channel / units.grid_columns, d.channel % units.grid_columns];
            format!("({row}, {col})")
        };
        of.map(cell).collect::<Vec<_>>().join(" and ")
    };
    Some(format!(
        "The reference study read off two pictures that cells (6, 0) and (5, 0) speak for ‘0’ and \
         (1, 1) and (5, 2) for ‘8’. That was another training run: which channel learns what is an \
         accident of its random beginning, so cells of two runs do not correspond. In this network \
         those cells are {}. Here the cells that speak most for ‘{}’ are {}, for ‘{}’ {}.",
        cells.join("; "),
        model.label(0),
        top(0),
        model.label(8),
        top(8)
    ))
}

fn ranked(units: &Units) -> Vec<Vec<String>> {
    let row = |row: &ChannelRow| {
        vec![
            format!("({}, {})", row.cell[0], row.cell[1]),
            row.channel.to_string(),
            number::fixed(row.means[0], 4),
            number::fixed(row.means[1], 4),
            row.effect_size.map_or("–".to_owned(), |d| number::fixed(d, 2)),
            number::fixed(row.auc, 4),
        ]
    };
    units.rows.iter().take(12).map(row).collect()
}

/// Where the mean maps differ most, and whether that is the middle of the image.
fn places(model: &Model, dataset: &Dataset, units: &Units) -> String {
    let Ok(layer) = model.network().find(&units.layer) else { return String::new() };
    let (height, width) = (dataset.test.height, dataset.test.width);
    let sees_middle = |r: &Region| {
        (r.row..r.row + r.height).contains(&(height / 2))
            && (r.col..r.col + r.width).contains(&(width / 2))
    };
    let fields = units.details.iter().map(|detail| detail.place.receptive_field);
    let middle = fields.filter(sees_middle).count();
    let everywhere = (0..units.height * units.width)
        .map(|at| region(model.network(), layer, at / units.width, at % units.width));
    let chance = everywhere.filter(sees_middle).count();
    let each = units.details.iter().map(|detail| {
        format!(
            "{} (for '{}') at row {}, column {}, which sees {}",
            figures::name(units, detail.channel),
            model.label(detail.speaks_for),
            detail.place.row,
            detail.place.col,
            words(detail.place.receptive_field)
        )
    });
    let each: Vec<String> = each.collect();
    format!(
        "The mean maps differ most, in favour of the class that the channel speaks for: {}. The \
         middle of the image lies in what is seen there for {middle} of the {}; of all {} places \
         of a map, {chance} see it.",
        each.join("; "),
        units.details.len(),
        units.height * units.width
    )
}

fn ablated(model: &Model, units: &Units) -> Vec<Vec<String>> {
    let row = |without: String, speaks_for: String, answers: &Answers| {
        let Answers { accuracy, mean_p } = answers;
        let [right_a, right_b] = accuracy.map(|share| number::percent(share, 2));
        let [p_a, p_b] = mean_p.map(|p| number::fixed(p, 4));
        vec![without, speaks_for, right_a, p_a, right_b, p_b]
    };
    let mut rows = vec![row("nothing".to_owned(), String::new(), &units.baseline)];
    for detail in &units.details {
        let class = format!("‘{}’", model.label(detail.speaks_for));
        rows.push(row(figures::name(units, detail.channel), class, &detail.ablated));
    }
    for (class, answers) in units.classes.iter().zip(&units.without_all) {
        let count = units.details.iter().filter(|d| d.speaks_for == *class).count();
        if count > 1 {
            let class = format!("‘{}’", model.label(*class));
            rows.push(row(format!("all {count} of these for {class}"), class, answers));
        }
    }
    rows
}

/// The channel whose loss costs either class most.
fn harm(model: &Model, units: &Units) -> String {
    let lost = |detail: &Detail, side: usize| {
        units.baseline.accuracy[side] - detail.ablated.accuracy[side]
    };
    let sentence = |side: usize| {
        let worst = units.details.iter().max_by(|x, y| lost(x, side).total_cmp(&lost(y, side)))?;
        let class = model.label(units.classes[side]);
        let loss = lost(worst, side);
        if loss <= 0.0 {
            return Some(format!("‘{class}’ loses no accuracy by the loss of any one of them."));
        }
        Some(format!(
            "‘{class}’ loses most accuracy without {}: {} percentage points.",
            figures::name(units, worst.channel),
            number::fixed(100.0 * loss, 2)
        ))
    };
    [0, 1].into_iter().filter_map(sentence).collect::<Vec<_>>().join(" ")
}
