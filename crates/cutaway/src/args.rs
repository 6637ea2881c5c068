//! Every flag, declared once: the source of parsing, help, completions and the man page.

use std::path::PathBuf;

use clap::{Args as ClapArgs, Parser, Subcommand};
use cutaway::engine::{Isa, Options, Strategy};
use cutaway::explain::attribution::{Baseline, LrpBiases, LrpProducts, Output, Segments};
use cutaway::explain::visualise::Parametrisation;
use cutaway::probe::attack::Norm;
use cutaway::probe::{Cover, Size};
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
    #[arg(long, global = true, default_value_t = 0, value_name = "N", value_parser = threads())]
    pub(crate) threads: usize,
    /// Instructions to use: auto, avx512, avx2, portable or scalar
    #[arg(long, global = true, default_value = "auto", value_name = "SET")]
    pub(crate) isa: String,
    /// Never use the network
    #[arg(long, global = true)]
    pub(crate) offline: bool,
    /// Show no progress
    #[arg(long, short, global = true)]
    pub(crate) quiet: bool,
}

/// More threads than any machine has processors only take memory, and a great many of them hours.
fn threads() -> clap::builder::RangedU64ValueParser<usize> {
    clap::builder::RangedU64ValueParser::new().range(0..=1024)
}

impl Common {
    pub(crate) fn engine(&self) -> crate::error::Result<Options> {
        let isa: Isa = self.isa.parse().map_err(crate::error::Error::Usage)?;
        Ok(Options { threads: self.threads, isa: Some(isa), ..Options::default() })
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
    /// Check a model: what its file says, against ONNX Runtime, gradients against finite differences
    Check(Check),
    /// A table of a model's layers: shapes, parameters, multiply-adds, receptive fields
    Summary(Summary),
    /// Pictures of convolutional filters, and what tells them apart
    Filters(Filters),
    /// Classify image files or test samples
    Predict(Predict),
    /// Slide a window over an image that covers it: what does the network look at?
    Occlude(Occlude),
    /// Slide a window over an image that shows another image: what fools the network?
    Transplant(Transplant),
    /// Shift, turn, scale or shear an image and see what the network says; accuracy against each
    Shift(Shift),
    /// Accuracy under the fifteen corruptions of MNIST-C, with pictures
    Corrupt(Corrupt),
    /// Feature maps of images, where a map comes from, and the sum behind one number of it
    Maps(Maps),
    /// Which channels of a layer tell two classes apart, what drives them, and what becomes of the
    /// classes without them
    Units(Units),
    /// A recurrent network worked out by hand: every number, every gradient through time three ways
    Rnn(Rnn),
    /// Networks that read sequences (RNN, LSTM, GRU, echo state): compared, and how each remembers
    Sequence(Sequence),
    /// Fool the network: adversarial attacks, robust accuracy, a certificate against patches
    Attack(Attack),
    /// Which parts of an image speak for a class: attributions by the standard methods, scored
    Attribute(Attribute),
    /// Images made to drive a class, channel, unit or direction as far as they can, beside the data's
    Visualise(Visualise),
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
    /// How images become the network's input, instead of what the file says: mnist, imagenet-torch,
    /// imagenet-tf, raw255, or a TOML file; then single settings KEY=VALUE, such as
    /// resize=shortest:256, crop=centre, order=bgr, scale=1/255, mean=…, std=…
    #[arg(long, value_name = "PRESET|FILE|KEY=VALUE")]
    pub(crate) preprocess: Vec<String>,
    /// Whether the file takes images with the channels first (nchw) or last (nhwc); auto looks at the sizes
    #[arg(long, default_value = "auto", value_name = "LAYOUT", value_parser = ["auto", "nchw", "nhwc"])]
    pub(crate) layout: String,
    /// Names of the classes instead of those that the file has: `imagenet`, or a file, one a line
    #[arg(long, value_name = "imagenet|FILE")]
    pub(crate) labels: Option<PathBuf>,
    /// The output whose numbers are the scores of the classes, and the place in it where it has
    /// several: scores:12, scores:3,4, or scores:*,12 with a star for the axis of the classes
    #[arg(long, value_name = "NAME[:PLACE]")]
    pub(crate) answer: Option<String>,
}

impl ModelArg {
    /// The model as it is, without flags of its own.
    pub(crate) fn plain(model: &str) -> Self {
        let layout = "auto".to_owned();
        Self { model: model.to_owned(), preprocess: vec![], layout, labels: None, answer: None }
    }
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
    /// An image file (PNG, JPEG, WebP, BMP, GIF, PNM); may be given several times
    #[arg(long, value_name = "FILE")]
    pub(crate) image: Vec<PathBuf>,
    /// Stretch image files of another size to the model's, where its preprocessing has no rule for it
    #[arg(long)]
    pub(crate) resize: bool,
    /// Invert image files first: models of handwriting expect bright ink on black
    #[arg(long)]
    pub(crate) invert: bool,
}

/// How to train.
#[derive(ClapArgs, Clone, Debug)]
pub(crate) struct Training {
    /// `best`: whatever training gets the most out of it; `reference`: plain SGD with momentum
    #[arg(long, default_value = "best", value_parser = ["best", "reference"])]
    pub(crate) recipe: String,
    /// Passes over the training images, instead of the recipe's (a study: of 8)
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
    /// Folder for the model, the checkpoint, the metrics and the curves
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
    /// Write a diagram of the layers into this folder
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
}

#[derive(ClapArgs, Debug)]
pub(crate) struct Check {
    #[command(flatten)]
    pub(crate) model: ModelArg,
    /// An image file to check with, beside a random input; may be given several times
    #[arg(long, value_name = "FILE")]
    pub(crate) image: Vec<PathBuf>,
    /// Stretch image files of another size to the model's, where its preprocessing has no rule for it
    #[arg(long)]
    pub(crate) resize: bool,
    /// A Python with onnxruntime. Default: what CUTAWAY_PYTHON names, or python3
    #[arg(long, value_name = "PATH")]
    pub(crate) python: Option<PathBuf>,
}

#[derive(ClapArgs, Debug)]
pub(crate) struct Filters {
    #[command(flatten)]
    pub(crate) model: ModelArg,
    /// A convolution; may be given several times. Default: the first three
    #[arg(long, value_name = "NAME")]
    pub(crate) layer: Vec<String>,
    /// Show every filter's weights for this input channel, instead of norms over all of them
    #[arg(long, value_name = "N")]
    pub(crate) channel: Option<usize>,
    /// Order of the filters: `index`, or `similarity`, which makes neighbours of similar ones
    #[arg(long, default_value = "index", value_parser = ["index", "similarity"])]
    pub(crate) order: String,
    /// Folder for the pictures
    #[arg(long, default_value = "cutaway-out", value_name = "DIR")]
    pub(crate) out: PathBuf,
}

#[derive(ClapArgs, Debug)]
pub(crate) struct Predict {
    /// Image files (PNG, JPEG, WebP, BMP, GIF, PNM)
    pub(crate) files: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) model: ModelArg,
    #[command(flatten)]
    pub(crate) samples: SampleArgs,
    /// Write each image file's picture beside what the network is shown of it into this folder
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
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
pub(crate) struct Occlude {
    #[command(flatten)]
    pub(crate) model: ModelArg,
    #[command(flatten)]
    pub(crate) samples: SampleArgs,
    /// The window: a side (8), or rows x columns (6x10). Default: 8, on images of more than 64 pixels
    /// a fourteenth of the side
    #[arg(long, value_name = "SIZE")]
    pub(crate) patch: Option<Size>,
    /// Pixels from one place of the window to the next. Default: 1, on images of more than 64 pixels
    /// half the window
    #[arg(long, value_name = "N")]
    pub(crate) stride: Option<usize>,
    /// What it shows: a pixel value from 0 (black) to 255 (white), mean, blur, noise or inpaint
    #[arg(long, default_value = "0", value_name = "FILL")]
    pub(crate) fill: Cover,
    /// Cover the first N test images of every class, too
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) limit: Option<u64>,
    /// Cover every test image, too
    #[arg(long, conflicts_with = "limit")]
    pub(crate) all: bool,
    /// With --limit or --all: accuracy under windows of these sizes, too
    #[arg(long, value_name = "SIZE,…", value_delimiter = ',')]
    pub(crate) sizes: Vec<Size>,
    /// How the windows are computed: full, incremental (only what each can reach, to the same bits),
    /// rounded (less still, equal to rounding), or auto
    #[arg(long, default_value = "auto", value_name = "WAY")]
    pub(crate) strategy: Strategy,
    /// Folder for the pictures
    #[arg(long, default_value = "cutaway-out", value_name = "DIR")]
    pub(crate) out: PathBuf,
}

#[derive(ClapArgs, Debug)]
pub(crate) struct Transplant {
    #[command(flatten)]
    pub(crate) model: ModelArg,
    #[command(flatten)]
    pub(crate) samples: SampleArgs,
    /// The donor: the first correctly classified test sample of a class other than the image
    /// itself. Default: 5
    #[arg(long, value_name = "CLASS", conflicts_with = "donor_sample")]
    pub(crate) donor: Option<usize>,
    /// The donor: a test sample by its index
    #[arg(long, value_name = "N")]
    pub(crate) donor_sample: Option<usize>,
    /// The window: a side (10), or rows x columns (6x10). Default: 10, on images of more than 64 pixels
    /// a fourteenth of the side
    #[arg(long, value_name = "SIZE")]
    pub(crate) window: Option<Size>,
    /// Pixels from one place of the window to the next. Default: 1, on images of more than 64 pixels
    /// half the window
    #[arg(long, value_name = "N")]
    pub(crate) stride: Option<usize>,
    /// Donors of each class that are compared; 0 for none
    #[arg(long, default_value_t = 3, value_name = "N")]
    pub(crate) donors: usize,
    /// Put donors of every class into the first N test images of every class, too
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) limit: Option<u64>,
    /// How the windows are computed: full, incremental (only what each can reach, to the same bits),
    /// rounded (less still, equal to rounding), or auto
    #[arg(long, default_value = "auto", value_name = "WAY")]
    pub(crate) strategy: Strategy,
    /// Folder for the pictures
    #[arg(long, default_value = "cutaway-out", value_name = "DIR")]
    pub(crate) out: PathBuf,
}

#[derive(ClapArgs, Debug)]
pub(crate) struct Shift {
    #[command(flatten)]
    pub(crate) model: ModelArg,
    #[command(flatten)]
    pub(crate) samples: SampleArgs,
    /// Shifts to the right in pixels, fractions too; negative ones to the left. Default: -3,3
    #[arg(long, value_name = "PX,…", value_delimiter = ',', allow_hyphen_values = true)]
    pub(crate) dx: Vec<f64>,
    /// Shifts down in pixels, each with each of --dx; negative ones up
    #[arg(long, value_name = "PX,…", value_delimiter = ',', allow_hyphen_values = true)]
    pub(crate) dy: Vec<f64>,
    /// Turns clockwise in degrees
    #[arg(long, value_name = "DEG,…", value_delimiter = ',', allow_hyphen_values = true)]
    pub(crate) rotate: Vec<f64>,
    /// Sizes: 2 is twice as large
    #[arg(long, value_name = "F,…", value_delimiter = ',', allow_hyphen_values = true)]
    pub(crate) scale: Vec<f64>,
    /// Shears in degrees, as Keras defines them
    #[arg(long, value_name = "DEG,…", value_delimiter = ',', allow_hyphen_values = true)]
    pub(crate) shear: Vec<f64>,
    /// What comes in from beyond the border, as in Keras: nearest, constant, reflect or wrap
    #[arg(long, default_value = "nearest", value_name = "MODE")]
    pub(crate) fill_mode: String,
    /// The pixel value (0 to 255) that `constant` fills in. Default: 0
    #[arg(long, value_name = "V", allow_hyphen_values = true)]
    pub(crate) cval: Option<f32>,
    /// The grid has every shift by up to so many whole pixels
    #[arg(long, default_value_t = 10, value_name = "PX")]
    pub(crate) range: usize,
    /// Measure the curves on the first N test images only
    #[arg(long, value_name = "N")]
    pub(crate) limit: Option<usize>,
    /// Leave the curves over the test set out
    #[arg(long)]
    pub(crate) no_curve: bool,
    /// Folder for the pictures
    #[arg(long, default_value = "cutaway-out", value_name = "DIR")]
    pub(crate) out: PathBuf,
}

#[derive(ClapArgs, Debug)]
pub(crate) struct Corrupt {
    #[command(flatten)]
    pub(crate) model: ModelArg,
    #[command(flatten)]
    pub(crate) data: DataArg,
    /// A corruption, such as shot_noise; may be given several times. Default: all fifteen
    #[arg(long, value_name = "NAME", value_delimiter = ',', num_args = 1..)]
    pub(crate) only: Vec<String>,
    /// Corrupt the first N test images only
    #[arg(long, value_name = "N")]
    pub(crate) limit: Option<usize>,
    /// Folder for the pictures
    #[arg(long, default_value = "cutaway-out", value_name = "DIR")]
    pub(crate) out: PathBuf,
}

#[derive(ClapArgs, Debug)]
pub(crate) struct Maps {
    #[command(flatten)]
    pub(crate) model: ModelArg,
    #[command(flatten)]
    pub(crate) samples: SampleArgs,
    /// A layer, or `all`; may be given several times. Default: the third convolution after its
    /// ReLU
    #[arg(long, value_name = "NAME")]
    pub(crate) layer: Vec<String>,
    /// A channel of the layer (of several, the last) whose way from the input is shown; may be given
    /// several times. Default: the three in which the images differ most
    #[arg(long, value_name = "N")]
    pub(crate) channel: Vec<usize>,
    /// A unit of that layer whose value is taken apart; may be given several times
    #[arg(long, value_name = "CHANNEL,ROW,COL")]
    pub(crate) unit: Vec<String>,
    /// Folder for the pictures
    #[arg(long, default_value = "cutaway-out", value_name = "DIR")]
    pub(crate) out: PathBuf,
}

#[derive(ClapArgs, Debug)]
pub(crate) struct Units {
    #[command(flatten)]
    pub(crate) model: ModelArg,
    #[command(flatten)]
    pub(crate) data: DataArg,
    /// The two classes
    #[arg(long, value_name = "A,B", value_delimiter = ',', default_value = "0,8")]
    pub(crate) classes: Vec<usize>,
    /// The layer. Default: the third convolution after its ReLU
    #[arg(long, value_name = "NAME")]
    pub(crate) layer: Option<String>,
    /// Use this many of the test images, instead of all
    #[arg(long, value_name = "N")]
    pub(crate) limit: Option<usize>,
    /// Channels of each class to look at closely
    #[arg(long, value_name = "N", default_value_t = 4)]
    pub(crate) top: usize,
    /// Folder for the pictures
    #[arg(long, default_value = "cutaway-out", value_name = "DIR")]
    pub(crate) out: PathBuf,
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

#[derive(ClapArgs, Clone, Debug)]
pub(crate) struct Sequence {
    /// `protein-like` (made from the seed, no files needed), `adding`, `copying`, `recall` (exact tasks,
    /// likewise made), or a folder of FASTA files, one a class, or one FASTA file with classes in its headers
    /// (`./adding` for a folder that has such a name)
    #[arg(long, default_value = "protein-like", value_name = "NAME|PATH")]
    pub(crate) data: String,
    /// Only these classes of a folder or file, in this order. Default: all
    #[arg(long, value_delimiter = ',', value_name = "NAMES")]
    pub(crate) classes: Vec<String>,
    /// Steps of an exact task's sequences
    #[arg(long, value_name = "N", default_value_t = 100)]
    pub(crate) length: usize,
    /// Sequences to make, or at most this many of each class of a file
    #[arg(long, value_name = "N")]
    pub(crate) limit: Option<usize>,
    /// Leave longer sequences out
    #[arg(long, value_name = "N", default_value_t = 2000)]
    pub(crate) longest: usize,
    /// Keep near-duplicates; by default they are removed before the split
    #[arg(long)]
    pub(crate) keep_duplicates: bool,
    /// The networks: tanh, relu, lstm, gru, esn
    #[arg(long, value_delimiter = ',', value_name = "NAMES", default_value = "tanh,lstm,gru,esn")]
    pub(crate) cells: Vec<String>,
    /// Which way they read: forward, reverse, both
    #[arg(long, value_delimiter = ',', value_name = "NAMES", default_value = "forward,reverse")]
    pub(crate) directions: Vec<String>,
    /// Runs of each, with the seeds --seed, --seed + 1, ...
    #[arg(long, value_name = "N", default_value_t = 3)]
    pub(crate) seeds: u64,
    /// Seconds of training for each run: equal for all, but not to the same bits. Default: 4
    #[arg(long, value_name = "X", conflicts_with = "epochs", allow_negative_numbers = true)]
    pub(crate) seconds: Option<f64>,
    /// Epochs of training for each run instead: the same bits every time
    #[arg(long, value_name = "N")]
    pub(crate) epochs: Option<usize>,
    /// Values of the LSTM's state; the other cells get the size that makes as many parameters
    #[arg(long, value_name = "N", default_value_t = 64)]
    pub(crate) hidden: usize,
    /// Units of the echo state network
    #[arg(long, value_name = "N", default_value_t = 500)]
    pub(crate) units: usize,
    /// Spectral radius of its recurrent weights
    #[arg(long, value_name = "X", default_value_t = 0.9)]
    pub(crate) radius: f64,
    /// Its leak, above 0 and up to 1: how much of a state is new at each step
    #[arg(long, value_name = "X", default_value_t = 0.3)]
    pub(crate) leak: f64,
    /// Its input weights are uniform in plus or minus this
    #[arg(long, value_name = "X", default_value_t = 1.0)]
    pub(crate) input_scaling: f64,
    /// Share of the units that each unit listens to
    #[arg(long, value_name = "X", default_value_t = 0.1)]
    pub(crate) density: f64,
    /// What the answer is read from: last, mean, max (not of an echo state network)
    #[arg(long, value_name = "NAME", default_value = "last")]
    pub(crate) readout: String,
    /// Recurrent layers
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) layers: usize,
    /// Learning rate. Default: 0.003 for adam, 0.1 for sgd
    #[arg(long, value_name = "X", allow_negative_numbers = true)]
    pub(crate) rate: Option<f32>,
    /// adam or sgd (with momentum 0.9)
    #[arg(long, value_name = "NAME", default_value = "adam")]
    pub(crate) optimizer: String,
    /// Largest norm of a gradient; 0 for no clipping
    #[arg(long, value_name = "X", default_value_t = 1.0, allow_negative_numbers = true)]
    pub(crate) clip: f32,
    /// Backpropagate through the last N steps only
    #[arg(long, value_name = "N")]
    pub(crate) truncate: Option<usize>,
    /// Look at a saved network instead of training
    #[arg(long, value_name = "FILE")]
    pub(crate) model: Option<PathBuf>,
    /// The test sequence to look at closely. Default: the first of the first class that is said rightly
    #[arg(long, value_name = "N")]
    pub(crate) sample: Option<usize>,
    /// Write figures, the networks and a table of all runs into this folder
    #[arg(long, value_name = "DIR", default_value = "cutaway-out")]
    pub(crate) out: PathBuf,
}

#[derive(ClapArgs, Debug)]
pub(crate) struct Attack {
    #[command(flatten)]
    pub(crate) model: ModelArg,
    #[command(flatten)]
    pub(crate) samples: SampleArgs,
    /// An attack; may be given several times. `all`: each of the norm; `autoattack`: apgd-ce, apgd-t,
    /// fab-t and square with 5,000 queries. Default: fgsm and pgd
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub(crate) method: Vec<String>,
    /// Sizes of the perturbation, in pixel values from 0 to 1; fractions such as 8/255, too. Default:
    /// six up to 0.3 (linf) or 3 (l2)
    #[arg(long, value_name = "E,…", value_delimiter = ',')]
    pub(crate) epsilon: Vec<String>,
    /// What they measure: linf (the largest change of a value) or l2 (root of the sum of squares).
    /// Default: linf, but l2 where deepfool or cw is named
    #[arg(long, value_name = "NORM")]
    pub(crate) norm: Option<Norm>,
    /// Steps of the attacks that take steps, instead of each one's own
    #[arg(long, value_name = "N")]
    pub(crate) steps: Option<usize>,
    /// Length of a step of pgd, mi-fgsm and cw
    #[arg(long, value_name = "X")]
    pub(crate) step_size: Option<f64>,
    /// Times that pgd, the apgds and the fabs begin anew, at another place
    #[arg(long, value_name = "N")]
    pub(crate) restarts: Option<usize>,
    /// Questions that square may ask about an image
    #[arg(long, value_name = "N")]
    pub(crate) queries: Option<usize>,
    /// The class that the network is to say, by its number or label; else any wrong one will do
    #[arg(long, value_name = "CLASS")]
    pub(crate) target: Option<String>,
    /// Look for the smallest ε that fools each image, by halving intervals (attacks of given ε)
    #[arg(long)]
    pub(crate) minimal: bool,
    /// Round adversarial images to 8 bits before they are judged
    #[arg(long)]
    pub(crate) eight_bit: bool,
    /// Attack the first N test images; where images are named, these alone
    #[arg(long, value_name = "N", default_value_t = 300)]
    pub(crate) limit: usize,
    /// Attack with a patch of N×N pixels (method patch), and certify that no such patch, wherever and
    /// whatever it is, can change the answer (PatchCleanser)
    #[arg(long, value_name = "N")]
    pub(crate) patch: Option<usize>,
    /// Masks of the certificate along each axis
    #[arg(long, value_name = "N", default_value_t = 6)]
    pub(crate) masks: usize,
    /// What those masks show: a pixel value from 0 (black) to 255 (white)
    #[arg(long, value_name = "V", default_value_t = 0.0)]
    pub(crate) mask_fill: f32,
    /// Write the adversarial images as `adversarial.npy` (f32, 0 to 1), too
    #[arg(long)]
    pub(crate) npy: bool,
    /// Folder for the pictures
    #[arg(long, default_value = "cutaway-out", value_name = "DIR")]
    pub(crate) out: PathBuf,
}

#[derive(ClapArgs, Debug)]
pub(crate) struct Attribute {
    #[command(flatten)]
    pub(crate) model: ModelArg,
    #[command(flatten)]
    pub(crate) samples: SampleArgs,
    /// Explain every picture in a folder, a sheet each
    #[arg(long, value_name = "DIR", conflicts_with_all = ["image", "sample", "digit", "bench"])]
    pub(crate) images: Option<PathBuf>,
    /// A folder of typical pictures, instead of the data set's: expected-gradients compares with them,
    /// and what kernel-shap hides shows their mean, unless --baseline says otherwise
    #[arg(long, value_name = "DIR")]
    pub(crate) background: Option<PathBuf>,
    /// A method, such as gradient, integrated-gradients, grad-cam, lrp or rise, or all; may be given
    /// several times. Default: integrated-gradients; with --bench all
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub(crate) method: Vec<String>,
    /// The class that is explained, by its number or label. Default: the one that is predicted
    #[arg(long, value_name = "CLASS")]
    pub(crate) target: Option<String>,
    /// Which of its numbers: logit, probability or log-probability
    #[arg(long, default_value = "logit", value_name = "WHAT")]
    pub(crate) output: Output,
    /// Layer of the class activation maps. Default: the last convolution's
    #[arg(long, value_name = "NAME")]
    pub(crate) layer: Option<String>,
    /// Points on the way of integrated gradients. Default: 50, fewer for a large network
    #[arg(long, value_name = "N")]
    pub(crate) steps: Option<usize>,
    /// Samples of the methods that draw some. Default: the method's own, fewer for a large network
    #[arg(long = "samples", value_name = "N")]
    pub(crate) draws: Option<usize>,
    /// Maps that score-cam asks, those that vary most. Default: all, fewer for a large network
    #[arg(long, value_name = "N")]
    pub(crate) maps: Option<usize>,
    /// What stands for nothing: zero, mean, blur, background (the mean of typical images) or a pixel
    /// value from 0 to 255
    #[arg(long, value_name = "WHAT")]
    pub(crate) baseline: Option<Baseline>,
    /// Noise of smooth-grad, as a share of the image's range of values
    #[arg(long, value_name = "F")]
    pub(crate) noise: Option<f64>,
    /// Side of occlusion's window in pixels
    #[arg(long, value_name = "N")]
    pub(crate) patch: Option<usize>,
    /// Pixels from one place of the window to the next
    #[arg(long, value_name = "N")]
    pub(crate) stride: Option<usize>,
    /// Parts of lime and kernel-shap: N for a grid of N×N cells, slic:N for about N superpixels
    #[arg(long, value_name = "N|slic:N")]
    pub(crate) segments: Option<Segments>,
    /// Seconds that all attributions may take: the counts that were not given (samples, steps, stride,
    /// maps) are lowered to fit, as far as makes sense
    #[arg(long, value_name = "SECONDS", conflicts_with = "bench")]
    pub(crate) budget: Option<f64>,
    /// Relevance of biases, of the lrp methods: absorb (they keep it) or redistribute (inputs get it)
    #[arg(long, value_name = "HOW")]
    pub(crate) biases: Option<LrpBiases>,
    /// Relevance of products of two activations, of the lrp methods: signal (a gate gets none) or uniform
    #[arg(long, value_name = "HOW")]
    pub(crate) products: Option<LrpProducts>,
    /// Write the values as NAME.npy beside the pictures; --json then names the files
    #[arg(long)]
    pub(crate) npy: bool,
    /// Score the attributions: deletion, insertion, infidelity, ROAD, sparseness, complexity
    #[arg(long)]
    pub(crate) score: bool,
    /// With --score or --bench: max-sensitivity over N slightly changed images, too
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) sensitivity: usize,
    /// Redraw the model's layers from the top, one after the other: do the attributions change?
    #[arg(long)]
    pub(crate) randomise: bool,
    /// Rank the methods on the first N test images instead; of a folder whose sub-folders are named
    /// like the model's classes, on N pictures, evenly of all classes
    #[arg(long, value_name = "N", conflicts_with_all = ["score", "randomise", "npy"])]
    pub(crate) bench: Option<usize>,
    /// Folder for the pictures
    #[arg(long, default_value = "cutaway-out", value_name = "DIR")]
    pub(crate) out: PathBuf,
}

#[derive(ClapArgs, Debug)]
pub(crate) struct Visualise {
    #[command(flatten)]
    pub(crate) model: ModelArg,
    /// A layer. Default: the logits, for classes; see `cutaway summary`
    #[arg(long, value_name = "NAME")]
    pub(crate) layer: Option<String>,
    /// Channels of the layer. Default: the nine that vary most from image to image
    #[arg(long, value_name = "N,…", value_delimiter = ',')]
    pub(crate) channel: Vec<usize>,
    /// One place of the channels' maps instead of their means
    #[arg(long, value_name = "ROW,COL", requires = "channel")]
    pub(crate) unit: Option<String>,
    /// A class by its label or number; may be given several times. Default: all, where there are at
    /// most twelve
    #[arg(long, value_name = "CLASS")]
    pub(crate) class: Vec<String>,
    /// A direction in the layer (or the logits): a NumPy file of one number a channel
    #[arg(long, value_name = "FILE")]
    pub(crate) direction: Option<PathBuf>,
    /// What is optimised: fourier (the spectrum, scaled by 1/f), pixel, or maco (phases only, the
    /// magnitudes being those of natural images)
    #[arg(long, default_value = "fourier", value_name = "WHAT")]
    pub(crate) parametrise: Parametrisation,
    /// Steps of gradient ascent
    #[arg(long, default_value_t = 256, value_name = "N")]
    #[arg(value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(1..=100_000))]
    pub(crate) steps: usize,
    /// Images of each target, which are driven apart
    #[arg(long, default_value_t = 1, value_name = "N")]
    #[arg(value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(1..=16))]
    pub(crate) diversity: usize,
    /// Drive it down instead of up
    #[arg(long)]
    pub(crate) minimise: bool,
    /// Move, turn and scale the image a little before each step: on or off
    #[arg(long, default_value = "on", value_parser = ["on", "off"], value_name = "on|off")]
    pub(crate) transforms: String,
    /// Longer side of the images in pixels. Default: that of the network's input, above 128 pixels 96
    #[arg(long, value_name = "N")]
    pub(crate) size: Option<usize>,
    /// Test images to show beside: auto, mnist, fashion-mnist, strokes, or a folder as elsewhere.
    /// Default: auto for models that take 28×28 grey pixels, else none
    #[arg(long, value_name = "NAME|PATH", conflicts_with = "images")]
    pub(crate) data: Option<String>,
    /// A folder of pictures to show beside instead
    #[arg(long, value_name = "DIR")]
    pub(crate) images: Option<PathBuf>,
    /// Only the first N test images
    #[arg(long, value_name = "N", conflicts_with = "images")]
    pub(crate) limit: Option<usize>,
    /// Images of the data shown at either end
    #[arg(long, default_value_t = 4, value_name = "N")]
    #[arg(value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(0..=50))]
    pub(crate) examples: usize,
    /// Write the images as NumPy files, too (f32, 0 to 1, channels first)
    #[arg(long)]
    pub(crate) npy: bool,
    /// Folder for the pictures
    #[arg(long, default_value = "cutaway-out", value_name = "DIR")]
    pub(crate) out: PathBuf,
}
