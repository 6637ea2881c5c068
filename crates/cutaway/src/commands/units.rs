//! `cutaway units`.

use cutaway::Model;
use cutaway::explain::{self, Settings, Units};
use serde_json::json;

use crate::args::{self, Common};
use crate::chapters::units::marked;
use crate::console;
use crate::error::{Error, Result};
use crate::figures::{maps::words, units as pictures};

pub(crate) fn run(verb: &args::Units, common: &Common) -> Result<()> {
    let model = super::open_model(&verb.model, common)?;
    let network = model.network();
    let &[a, b] = &verb.classes[..] else {
        let given = verb.classes.len();
        return Err(Error::Usage(format!("--classes: expected two, such as 0,8; got {given}")));
    };
    check_classes(&model, [a, b])?;
    let layer = match &verb.layer {
        Some(name) => network.find(name)?,
        None => explain::default_layer(network).ok_or_else(|| {
            let name = network.name();
            Error::Usage(format!("network '{name}' has no convolution: name a layer with --layer"))
        })?,
    };
    explain::check_finite(network)?;
    let mut dataset = super::open_data_for(&model, &verb.data.data, common)?;
    if let Some(limit) = verb.limit {
        let count = dataset.test.len();
        if limit == 0 || limit > count {
            return Err(Error::Usage(format!("--limit {limit}: expected 1 to {count}")));
        }
        dataset.test = dataset.test.select(&(0..limit).collect::<Vec<_>>());
    }
    let settings = Settings { top: verb.top, ..Settings::new([a, b]) };
    let mut progress = console::counter(common.quiet || common.json, "images");
    let units = explain::units(model.engine(), &dataset.test, layer, &settings, &mut progress)?;
    super::make_folder(&verb.out)?;
    let name = format!("units-{}-{a}-{b}", super::file_name(&units.layer));
    let mut figures = vec![
        (name.clone(), pictures::cells(&model, &units, &marked(&dataset, &units))?),
        (format!("{name}-ranking"), pictures::ranking(&model, &units)?),
    ];
    if !units.details.is_empty() {
        figures.push((format!("{name}-maps"), pictures::mean_maps(&model, &units)?));
        figures
            .push((format!("{name}-drivers"), pictures::drivers(&model, &dataset.test, &units)?));
        figures.push((format!("{name}-classes"), pictures::classes(&model, &units)?));
    }
    let mut files = Vec::new();
    for (name, figure) in &figures {
        files.push(super::save(figure, &verb.out, name)?);
    }
    if common.json {
        let mut result = serde_json::to_value(&units).expect("results serialise");
        let facts = json!({
            "model": model.source(), "model_hash": network.hash(), "dataset": dataset.name,
            "sample": null, "label": null, "seed": common.seed, "pictures": files,
            "preprocessing": network.metadata().preprocessing
        });
        let facts = facts.as_object().expect("an object").clone();
        result.as_object_mut().expect("a struct").extend(facts);
        return console::print_json(&result);
    }
    let mut text = describe(&model, &units);
    for file in &files {
        text += &format!("picture: {}\n", file.display());
    }
    console::print(&text)
}

fn check_classes(model: &Model, classes: [usize; 2]) -> Result<()> {
    let count = model.network().classes();
    if let Some(class) = classes.iter().find(|class| **class >= count) {
        return Err(Error::Usage(format!(
            "--classes: {class} is out of range: the model has classes 0 to {}",
            count - 1
        )));
    }
    if classes[0] == classes[1] {
        let class = classes[0];
        return Err(Error::Usage(format!(
            "--classes: expected two different ones, got {class} twice"
        )));
    }
    Ok(())
}

fn describe(model: &Model, units: &Units) -> String {
    let [a, b] = units.classes.map(|class| model.label(class));
    let mut text = format!(
        "{}: which of {} channels tell ‘{a}’ ({} images) from ‘{b}’ ({})\n\n",
        units.layer, units.channels, units.counts[0], units.counts[1]
    );
    text += &format!("{:<8} {:>7} ", "cell", "channel");
    text += &format!(
        "{:>10} {:>10} {:>10} {:>8} {:>8}\n",
        format!("mean ‘{a}’"),
        format!("mean ‘{b}’"),
        "difference",
        "d",
        "AUC"
    );
    for row in units.rows.iter().take(16) {
        text += &format!(
            "({}, {}){:<2} {:>7} {:>10.4} {:>10.4} {:>10.4} {:>8} {:>8.4}\n",
            row.cell[0],
            row.cell[1],
            "",
            row.channel,
            row.means[0],
            row.means[1],
            row.difference,
            row.effect_size.map_or("–".to_owned(), |d| format!("{d:.2}")),
            row.auc
        );
    }
    let percent = |x: f64| format!("{:.2} %", 100.0 * x);
    text += &format!(
        "\nwithout ablation: ‘{a}’ {} right, mean P {:.4}; ‘{b}’ {} right, mean P {:.4}\n",
        percent(units.baseline.accuracy[0]),
        units.baseline.mean_p[0],
        percent(units.baseline.accuracy[1]),
        units.baseline.mean_p[1]
    );
    for detail in &units.details {
        text += &format!(
            "{} speaks for ‘{}’\n  differs most at ({}, {}), which sees {}\n  without it: ‘{a}’ {} \
             right, mean P {:.4}; ‘{b}’ {} right, mean P {:.4}\n",
            pictures::name(units, detail.channel),
            model.label(detail.speaks_for),
            detail.place.row,
            detail.place.col,
            words(detail.place.receptive_field),
            percent(detail.ablated.accuracy[0]),
            detail.ablated.mean_p[0],
            percent(detail.ablated.accuracy[1]),
            detail.ablated.mean_p[1]
        );
    }
    for (class, answers) in units.classes.iter().zip(&units.without_all) {
        text += &format!(
            "without all of these that speak for ‘{}’: ‘{a}’ {} right, mean P {:.4}; ‘{b}’ {} \
             right, mean P {:.4}\n",
            model.label(*class),
            percent(answers.accuracy[0]),
            answers.mean_p[0],
            percent(answers.accuracy[1]),
            answers.mean_p[1]
        );
    }
    text
}
