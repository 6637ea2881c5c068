//! The chapter on feature maps.

use cutaway::Model;
use cutaway::explain::Chain;
use cutaway::report::{Chapter, number};

use super::inside::{Look, Traced};
use crate::commands::maps::{map_name, short, way, whose};
use crate::error::Result;
use crate::figures::{self, maps as pictures};

/// Two images' maps of one layer, and where some of them come from.
pub(super) fn chapter(model: &Model, look: &Look, ask: &str, data: &str) -> Result<Chapter> {
    let maps = &look.maps;
    let samples = look.samples.iter().filter_map(|s| s.index);
    let samples: String = samples.map(|index| format!(" --sample {index}")).collect();
    let command = format!("cutaway maps {ask} --data {data}{samples} --layer {}", maps.layer);
    let names: Vec<String> = look.samples.iter().map(|s| whose(model, s)).collect();
    let mut chapter = Chapter::new("What it makes of an image").text(&format!(
        "The {} maps of {} for {}, on one scale. Cell (row, column) names a map; channel {} is at \
         ({}, {}), for example.",
        maps.channels,
        maps.layer,
        names.join(" and "),
        maps.channels - 1,
        maps.cell(maps.channels - 1)[0],
        maps.cell(maps.channels - 1)[1],
    ));
    for (image, name) in names.iter().enumerate() {
        let parts = look.strongest[image].iter().map(|traced| part(model, look, image, traced));
        chapter = chapter.pick(
            &pictures::grid(maps, image, name)?,
            "Each tile is a map: bright where the channel answers, on one scale for all maps and \
             images.",
            &command,
            parts.collect::<Result<_>>()?,
        );
    }
    let names: Vec<String> = look.samples.iter().map(|s| short(model, s)).collect();
    let named = |(channel, chain): &(usize, Chain)| (map_name(maps, *channel), chain.clone());
    let chains: Vec<(String, Chain)> = look.chains.iter().map(named).collect();
    let chains: Vec<(String, &Chain)> = chains.iter().map(|(n, c)| (n.clone(), c)).collect();
    chapter = chapter.text(&origins(look, &names));
    Ok(chapter.figure(
        &pictures::chains(model.network(), &chains, &names)?,
        "From the image to the map, layer by layer: always the channel with the largest part in \
         the next sum. Under each tile its channel and the ends of its scale, which the images \
         share.",
        &command,
    ))
}

/// Where the maps in which the images differ most come from, in words.
fn origins(look: &Look, names: &[String]) -> String {
    let sentences = look.chains.iter().map(|(channel, chain)| {
        let means = look.maps.images.iter().zip(names);
        let means =
            means.map(|(image, name)| format!("{:.3} for the {name}", image.means[*channel]));
        let means: Vec<String> = means.collect();
        format!(
            "{} (channel {channel}) has the mean {}, the largest part of it from {}",
            map_name(&look.maps, *channel),
            means.join(" and "),
            way(chain)
        )
    });
    let sentences: Vec<String> = sentences.collect();
    format!("The maps in which the images differ most: {}.", sentences.join("; "))
}

/// What a click on a map shows: the strongest unit's receptive field and sum.
fn part(model: &Model, look: &Look, image: usize, traced: &Traced) -> Result<Chapter> {
    let Traced { unit, count, rest } = traced;
    let name = map_name(&look.maps, unit.channel);
    let title = format!("{name}, channel {} of {}", unit.channel, unit.layer);
    let pixels = figures::pixels(&look.samples[image].pixels, 0)?;
    let whose = short(model, &look.samples[image]);
    let heading = format!("What the strongest unit sees of the {whose}");
    let field = pictures::field(&pixels, unit.receptive_field, &heading, 260.0);
    let signed = |v: f64| number::fixed(v, 4);
    let sum = &unit.sum;
    let mut rows: Vec<Vec<String>> = sum
        .terms
        .iter()
        .map(|term| {
            let place = format!("channel {}, row {}, column {}", term.channel, term.row, term.col);
            let from = format!("{}, {place}", sum.inputs[term.from]);
            vec![from, signed(term.input.into()), signed(term.weight), signed(term.product)]
        })
        .collect();
    let shown = sum.terms.len();
    let line = |name: String, value: f64| vec![name, String::new(), String::new(), signed(value)];
    if *count > shown {
        rows.push(line(format!("the other {} products", count - shown), *rest));
    }
    rows.push(line("bias".to_owned(), sum.bias));
    rows.push(line(format!("sum, the value of {}", sum.layer), sum.total));
    for step in &unit.steps[1..] {
        rows.push(line(format!("after {} ({})", step.layer, step.kind), step.value.into()));
    }
    let text = format!(
        "The strongest unit of this map, row {}, column {}, has the value {:.4}. It sees {} of the \
         image.",
        unit.row,
        unit.col,
        unit.value,
        pictures::words(unit.receptive_field)
    );
    let head = ["from", "input", "weight", "product"];
    Ok(Chapter::new(title).text(&text).drawing(&field).table(&head, &rows))
}
