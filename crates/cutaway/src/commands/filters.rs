//! `cutaway filters`.

use cutaway::explain::{self, Filters};
use cutaway::report::Figure;
use serde_json::json;

use crate::args::{self, Common};
use crate::console;
use crate::error::{Error, Result};
use crate::figures::filters as figures;

pub(crate) fn run(verb: &args::Filters, common: &Common) -> Result<()> {
    let model = super::open_model(&verb.model, common)?;
    let network = model.network();
    let layers = match &verb.layer[..] {
        [] => explain::convolutions(network).into_iter().take(3).collect(),
        chosen => chosen.to_vec(),
    };
    if layers.is_empty() {
        return Err(Error::Usage(format!("network '{}' has no convolution", network.name())));
    }
    let all: Vec<Filters> =
        layers.iter().map(|l| Ok(explain::filters(network, l)?)).collect::<Result<_>>()?;
    if let Some(channel) = verb.channel {
        check_channel(&all, channel, verb.layer.is_empty())?;
    }
    super::make_folder(&verb.out)?;
    let mut text = String::new();
    let mut results = Vec::new();
    for filters in &all {
        let mut pictures = Vec::new();
        for (name, figure) in draw(filters, verb)? {
            pictures.push(super::save(&figure, &verb.out, &name)?);
        }
        text += &describe(filters);
        for picture in &pictures {
            text += &format!("  picture: {}\n", picture.display());
        }
        let mut result = serde_json::to_value(filters).expect("results serialise");
        result["picture"] = json!(pictures.first());
        result["pictures"] = json!(pictures);
        results.push(result);
    }
    if common.json {
        return console::print_json(&json!({
            "model": model.source(), "model_hash": network.hash(), "seed": common.seed,
            "dataset": null, "sample": null, "label": null,
            "order": verb.order, "channel": verb.channel, "layers": results,
            "preprocessing": network.metadata().preprocessing
        }));
    }
    console::print(&text)
}

/// Layers that were named must all have the input channel; of the default ones, one is enough.
fn check_channel(all: &[Filters], channel: usize, default: bool) -> Result<()> {
    if default && all.iter().any(|filters| filters.check_channel(channel).is_ok()) {
        return Ok(());
    }
    let mut most_first: Vec<&Filters> = all.iter().collect();
    most_first.sort_by_key(|filters| std::cmp::Reverse(filters.channels));
    most_first.iter().try_for_each(|filters| Ok(filters.check_channel(channel)?))
}

/// The figures of a layer with their names.
fn draw(filters: &Filters, verb: &args::Filters) -> Result<Vec<(String, Figure)>> {
    let name = format!("filters-{}", super::file_name(&filters.layer));
    let order = figures::order(filters, verb.order == "similarity");
    if let Some(channel) = verb.channel {
        if filters.check_channel(channel).is_err() {
            return Ok(Vec::new());
        }
        let figure = figures::slices(filters, channel, &order)?;
        return Ok(vec![(format!("{name}-channel-{channel}"), figure)]);
    }
    let mut all = vec![(name.clone(), figures::overview(filters, &order)?)];
    if filters.channels > 1 {
        all.push((format!("{name}-channels"), figures::matrix(filters, &order)?));
    }
    Ok(all)
}

fn describe(filters: &Filters) -> String {
    let norms = filters.statistics.iter().map(|s| s.norm);
    let (min, max) = norms.fold((f32::INFINITY, 0.0f32), |(a, b), n| (a.min(n), b.max(n)));
    let dead = filters.statistics.iter().filter(|s| s.dead).count();
    let duplicates = filters.statistics.iter().filter(|s| s.duplicate).count();
    let twins = filters.statistics.iter().enumerate();
    let twins = twins.filter_map(|(i, s)| s.nearest.map(|(j, cosine)| (i, j, cosine)));
    let closest = twins.max_by(|a, b| a.2.total_cmp(&b.2));
    let mut text = format!(
        "{}: {} filters of {}×{}, {} input channel{}; norms {min:.3} to {max:.3}; {dead} dead, \
         {duplicates} duplicate\n",
        filters.layer,
        filters.count,
        filters.height,
        filters.width,
        filters.channels,
        if filters.channels == 1 { "" } else { "s" }
    );
    if let Some((i, j, cosine)) = closest {
        text += &format!("  most alike: filters {i} and {j}, cosine {cosine:.3}\n");
    }
    text
}
