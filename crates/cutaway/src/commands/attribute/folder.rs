//! `--images`: every picture of a folder, one after the other, so that memory does not grow with them.

use std::path::{Path, PathBuf};

use cutaway::Model;
use serde_json::{Value, json};

use super::output::{self, Tags};
use super::{Asked, Explained};
use crate::args::{self, Common};
use crate::console;
use crate::error::{Error, Result};
use crate::meter::Meter;
use crate::samples;

/// What is kept of a picture.
struct Kept {
    row: Vec<String>,
    json: Value,
}

/// What has come of a folder.
#[derive(Default)]
struct Found {
    kept: Vec<Kept>,
    files: Vec<PathBuf>,
    arrays: Vec<PathBuf>,
    left_out: Vec<Value>,
    lowered: Vec<Value>,
    /// Files that are no pictures for this model, and why.
    refused: Vec<Value>,
}

/// Explains every picture of a folder: a sheet each, and a summary in `attribute-images.json`.
pub(super) fn run(
    model: &Model,
    verb: &args::Attribute,
    common: &Common,
    folder: &Path,
    mut ask: Asked,
) -> Result<()> {
    let paths = cutaway::data::pictures_in(folder)?;
    super::super::make_folder(&verb.out)?;
    let meter = Meter::new("attributions", common);
    meter.total(ask.units(model, common) * paths.len());
    let (mut found, mut tags) = (Found::default(), Tags::default());
    for path in &paths {
        let sample = match samples::from_file(model, path, &verb.samples) {
            Ok((sample, notes)) => {
                notes
                    .iter()
                    .for_each(|note| console::say(&format!("note: {}: {note}", sample.source)));
                sample
            }
            Err(Error::Model(error)) => {
                console::say(&format!("note: left out: {error}"));
                let why = error.to_string();
                found.refused.push(json!({ "source": path.display().to_string(), "why": why }));
                continue;
            }
            Err(error) => return Err(error),
        };
        let one = ask.explain_whole(model, sample, &meter, verb, common)?;
        found.keep(model, verb, &one, &tags.of(&one.sample))?;
    }
    if found.kept.is_empty() {
        return Err(Error::Usage(format!(
            "--images {}: none of its {} pictures can be read; the notes above say why",
            folder.display(),
            paths.len()
        )));
    }
    drop(meter);
    found.tell(model, verb, common, folder)
}

impl Found {
    /// Writes a picture's sheet and keeps what does not grow with its size.
    fn keep(
        &mut self,
        model: &Model,
        verb: &args::Attribute,
        one: &Explained,
        tag: &str,
    ) -> Result<()> {
        let sheet = output::write_sheet(model, one, &verb.out, tag)?;
        let arrays = output::write_arrays(one, verb, tag)?;
        let (class, probability) = one.predicted;
        let target = one.attributions.first().map_or(class, |a| a.target.class);
        let seconds: f64 = one.attributions.iter().map(|a| a.seconds).sum();
        let mut attributions = output::attributions_json(one, &arrays);
        for value in &mut attributions {
            let value = value.as_object_mut().expect("an object");
            value.remove("map");
            if arrays.is_empty() {
                value.remove("values");
            }
        }
        let json = json!({
            "source": one.sample.source, "predicted": class, "probability": probability,
            "target": target, "seconds": seconds, "picture": sheet, "attributions": attributions
        });
        let row = vec![
            one.sample.source.clone(),
            model.label(class),
            format!("{probability:.4}"),
            model.label(target),
            format!("{seconds:.2}"),
            sheet.display().to_string(),
        ];
        self.kept.push(Kept { row, json });
        self.files.push(sheet);
        self.arrays.extend(arrays);
        self.left_out.extend(output::left_out_json(one));
        self.lowered.extend(one.lowered.iter().map(super::Lowered::to_json));
        Ok(())
    }

    fn tell(
        self,
        model: &Model,
        verb: &args::Attribute,
        common: &Common,
        folder: &Path,
    ) -> Result<()> {
        let file = verb.out.join("attribute-images.json");
        let images: Vec<&Value> = self.kept.iter().map(|kept| &kept.json).collect();
        let all = json!({
            "model": model.source(), "model_hash": model.network().hash(), "seed": common.seed,
            "preprocessing": model.network().metadata().preprocessing, "folder": folder,
            "images": images, "refused": self.refused, "left_out": self.left_out,
            "lowered": self.lowered, "pictures": self.files, "file": file
        });
        super::super::write_json(&file, &all)?;
        if common.json {
            return console::print_json(&all);
        }
        let rows: Vec<Vec<String>> = self.kept.iter().map(|kept| kept.row.clone()).collect();
        let head = ["picture", "predicted", "probability", "explained", "seconds", "sheet"];
        let count = rows.len();
        let mut text =
            format!("{count} of {} pictures of {}\n", count + self.refused.len(), folder.display());
        text += &super::super::windows::table(&head, &rows);
        for own in &self.lowered {
            let word = |key: &str| own[key].as_str().unwrap_or_default().to_owned();
            text += &format!(
                "lowered to fit the budget: {}, {} to {}\n",
                word("method"),
                word("from"),
                word("to")
            );
        }
        for path in self.arrays.iter().chain([&file]) {
            text += &format!("file: {}\n", path.display());
        }
        console::print(&text)
    }
}
