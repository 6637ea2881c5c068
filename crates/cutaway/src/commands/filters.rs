//! `cutaway filters`.

use cutaway::explain::{self, Filters};
use serde_json::json;

use crate::args::{self, Common};
use crate::error::{Error, Result};
use crate::{console, figures};

pub(crate) fn run(verb: &args::Filters, common: &Common) -> Result<()> {
    let model = super::open_model(&verb.model.model, common)?;
    let network = model.network();
    let layers = match &verb.layer[..] {
        [] => explain::convolutions(network).into_iter().take(1).collect(),
        chosen => chosen.to_vec(),
    };
    if layers.is_empty() {
        return Err(Error::Usage(format!("network '{}' has no convolution", network.name())));
    }
    let all: Vec<Filters> =
        layers.iter().map(|l| Ok(explain::filters(network, l)?)).collect::<Result<_>>()?;
    super::make_folder(&verb.out)?;
    let mut text = String::new();
    let mut results = Vec::new();
    for filters in &all {
        let stem = verb.out.join(format!("filters-{}", file_name(&filters.layer)));
        let figure = figures::of_filters(filters)?;
        let (png, svg) = (stem.with_extension("png"), stem.with_extension("svg"));
        figure.save_png(&png)?;
        figure.save_svg(&svg)?;
        text += &describe(filters);
        text += &format!("  picture: {}\n", png.display());
        let mut result = serde_json::to_value(filters).expect("results serialise");
        result["picture"] = json!(png);
        results.push(result);
    }
    if common.json {
        return console::print_json(&json!({
            "model": model.source(), "model_hash": network.hash(), "seed": common.seed,
            "layers": results
        }));
    }
    console::print(&text)
}

/// A layer's name as part of a file's name: ONNX names may hold anything.
fn file_name(layer: &str) -> String {
    let safe = |c: char| if c.is_alphanumeric() || "-_.".contains(c) { c } else { '_' };
    layer.chars().map(safe).take(80).collect()
}

fn describe(filters: &Filters) -> String {
    let norms = filters.statistics.iter().map(|s| s.norm);
    let (min, max) = norms.fold((f32::INFINITY, 0.0f32), |(a, b), n| (a.min(n), b.max(n)));
    let dead = filters.statistics.iter().filter(|s| s.dead).count();
    let twins = filters.statistics.iter().enumerate();
    let twins = twins.filter_map(|(i, s)| s.nearest.map(|(j, cosine)| (i, j, cosine)));
    let closest = twins.max_by(|a, b| a.2.total_cmp(&b.2));
    let mut text = format!(
        "{}: {} filters of {}×{}, {} input channel{}; norms {min:.3} to {max:.3}; {dead} dead\n",
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
