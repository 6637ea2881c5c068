//! `cutaway data …`.

use std::path::Path;

use cutaway::data::{OpenOptions, contact_sheet, export, fetch, list};
use serde_json::json;

use crate::args::{Common, Data};
use crate::console;
use crate::error::{Error, Result};

pub(crate) fn run(verb: &Data, common: &Common) -> Result<()> {
    match verb {
        Data::List => print_list(common),
        Data::Fetch { name } => download(name, common),
        Data::Show { data, count, train, out } => show(&data.data, *count, *train, out, common),
        Data::Export { data, out, gzip } => {
            let dataset = super::open_data(&data.data, common)?;
            export(&dataset, out, *gzip)?;
            report(
                common,
                &json!({ "dataset": dataset.name, "hash": dataset.hash, "out": out }),
                || {
                    format!(
                        "Wrote {} training and {} test images of {} to {}\n",
                        dataset.train.len(),
                        dataset.test.len(),
                        dataset.name,
                        out.display()
                    )
                },
            )
        }
    }
}

fn report(common: &Common, json: &serde_json::Value, text: impl Fn() -> String) -> Result<()> {
    if common.json { console::print_json(json) } else { console::print(&text()) }
}

fn print_list(common: &Common) -> Result<()> {
    let entries = list(&OpenOptions::default());
    let rows: Vec<_> = entries
        .iter()
        .map(|e| {
            json!({
                "name": e.name, "description": e.description, "present": e.present,
                "folder": e.folder, "download_bytes": e.download_bytes
            })
        })
        .collect();
    report(common, &json!({ "datasets": rows }), || {
        let line = |e: &cutaway::data::Entry| {
            let state = match (e.present, &e.folder) {
                (true, Some(folder)) => format!("in {}", folder.display()),
                (true, None) => "always here".to_owned(),
                (false, _) => {
                    let megabytes = e.download_bytes as f64 / 1e6;
                    format!("not here; `cutaway data fetch {}` downloads {megabytes:.0} MB", e.name)
                }
            };
            format!("{:<14} {}\n{:<14} {state}\n", e.name, e.description, "")
        };
        entries.iter().map(line).collect()
    })
}

fn download(name: &str, common: &Common) -> Result<()> {
    let options = OpenOptions {
        offline: common.offline,
        progress: console::data_progress(common.quiet || common.json),
        ..OpenOptions::default()
    };
    let folder = fetch(name, &options)?;
    report(common, &json!({ "name": name, "folder": folder }), || match &folder {
        Some(folder) => format!("{name} is in {}\n", folder.display()),
        None => format!("{name} needs no download\n"),
    })
}

fn show(spec: &str, count: usize, train: bool, out: &Path, common: &Common) -> Result<()> {
    let dataset = super::open_data(spec, common)?;
    let images = if train { &dataset.train } else { &dataset.test };
    if count == 0 {
        return Err(Error::Usage("--count 0 shows nothing: give at least 1".to_owned()));
    }
    let indices: Vec<usize> = (0..count.min(images.len()).min(10_000)).collect();
    let columns = (indices.len() as f64).sqrt().ceil() as usize;
    if let Some(folder) = out.parent().filter(|f| !f.as_os_str().is_empty()) {
        super::make_folder(folder)?;
    }
    contact_sheet(images, &indices, columns).write_png(out)?;
    let json = json!({
        "dataset": dataset.name, "hash": dataset.hash, "source": dataset.source,
        "train": dataset.train.len(), "test": dataset.test.len(), "labels": dataset.labels,
        "height": images.height, "width": images.width, "channels": images.channels,
        "shown": indices.len(), "picture": out
    });
    report(common, &json, || {
        format!(
            "{}: {} training and {} test images of {}×{}, {} classes ({})\nWrote {} of them to {}\n",
            dataset.name,
            dataset.train.len(),
            dataset.test.len(),
            images.height,
            images.width,
            dataset.classes(),
            dataset.source,
            indices.len(),
            out.display()
        )
    })
}
