//! `cutaway occlude`.

use cutaway::Model;
use cutaway::data::Dataset;
use cutaway::probe::{OcclusionSettings, Size, accuracy_by_size, occlude_many};
use serde_json::json;

use super::windows;
use crate::args::{Common, Occlude};
use crate::chapters::occlude::{Covering, ManyCoverings};
use crate::chapters::windows::{CLIFF_HEAD, cliff_rows};
use crate::error::{Error, Result};
use crate::figures::windows::{case_name, probability};
use crate::{console, samples};

/// Sides of the windows for accuracy against size, where a limit makes that quick.
const SIDES: [usize; 7] = [2, 4, 6, 8, 10, 12, 14];

pub(crate) fn run(verb: &Occlude, common: &Common) -> Result<()> {
    let model = super::open_model_for_sweeps(&verb.model, &verb.samples, verb.strategy, common)?;
    let many_wanted = verb.all || verb.limit.is_some();
    if !verb.sizes.is_empty() && !many_wanted {
        return Err(Error::Usage("--sizes needs many images: give --limit N or --all".to_owned()));
    }
    let default = [windows::default_class(&model, 6)];
    let mut chosen = samples::choose(&model, &verb.samples, common, &default, many_wanted)?;
    let sample = windows::one(&mut chosen, "occlude")?;
    let truth = windows::truth(&model, &sample)?;
    let (window, stride) = windows::slide(&model, verb.patch, verb.stride, 8);
    let settings = OcclusionSettings { window, stride, cover: verb.fill, seed: common.seed };
    let mut progress = console::counter(common.quiet || common.json, "windows");
    let covering = Covering::new(&model, sample, truth, settings, &mut progress)?;
    let many = match (&chosen.dataset, many_wanted) {
        (Some(dataset), true) => Some(cover_many(&model, dataset, verb, &settings, common)?),
        _ => None,
    };
    let mut figures = covering.figures(&model)?;
    if let Some(many) = &many {
        figures.extend(many.figures(&model)?);
    }
    let mut pictures = windows::save(&verb.out, &figures)?;
    let inputs = super::save_inputs(&model, [&covering.sample], &verb.out)?;
    pictures.extend(inputs.iter().map(|path| path.display().to_string()));
    if common.json {
        let dataset = chosen.dataset.as_ref();
        let mut all =
            windows::with_head(&covering.result, &model, dataset, &covering.sample, common);
        if let Some(many) = &many {
            all["many"] = json!(many.many);
            all["sizes"] = json!(many.sizes);
        }
        all["pictures"] = json!(pictures);
        return console::print_json(&all);
    }
    let mut text = windows::title(&model, &covering.sample, truth);
    text += &describe(&model, &covering);
    let mut sentences = covering.sentences(&model);
    if let Some(many) = &many {
        sentences.extend(many.sentences(&model));
    }
    console::print(&(text + &windows::text(&sentences, &pictures)))
}

fn cover_many(
    model: &Model,
    dataset: &Dataset,
    verb: &Occlude,
    settings: &OcclusionSettings,
    common: &Common,
) -> Result<ManyCoverings> {
    let images = &dataset.test;
    let indices = windows::first_of_each(images, verb.limit);
    let quiet = common.quiet || common.json;
    let side = images.height.min(images.width);
    let sizes: Vec<Size> = match (&verb.sizes[..], verb.limit) {
        ([], None) => Vec::new(),
        ([], Some(_)) => SIDES.into_iter().filter(|&s| s <= side).map(Size::square).collect(),
        (sizes, _) => sizes.to_vec(),
    };
    for &size in &sizes {
        // Before the long work, not after it.
        let image = Size { height: images.height, width: images.width };
        cutaway::probe::Windows::new(image, size, settings.stride)?;
    }
    let mut progress = console::counter(quiet, "images covered");
    let many = occlude_many(model.engine(), images, &indices, settings, &mut progress)?;
    let mut progress = console::counter(quiet, "images covered, sizes of window");
    let sizes = match sizes.is_empty() {
        true => Vec::new(),
        false => {
            let engine = model.engine();
            accuracy_by_size(engine, images, &indices, &sizes, settings, &mut progress)?
        }
    };
    Ok(ManyCoverings { many, sizes })
}

/// The telling windows and the cliffs as tables.
fn describe(model: &Model, covering: &Covering) -> String {
    let sweep = &covering.result.sweep;
    let head = ["window", "row", "column", "P(true)", "says", "P"];
    let rows = sweep.telling.iter().map(|case| {
        vec![
            case_name(model, case),
            case.row.to_string(),
            case.col.to_string(),
            probability(case.p_true),
            model.label(case.predicted),
            probability(case.p_predicted),
        ]
    });
    let telling = windows::table(&head, &rows.collect::<Vec<_>>());
    let cliffs = windows::table(&CLIFF_HEAD, &cliff_rows(model, sweep));
    format!("telling windows\n{telling}cliffs\n{cliffs}")
}
