//! Every flag, declared once: the source of parsing, help, completions and the man page.

use std::path::PathBuf;

use clap::{Args as ClapArgs, Parser, Subcommand};
use cutaway::engine::{Isa, Options};
use cutaway::recurrent::lab::Parameter;

/// Opens a neural network and lets you look inside: what it has learnt, how good it is, how it
/// fails.
///
/// Start with `cutaway study`: it trains a CNN on handwritten digits and writes a report.
#[derive(Parser, Debug)]
#[command(name = "cutaway", version, propagate_version = true)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) verb: Verb,
    #[command(flatten)]
    pub(crate) common: Common,
}

/// Flags that every verb takes.
#[derive(ClapArgs, Clone, Debug)]
pub(crate) struct Common {
    /// Print one JSON object on standard output
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Seed of everything random
    #[arg(long, global = true, default_value_t = 1, value_name = "N")]
    pub(crate) seed: u64,
    /// Threads; 0 for one per processor. Results do not depend on it
    #[arg(long, global = true, default_value_t = 0, value_name = "N")]
    pub(crate) threads: usize,
    /// Instructions to use: auto, avx512, avx2, portable or scalar
    #[arg(long, global = true, default_value = "auto", value_name = "SET")]
    pub(crate) isa: String,
    /// Never use the network
    #[arg(long, global = true)]
    pub(crate) offline: bool,
    /// Say nothing but the result
    #[arg(long, short, global = true)]
    pub(crate) quiet: bool,
}

impl Common {
    pub(crate) fn engine(&self) -> crate::error::Result<Options> {
        let isa: Isa = self.isa.parse().map_err(crate::error::Error::Usage)?;
        Ok(Options { threads: self.threads, isa: Some(isa) })
    }
}

#[derive(Subcommand, Debug)]
pub(crate) enum Verb {
    /// Train a network (or take one), evaluate it and write a report that opens in a browser
    Study(Study),
    /// Train the reference CNN
    Train(Train),
    /// Accuracy, loss, confusion, calibration and the worst mistakes of a model
    Evaluate(Evaluate),
    /// A table of a model's layers: shapes, parameters, multiply-adds, receptive fields
    Summary(Summary),
    /// Pictures of convolutional filters
    Filters(Filters),
    /// Classify image files or test samples
    Predict(Predict),
    /// A recurrent network worked out by hand: every number, every gradient through time three ways
    Rnn(Rnn),
    /// The data sets: list, fetch, show, export
    #[command(subcommand)]
    Data(Data),
    /// Print a completion script for a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Print the manual page (roff)
    Man,
}

/// Which model.
#[derive(ClapArgs, Clone, Debug)]
pub(crate) struct ModelArg {
    /// An ONNX file, or `builtin`: the reference CNN trained on MNIST
    #[arg(long, default_value = "builtin", value_name = "FILE")]
    pub(crate) model: String,
}

/// Which data.
#[derive(ClapArgs, Clone, Debug)]
pub(crate) struct DataArg {
    /// auto, mnist, fashion-mnist, strokes, or a folder: IDX files, or images with a sub-folder a
    /// class
    #[arg(long, default_value = "auto", value_name = "NAME|PATH")]
    pub(crate) data: String,
}

/// Which images.
#[derive(ClapArgs, Clone, Debug)]
pub(crate) struct SampleArgs {
    #[command(flatten)]
    pub(crate) data: DataArg,
    /// A test sample by its index; may be given several times
    #[arg(long, value_name = "N")]
    pub(crate) sample: Vec<usize>,
    /// The first correctly classified test sample of a class; may be given several times
    #[arg(long, value_name = "D")]
    pub(crate) digit: Vec<usize>,
    /// An image file (PNG, JPEG, BMP, WebP); may be given several times
    #[arg(long, value_name = "FILE")]
    pub(crate) image: Vec<PathBuf>,
    /// Resize image files of another size to the model's
    #[arg(long)]
    pub(crate) resize: bool,
    /// Invert image files first: models of handwriting expect bright ink on black
    #[arg(long)]
    pub(crate) invert: bool,
}

/// How to train.
#[derive(ClapArgs, Clone, Debug)]
pub(crate) struct Training {
    /// `best`, or `reference`: the study's plain SGD
    #[arg(long, default_value = "best", value_parser = ["best", "reference"])]
    pub(crate) recipe: String,
    /// Passes over the training images, instead of the recipe's
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=100_000))]
    pub(crate) epochs: Option<u64>,
    /// Images in a batch, instead of the recipe's
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=65_536))]
    pub(crate) batch_size: Option<u64>,
    /// Go on from the checkpoint in the output folder, to the same bits as without interruption
    #[arg(long)]
    pub(crate) resume: bool,
}

#[derive(ClapArgs, Debug)]
pub(crate) struct Study {
    #[command(flatten)]
    pub(crate) data: DataArg,
    /// Study this ONNX file, or `builtin`, instead of training
    #[arg(long, value_name = "FILE")]
    pub(crate) model: Option<String>,
    #[command(flatten)]
    pub(crate) training: Training,
    /// Folder for the report
    #[arg(long, default_value = "cutaway-out", value_name = "DIR")]
    pub(crate) out: PathBuf,
}

#[derive(ClapArgs, Debug)]
pub(crate) struct Train {
    #[command(flatten)]
    pub(crate) data: DataArg,
    #[command(flatten)]
    pub(crate) training: Training,
    /// Folder for the model, the checkpoint and the metrics
    #[arg(long, default_value = "cutaway-out", value_name = "DIR")]
    pub(crate) out: PathBuf,
}

#[derive(ClapArgs, Debug)]
pub(crate) struct Evaluate {
    #[command(flatten)]
    pub(crate) model: ModelArg,
    #[command(flatten)]
    pub(crate) data: DataArg,
    /// Write figures and tables into this folder
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
}

#[derive(ClapArgs, Debug)]
pub(crate) struct Summary {
    #[command(flatten)]
    pub(crate) model: ModelArg,
}

#[derive(ClapArgs, Debug)]
pub(crate) struct Filters {
    #[command(flatten)]
    pub(crate) model: ModelArg,
    /// A convolution; may be given several times. Default: the first
    #[arg(long, value_name = "NAME")]
    pub(crate) layer: Vec<String>,
    /// Folder for the pictures
    #[arg(long, default_value = "cutaway-out", value_name = "DIR")]
    pub(crate) out: PathBuf,
}

#[derive(ClapArgs, Debug)]
pub(crate) struct Predict {
    /// Image files (PNG, JPEG, BMP, WebP)
    pub(crate) files: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) model: ModelArg,
    #[command(flatten)]
    pub(crate) samples: SampleArgs,
}

#[derive(Subcommand, Debug)]
pub(crate) enum Data {
    /// The data sets known by name, and which are here
    List,
    /// Download a data set into the cache folder
    Fetch {
        /// mnist or fashion-mnist
        name: String,
    },
    /// Write a contact sheet of images as PNG
    Show {
        #[command(flatten)]
        data: DataArg,
        /// How many images
        #[arg(long, default_value_t = 100, value_name = "N")]
        count: usize,
        /// Of the training images instead of the test images
        #[arg(long)]
        train: bool,
        /// The picture
        #[arg(long, default_value = "cutaway-out/data.png", value_name = "FILE")]
        out: PathBuf,
    },
    /// Write a data set as IDX files
    Export {
        #[command(flatten)]
        data: DataArg,
        /// Folder for the four files
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
        /// Compress them
        #[arg(long)]
        gzip: bool,
    },
}

#[derive(ClapArgs, Debug)]
pub(crate) struct Rnn {
    /// The problem, a TOML file with W, U, V, b, c, inputs and loss. Default: problem 3 of the
    /// reference study
    pub(crate) problem: Option<PathBuf>,
    /// Only the gradients of the loss of step T, or of the `sum`. Default: of all of them; derivation
    /// and gradient steps are of the last
    #[arg(long, value_name = "T|sum")]
    pub(crate) loss: Option<String>,
    /// Step of the central differences
    #[arg(long, default_value_t = 1e-5, value_name = "X")]
    pub(crate) step: f64,
    /// Gradient steps
    #[arg(long, default_value_t = 1, value_name = "N")]
    pub(crate) steps: usize,
    /// Their learning rate
    #[arg(long, default_value_t = 0.01, value_name = "X")]
    pub(crate) rate: f64,
    /// What they change, such as `W,b`. Default: what the problem says
    #[arg(long, value_delimiter = ',', value_name = "NAMES")]
    pub(crate) update: Vec<Parameter>,
    /// Print the derivation as LaTeX, and nothing else
    #[arg(long)]
    pub(crate) latex: bool,
    /// Print the study's problem as a file to start from, and nothing else
    #[arg(long)]
    pub(crate) template: bool,
    /// Write figures into this folder
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
}
