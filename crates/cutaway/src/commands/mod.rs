//! One file a verb.

mod data;
mod evaluate;
mod filters;
mod predict;
pub(crate) mod rnn;
mod study;
mod summary;
mod train;

pub(crate) use train::wrong;

use clap::CommandFactory;
use cutaway::Model;
use cutaway::data::{Dataset, OpenOptions};

use crate::args::{Args, Common, Verb};
use crate::console;
use crate::error::{Error, Result};

/// Runs the verb that was asked for.
pub(crate) fn run(args: Args) -> Result<()> {
    let common = &args.common;
    match args.verb {
        Verb::Study(verb) => study::run(&verb, common),
        Verb::Train(verb) => train::run(&verb, common),
        Verb::Evaluate(verb) => evaluate::run(&verb, common),
        Verb::Summary(verb) => summary::run(&verb, common),
        Verb::Filters(verb) => filters::run(&verb, common),
        Verb::Predict(verb) => predict::run(&verb, common),
        Verb::Rnn(verb) => rnn::run(&verb, common),
        Verb::Data(verb) => data::run(&verb, common),
        Verb::Completions { shell } => completions(shell),
        Verb::Man => man(),
    }
}

fn completions(shell: clap_complete::Shell) -> Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Args::command(), "cutaway", &mut script);
    console::print(&String::from_utf8_lossy(&script))
}

fn man() -> Result<()> {
    let mut page = Vec::new();
    let command = Args::command();
    clap_mangen::Man::new(command).render(&mut page).expect("writing to memory");
    for verb in Args::command().get_subcommands() {
        let verb = verb.clone();
        let man = clap_mangen::Man::new(verb);
        man.render_synopsis_section(&mut page).expect("writing to memory");
        man.render_description_section(&mut page).expect("writing to memory");
        man.render_options_section(&mut page).expect("writing to memory");
    }
    console::print(&String::from_utf8_lossy(&page))
}

/// Opens a data set and tells the user what they must know about it.
pub(crate) fn open_data(spec: &str, common: &Common) -> Result<Dataset> {
    let options = OpenOptions {
        offline: common.offline,
        seed: common.seed,
        progress: console::data_progress(common.quiet || common.json),
        ..OpenOptions::default()
    };
    let dataset = cutaway::data::open(spec, &options)?;
    if let Some(notice) = &dataset.notice {
        console::say(&format!("note: {notice}"));
    }
    Ok(dataset)
}

fn open_model(spec: &str, common: &Common) -> Result<Model> {
    Ok(Model::open(spec, &common.engine()?)?)
}

/// The output folder, made if it is not there.
fn make_folder(folder: &std::path::Path) -> Result<()> {
    std::fs::create_dir_all(folder).map_err(|source| Error::Io {
        action: "make the folder",
        path: folder.to_owned(),
        source,
    })
}

fn write(path: &std::path::Path, bytes: &[u8]) -> Result<()> {
    Ok(cutaway::report::write_atomic(path, bytes)?)
}
