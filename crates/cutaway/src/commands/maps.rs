//! `cutaway maps`.

use cutaway::Model;
use cutaway::explain::{self, Chain, Maps, Trace, Unit};
use cutaway::net::{Network, NodeId, Op};
use ndarray::{Array3, Array4, Axis};
use serde_json::json;

use crate::args::{self, Common};
use crate::console;
use crate::error::{Error, Result};
use crate::figures::{self, maps as pictures};
use crate::samples::{self, Sample};

/// Maps whose way from the input is shown, unless channels are named.
const CHAINS: usize = 3;

/// What was found.
struct Found {
    samples: Vec<Sample>,
    dataset: Option<String>,
    probabilities: Vec<Vec<f32>>,
    maps: Vec<Maps>,
    /// Channel of the last layer, and the way to it.
    chains: Vec<(usize, Chain)>,
    /// Sample, and one of its units.
    units: Vec<(usize, Unit)>,
}

pub(crate) fn run(verb: &args::Maps, common: &Common) -> Result<()> {
    let model = super::open_model_on(&verb.model, &verb.samples, common)?;
    let layers = layers(model.network(), &verb.layer)?;
    let units: Vec<[usize; 3]> = verb.unit.iter().map(|u| parse_unit(u)).collect::<Result<_>>()?;
    let found = find(&model, verb, common, &layers, &units)?;
    super::make_folder(&verb.out)?;
    let files = draw(&model, &found, verb)?;
    if common.json {
        return console::print_json(&to_json(&model, &found, common, &files));
    }
    let mut text = describe(&model, &found);
    for file in &files {
        text += &format!("picture: {}\n", file.display());
    }
    console::print(&text)
}

/// The layers that were asked for.
fn layers(network: &Network, names: &[String]) -> Result<Vec<NodeId>> {
    if names.is_empty() {
        let default = explain::default_layer(network).ok_or_else(|| {
            let name = network.name();
            Error::Usage(format!("network '{name}' has no convolution: name a layer with --layer"))
        })?;
        return Ok(vec![default]);
    }
    let mut layers = Vec::new();
    for name in names {
        if name == "all" {
            let nodes = network.nodes().iter().enumerate();
            let maps = nodes.filter(|(_, node)| !matches!(node.op, Op::Input { .. }));
            let maps = maps.map(|(id, _)| NodeId(id));
            layers.extend(maps.filter(|&id| network.shape(id).len() == 3));
        } else {
            layers.push(network.find(name)?);
        }
    }
    layers.dedup();
    if layers.is_empty() {
        let name = network.name();
        return Err(Error::Usage(format!("no layer of network '{name}' has maps")));
    }
    Ok(layers)
}

fn parse_unit(text: &str) -> Result<[usize; 3]> {
    let numbers: Vec<Option<usize>> = text.split(',').map(|n| n.trim().parse().ok()).collect();
    match numbers[..] {
        [Some(channel), Some(row), Some(col)] => Ok([channel, row, col]),
        _ => Err(Error::Usage(format!(
            "--unit {text}: expected channel, row and column, such as 12,3,4"
        ))),
    }
}

/// The classes of the study where there are so many, else the first two.
pub(crate) fn two_classes(model: &Model) -> [usize; 2] {
    if model.network().classes() > 8 { [0, 8] } else { [0, 1] }
}

fn find(
    model: &Model,
    verb: &args::Maps,
    common: &Common,
    layers: &[NodeId],
    units: &[[usize; 3]],
) -> Result<Found> {
    explain::check_finite(model.network())?;
    let chosen = samples::choose(model, &verb.samples, common, &two_classes(model), false)?;
    let inputs = chosen.samples.iter().map(|sample| sample.input(model));
    let inputs: Vec<Array3<f32>> = inputs.collect::<Result<_>>()?;
    let batch = stack(&inputs);
    let maps = explain::maps(model.engine(), batch.view(), layers)?;
    let focus = focus(&maps);
    let (last, of_last) = (layers[focus], &maps[focus]);
    let channels = match &verb.channel[..] {
        [] => of_last.telling(CHAINS),
        named => named.to_vec(),
    };
    let chain = |&channel: &usize| {
        Ok((channel, explain::chain(model.engine(), batch.view(), last, channel)?))
    };
    let chains = channels.iter().map(chain).collect::<Result<_>>()?;
    let mut traced = Vec::new();
    for (index, input) in inputs.iter().enumerate().filter(|_| !units.is_empty()) {
        let trace = Trace::new(model.engine(), input.view(), last)?;
        for &unit in units {
            traced.push((index, trace.unit(unit)?));
        }
    }
    let probabilities = model.engine().predict(batch.view()).map_err(cutaway::Error::from)?;
    for (sample, row) in chosen.samples.iter().zip(probabilities.rows()) {
        samples::say_if_flat(model, sample, &row.to_vec())?;
    }
    Ok(Found {
        dataset: chosen.dataset.map(|dataset| dataset.name),
        samples: chosen.samples,
        probabilities: probabilities.rows().into_iter().map(|row| row.to_vec()).collect(),
        maps,
        chains,
        units: traced,
    })
}

/// The layer whose maps are traced: the last whose maps have more than one position.
fn focus(maps: &[Maps]) -> usize {
    let wide = maps.iter().rposition(|maps| maps.height * maps.width > 1);
    wide.unwrap_or(maps.len() - 1)
}

/// Images `[C, H, W]` as a batch.
pub(crate) fn stack(images: &[Array3<f32>]) -> Array4<f32> {
    let views: Vec<_> = images.iter().map(|image| image.view().insert_axis(Axis(0))).collect();
    ndarray::concatenate(Axis(0), &views).expect("all images have the shape of the input")
}

/// What people call an image: "a ‘0’ (mnist test sample 3)".
pub(crate) fn whose(model: &Model, sample: &Sample) -> String {
    match sample.label {
        Some(label) => format!("a ‘{}’ ({})", model.label(label), sample.source),
        None => sample.source.clone(),
    }
}

fn draw(model: &Model, found: &Found, verb: &args::Maps) -> Result<Vec<std::path::PathBuf>> {
    let mut files = super::save_inputs(model, &found.samples, &verb.out)?;
    let mut save = |figure: &cutaway::report::Figure, name: String| -> Result<()> {
        files.push(super::save(figure, &verb.out, &name)?);
        Ok(())
    };
    for maps in &found.maps {
        for (index, sample) in found.samples.iter().enumerate() {
            let layer = super::file_name(&maps.layer);
            let figure = pictures::grid(maps, index, &whose(model, sample))?;
            save(&figure, format!("maps-{layer}-{}", tag(sample)))?;
        }
    }
    let last = &found.maps[focus(&found.maps)];
    let named = |(channel, chain): &(usize, Chain)| (map_name(last, *channel), chain.clone());
    let chains: Vec<(String, Chain)> = found.chains.iter().map(named).collect();
    let chains: Vec<(String, &Chain)> = chains.iter().map(|(n, c)| (n.clone(), c)).collect();
    let names: Vec<String> = found.samples.iter().map(|sample| short(model, sample)).collect();
    let figure = pictures::chains(model.network(), &chains, &names)?;
    save(&figure, format!("maps-{}-chain", super::file_name(&last.layer)))?;
    for (index, unit) in &found.units {
        let sample = &found.samples[*index];
        let pixels = figures::pixels(&sample.pixels, 0)?;
        let figure = pictures::unit(unit, &pixels, &whose(model, sample))?;
        let layer = super::file_name(&unit.layer);
        let place = format!("{}-{}-{}", unit.channel, unit.row, unit.col);
        save(&figure, format!("unit-{layer}-{place}-{}", tag(sample)))?;
    }
    Ok(files)
}

/// "map (6, 1)".
pub(crate) fn map_name(maps: &Maps, channel: usize) -> String {
    let [row, col] = maps.cell(channel);
    format!("map ({row}, {col})")
}

/// A sample in a word.
pub(crate) fn short(model: &Model, sample: &Sample) -> String {
    match (sample.label, sample.index) {
        (Some(label), _) => format!("‘{}’", model.label(label)),
        (None, Some(index)) => format!("#{index}"),
        (None, None) => tag(sample),
    }
}

/// A sample as part of a file's name.
pub(crate) fn tag(sample: &Sample) -> String {
    match sample.index {
        Some(index) => format!("sample-{index}"),
        None => {
            let stem = std::path::Path::new(&sample.source).file_stem();
            super::file_name(&stem.map_or_else(String::new, |s| s.to_string_lossy().into_owned()))
        }
    }
}

fn to_json(
    model: &Model,
    found: &Found,
    common: &Common,
    files: &[std::path::PathBuf],
) -> serde_json::Value {
    let samples = found.samples.iter().zip(&found.probabilities);
    let samples: Vec<_> = samples
        .map(|(sample, probabilities)| {
            let (predicted, probability) = samples::best(probabilities);
            json!({
                "source": sample.source, "sample": sample.index, "label": sample.label,
                "predicted": predicted, "probability": probability
            })
        })
        .collect();
    let chains = found
        .chains
        .iter()
        .map(|(channel, chain)| json!({ "channel": channel, "links": chain.links }));
    let units = found.units.iter().map(|(index, unit)| {
        let mut unit = serde_json::to_value(unit).expect("results serialise");
        unit["image"] = json!(index);
        unit
    });
    json!({
        "model": model.source(), "model_hash": model.network().hash(), "seed": common.seed,
        "dataset": found.dataset, "preprocessing": model.network().metadata().preprocessing,
        "answer": super::answering_node(model),
        "sample": found.samples.iter().map(|s| s.index).collect::<Vec<_>>(),
        "label": found.samples.iter().map(|s| s.label).collect::<Vec<_>>(),
        "samples": samples, "layers": found.maps,
        "chains": chains.collect::<Vec<_>>(), "units": units.collect::<Vec<_>>(),
        "pictures": files
    })
}

fn describe(model: &Model, found: &Found) -> String {
    let mut text = String::new();
    for (sample, probabilities) in found.samples.iter().zip(&found.probabilities) {
        let (class, p) = samples::best(probabilities);
        text +=
            &format!("{}: predicted {} with {p:.4}\n", whose(model, sample), model.label(class));
    }
    for maps in &found.maps {
        text += &format!(
            "{}: {} maps of {}×{}, values {:.3} to {:.3}\n",
            maps.layer, maps.channels, maps.height, maps.width, maps.min, maps.max
        );
    }
    let last = &found.maps[focus(&found.maps)];
    for (channel, chain) in &found.chains {
        let means = last.images.iter().map(|image| format!("{:.3}", image.means[*channel]));
        let means: Vec<String> = means.collect();
        text += &format!(
            "{} of {}, channel {channel}: mean {}; largest part from {}\n",
            map_name(last, *channel),
            last.layer,
            means.join(" and "),
            way(chain)
        );
    }
    for (index, unit) in &found.units {
        text += &arithmetic(unit, &whose(model, &found.samples[*index]));
    }
    text
}

/// The layers on a way in which the channel changes.
pub(crate) fn way(chain: &Chain) -> String {
    let sums = chain.links.windows(2).filter(|pair| pair[0].share < 1.0);
    let sums = sums.map(|pair| {
        let (from, share) = (&pair[0], 100.0 * pair[0].share);
        format!("{} channel {} ({share:.0} % of {})", from.layer, from.channel, pair[1].layer)
    });
    let mut sums: Vec<String> = sums.collect();
    sums.reverse();
    if sums.is_empty() { chain.links[0].layer.clone() } else { sums.join(", ") }
}

/// How a unit's value comes about, term by term.
fn arithmetic(unit: &Unit, whose: &str) -> String {
    const SHOWN: usize = 8;
    let sum = &unit.sum;
    let mut text = format!(
        "\nunit ({}, {}, {}) of {} for {whose}: {:.6}\n  sees {} of the image\n",
        unit.channel,
        unit.row,
        unit.col,
        unit.layer,
        unit.value,
        pictures::words(unit.receptive_field)
    );
    for term in sum.terms.iter().take(SHOWN) {
        text += &format!(
            "  {:>12.6} = {:.6} × {:.6}   ({}, channel {}, row {}, column {})\n",
            term.product,
            term.input,
            term.weight,
            sum.inputs[term.from],
            term.channel,
            term.row,
            term.col
        );
    }
    if sum.terms.len() > SHOWN {
        let rest: f64 = sum.terms[SHOWN..].iter().map(|term| term.product).sum();
        text += &format!("  {rest:>12.6} from {} other terms\n", sum.terms.len() - SHOWN);
    }
    text += &format!("  {:>12.6} bias\n", sum.bias);
    text += &format!(
        "  {:>12.6} is the sum; the network computed {:.6} in {}\n",
        sum.total, unit.steps[0].value, sum.layer
    );
    for step in &unit.steps[1..] {
        text += &format!("  {:>12.6} after {} ({})\n", step.value, step.layer, step.kind);
    }
    text
}
