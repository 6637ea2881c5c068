//! One file a verb.

pub(crate) mod attack;
pub(crate) mod attribute;
mod check;
pub(crate) mod classes;
pub(crate) mod corrupt;
mod data;
mod evaluate;
mod filters;
pub(crate) mod maps;
mod occlude;
mod predict;
pub(crate) mod rnn;
pub(crate) mod sequence;
pub(crate) mod shift;
mod study;
mod study_windows;
mod summary;
mod train;
mod transplant;
mod units;
pub(crate) mod visualise;
mod windows;

pub(crate) use train::{epochs, wrong};

use std::path::PathBuf;

use clap::CommandFactory;
use cutaway::Model;
use cutaway::data::{Dataset, Images, OpenOptions};
use cutaway::engine::{Options, Strategy};
use cutaway::report::Figure;

use crate::args::{Args, Common, ModelArg, SampleArgs, Verb};
use crate::error::{Error, Result};
use crate::samples::Sample;
use crate::{answer, console, preprocess};

/// Runs the verb that was asked for.
pub(crate) fn run(args: Args) -> Result<()> {
    let common = &args.common;
    match args.verb {
        Verb::Study(verb) => study::run(&verb, common),
        Verb::Train(verb) => train::run(&verb, common),
        Verb::Evaluate(verb) => evaluate::run(&verb, common),
        Verb::Check(verb) => check::run(&verb, common),
        Verb::Summary(verb) => summary::run(&verb, common),
        Verb::Filters(verb) => filters::run(&verb, common),
        Verb::Predict(verb) => predict::run(&verb, common),
        Verb::Occlude(verb) => occlude::run(&verb, common),
        Verb::Transplant(verb) => transplant::run(&verb, common),
        Verb::Shift(verb) => shift::run(&verb, common),
        Verb::Corrupt(verb) => corrupt::run(&verb, common),
        Verb::Maps(verb) => maps::run(&verb, common),
        Verb::Units(verb) => units::run(&verb, common),
        Verb::Rnn(verb) => rnn::run(&verb, common),
        Verb::Sequence(verb) => sequence::run(&verb, common),
        Verb::Attack(verb) => attack::run(&verb, common),
        Verb::Attribute(verb) => attribute::run(&verb, common),
        Verb::Visualise(verb) => visualise::run(&verb, common),
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
    let mut command = Args::command();
    command.build();
    let mut page = Vec::new();
    clap_mangen::Man::new(command.clone()).render(&mut page).expect("writing to memory");
    let mut page = String::from_utf8_lossy(&page).into_owned();
    command.get_subcommands().for_each(|verb| man_of(verb, &mut page));
    console::print(&page)
}

/// A section for a verb, and one for each of its own verbs. The flags that every verb takes stand at
/// the top of the page only.
fn man_of(verb: &clap::Command, page: &mut String) {
    if verb.get_name() == "help" {
        return;
    }
    let hide = |arg: clap::Arg| if arg.is_global_set() { arg.hide(true) } else { arg };
    let man = clap_mangen::Man::new(verb.clone().mut_args(hide));
    let mut text = Vec::new();
    man.render_synopsis_section(&mut text).expect("writing to memory");
    man.render_description_section(&mut text).expect("writing to memory");
    man.render_options_section(&mut text).expect("writing to memory");
    let name = verb.get_bin_name().unwrap_or(verb.get_name());
    *page += &format!(".SH \"{}\"\n", name.to_uppercase());
    *page += &String::from_utf8_lossy(&text).replace(".SH ", ".SS ");
    verb.get_subcommands().for_each(|verb| man_of(verb, page));
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

/// [`open_data`] for a model: says so where its classes have other names than the data set's.
pub(crate) fn open_data_for(model: &Model, spec: &str, common: &Common) -> Result<Dataset> {
    let dataset = open_data(spec, common)?;
    let ours = &model.network().metadata().labels;
    if ours.len() == dataset.labels.len() && *ours != dataset.labels {
        console::say(&format!(
            "note: the model says {}, the classes of {} are {}: they are matched by their order",
            first_few(ours),
            dataset.name,
            first_few(&dataset.labels)
        ));
    }
    Ok(dataset)
}

/// `0, 1, 2, …`
fn first_few(names: &[String]) -> String {
    let mut text = names.iter().take(3).cloned().collect::<Vec<_>>().join(", ");
    if names.len() > 3 {
        text += ", …";
    }
    text
}

/// As [`open_model_on`], with a say in how windows are computed.
fn open_model_for_sweeps(
    arg: &ModelArg,
    samples: &SampleArgs,
    strategy: Strategy,
    common: &Common,
) -> Result<Model> {
    open_with(arg, Some(samples), &Options { strategy, ..common.engine()? }, common)
}

fn open_model(arg: &ModelArg, common: &Common) -> Result<Model> {
    open_with(arg, None, &common.engine()?, common)
}

/// As [`open_model`], for images: where the model's output is more than one number a class, the answer
/// is the place that the first image file speaks for.
fn open_model_on(arg: &ModelArg, samples: &SampleArgs, common: &Common) -> Result<Model> {
    open_with(arg, Some(samples), &common.engine()?, common)
}

/// Opens a model with the preprocessing, answer and labels that were given, and says how images become
/// its input.
fn open_with(
    arg: &ModelArg,
    samples: Option<&SampleArgs>,
    options: &Options,
    common: &Common,
) -> Result<Model> {
    let read = Model::read(&arg.model)?;
    if preprocess::channels_last(&read, arg) {
        let shape = read.shape(read.input());
        console::say(&format!(
            "layout: the file takes images {shape:?} with the channels last; they are turned in front of it"
        ));
    }
    let read = preprocess::turned(read, arg)?;
    let bgr = preprocess::is_bgr(arg, &read)?;
    let mut network = preprocess::fitted(read, arg)?;
    let assumed = arg.preprocess.is_empty() && preprocess::is_assumed(&network);
    if arg.model != "builtin" && (assumed || !common.quiet) {
        let mut note = format!("preprocessing: {}", network.metadata().preprocessing);
        if bgr {
            note += ", to a network that takes BGR";
        }
        if assumed {
            note += " (assumed, the file says nothing; --preprocess gives another)";
        }
        console::say(&note);
    }
    if let (Some(samples), true) = (samples, answer::is_missing(&network)) {
        network = answer::at_best_place(network, &arg.model, samples, options)?;
    }
    Ok(Model::new(&preprocess::labelled(network, arg)?, &arg.model, options)?)
}

/// Name of the node whose numbers are the answer, with the place where it has several.
fn answering_node(model: &Model) -> &str {
    let network = model.network();
    &network.node(network.output()).name
}

/// A `--limit` that the data set has images for.
fn check_limit(limit: usize, dataset: &Dataset) -> Result<usize> {
    let count = dataset.test.len();
    if !(1..=count).contains(&limit) {
        return Err(Error::Usage(format!(
            "--limit {limit} is out of range: {} has {count} test images, give 1 to {count}",
            dataset.name
        )));
    }
    Ok(limit)
}

/// The first `count` images.
fn first_images(images: &Images, count: usize) -> Images {
    images.select(&(0..count.min(images.len())).collect::<Vec<_>>())
}

/// The output folder, made if it is not there.
fn make_folder(folder: &std::path::Path) -> Result<()> {
    std::fs::create_dir_all(folder).map_err(|source| Error::Io {
        action: "make the folder",
        path: folder.to_owned(),
        source,
    })
}

/// A result as a JSON file.
fn write_json(path: &std::path::Path, value: &impl serde::Serialize) -> Result<()> {
    let mut text = serde_json::to_vec_pretty(value).expect("results serialise");
    text.push(b'\n');
    write(path, &text)
}

/// How a data set is named in a command that is to be repeated later, where `auto` may find another.
fn spelled(spec: &str, dataset: &Dataset) -> String {
    quoted(if spec == "auto" { &dataset.name } else { spec })
}

/// A word as a shell takes it.
pub(crate) fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "-_./+=:@%,".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', "'\\''"))
}

fn write(path: &std::path::Path, bytes: &[u8]) -> Result<()> {
    Ok(cutaway::report::write_atomic(path, bytes)?)
}

/// Writes what the network is shown of each image file beside the file's picture, as `input-NAME`; the
/// paths of the PNG files.
fn save_inputs<'a>(
    model: &Model,
    samples: impl IntoIterator<Item = &'a Sample>,
    folder: &std::path::Path,
) -> Result<Vec<PathBuf>> {
    let mut paths = Vec::new();
    for sample in samples {
        if let Some(figure) = crate::figures::input::figure(model, sample)? {
            paths.push(save(&figure, folder, &format!("input-{}", maps::tag(sample)))?);
        }
    }
    Ok(paths)
}

/// Writes a figure as `NAME.png` and `NAME.svg` into a folder and gives the path of the first.
fn save(figure: &Figure, folder: &std::path::Path, name: &str) -> Result<PathBuf> {
    crate::figures::save(folder, name, figure)?;
    Ok(folder.join(format!("{name}.png")))
}

/// A layer's name as part of a file's name: ONNX names may hold anything.
fn file_name(layer: &str) -> String {
    let safe = |c: char| if c.is_alphanumeric() || "-_.".contains(c) { c } else { '_' };
    layer.chars().map(safe).take(80).collect()
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn words_reach_the_shell_as_they_are() {
        assert_eq!(quoted("./out-1/model.onnx"), "./out-1/model.onnx");
        assert_eq!(quoted("two words"), "'two words'");
        assert_eq!(quoted("$HOME; it's"), r"'$HOME; it'\''s'");
        assert_eq!(quoted(""), "''");
    }
}
