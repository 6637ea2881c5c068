//! The chapter on filters.

use cutaway::explain::{DEAD, DUPLICATE, Filters};
use cutaway::report::{Chapter, number};

use crate::error::Result;
use crate::figures::filters as figures;

/// Filters of a layer that can be looked at one by one.
const LOOKED_INTO: usize = 256;

/// The filters of the first convolutions.
pub(super) fn chapter(layers: &[Filters], ask: &str) -> Result<Chapter> {
    let mut chapter = Chapter::new("What its filters look for").text(&format!(
        "A filter answers most to the pattern it shows: to large values where its weights are \
         positive, to small ones where they are negative. Below, “dead” is a filter whose norm is \
         under {} of its layer's largest, and “duplicate” one with a cosine of at least {DUPLICATE} \
         to another.",
        number::percent(f64::from(DEAD), 0),
    ));
    for filters in layers {
        let order = figures::order(filters, false);
        let parts = (0..filters.count.min(LOOKED_INTO)).map(|filter| part(filters, filter));
        let parts = parts.collect::<Result<_>>()?;
        let caption = match filters.channels {
            1 => "All filters on one scale, symmetric around 0, counted row by row.".to_owned(),
            channels => format!(
                "Each of these filters has a slice for each of {channels} input channels; a tile \
                 shows the norm over them at each place. Counted row by row."
            ),
        };
        let command = format!("cutaway filters {ask} --layer {}", filters.layer);
        chapter = chapter.text(&describe(filters));
        chapter = chapter.pick(&figures::overview(filters, &order)?, &caption, &command, parts);
        if filters.channels > 1 {
            let order = figures::order(filters, true);
            chapter = chapter.figure(
                &figures::matrix(filters, &order)?,
                "How strongly each filter listens to each input channel. Filters are in an order \
                 in which similar ones are neighbours.",
                &format!("{command} --order similarity"),
            );
        }
    }
    Ok(chapter)
}

fn describe(filters: &Filters) -> String {
    let statistics = &filters.statistics;
    let norms = statistics.iter().map(|s| s.norm);
    let (low, high) = norms.fold((f32::INFINITY, 0.0f32), |(a, b), n| (a.min(n), b.max(n)));
    let dead = statistics.iter().filter(|s| s.dead).count();
    let duplicate = statistics.iter().filter(|s| s.duplicate).count();
    let pairs = statistics.iter().enumerate().filter_map(|(i, s)| Some((i, s.nearest?)));
    let closest = pairs.max_by(|a, b| a.1.1.total_cmp(&b.1.1));
    let alike = closest.map_or_else(String::new, |(i, (j, cosine))| {
        format!(" The two most alike are {i} and {j}, with a cosine of {cosine:.3}.")
    });
    format!(
        "{}: {} filters of {}×{} for {} input channel{}. Their norms lie between {low:.3} and \
         {high:.3}; {dead} dead, {duplicate} duplicate.{alike}",
        filters.layer,
        filters.count,
        filters.height,
        filters.width,
        filters.channels,
        if filters.channels == 1 { "" } else { "s" }
    )
}

/// What a click on a filter shows.
fn part(filters: &Filters, filter: usize) -> Result<Chapter> {
    let s = &filters.statistics[filter];
    let mut text = format!(
        "Norm {:.3}; its weights add up to {}, which is its answer, before the bias, where all its \
         inputs are 1.",
        s.norm,
        number::fixed(f64::from(s.sum), 3)
    );
    if let Some((other, cosine)) = s.nearest {
        text += &format!(" Most like filter {other} (cosine {cosine:.3}).");
    }
    if filters.channels > 1 {
        let mut channels: Vec<usize> = (0..filters.channels).collect();
        channels.sort_by(|&a, &b| s.channel_norms[b].total_cmp(&s.channel_norms[a]));
        let strongest =
            channels.iter().take(3).map(|&c| format!("{c} ({:.3})", s.channel_norms[c]));
        let strongest: Vec<String> = strongest.collect();
        text += &format!(" It listens most to input channels {}.", strongest.join(", "));
    }
    let title = format!("{}: filter {filter}", filters.layer);
    Ok(Chapter::new(title).drawing(&figures::one(filters, filter)?).text(&text))
}
