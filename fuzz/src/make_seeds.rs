//! Writes the seeds: small honest files of every kind, made by Cutaway's own writers.
//!
//!     cargo run --release --bin make_seeds
//!
//! The ONNX files named `foreign-…` are cases of `crates/engine/tests/fixtures/make_onnx_operators.py`; pictures in formats
//! that Cutaway does not write are those of `crates/data/tests/fixtures/make_pictures.py`.

use std::error::Error;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use cutaway_data::{Images, Picture};
use cutaway_data::idx::Array;
use cutaway_net::{ConvSpec, Network, NetworkBuilder, NodeId, PoolSpec, onnx};
use cutaway_recurrent::cells::Cell;
use cutaway_recurrent::lab::Problem;
use cutaway_recurrent::network::{self, Architecture, Direction, Initialisation, Readout, Reads};
use cutaway_recurrent::onnx::SequenceModel;
use cutaway_train::{Recipe, TrainOptions, train};
use flate2::{Compression, GzBuilder};

fn main() -> Result<(), Box<dyn Error>> {
    idx(&folder("idx")?)?;
    pictures(&folder("picture")?)?;
    networks(&folder("onnx")?)?;
    checkpoints(&folder("checkpoint")?)?;
    problems(&folder("problem")?)?;
    sequences(&folder("fasta")?)?;
    sequence_models(&folder("sequence_model")?)
}

fn folder(name: &str) -> std::io::Result<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("seeds").join(name);
    std::fs::create_dir_all(&folder)?;
    Ok(folder)
}

/// Labels, grey and colour images, an empty set; each plain and gzip.
fn idx(folder: &Path) -> Result<(), Box<dyn Error>> {
    for (name, shape) in
        [("labels", vec![5]), ("grey", vec![2, 4, 3]), ("colour", vec![1, 2, 3, 3]), ("empty", vec![0, 28, 28])]
    {
        let count = shape.iter().product::<usize>();
        let array = Array { shape, values: (0..count).map(|i| (37 * i) as u8).collect() };
        array.write(&folder.join(format!("{name}.idx")), false)?;
        array.write(&folder.join(format!("{name}.idx.gz")), true)?;
    }
    Ok(())
}

/// Every kind of file that is read, grey and colour.
fn pictures(folder: &Path) -> Result<(), Box<dyn Error>> {
    for (name, channels) in [("grey", 1), ("colour", 3)] {
        let pixels = (0..5 * 4 * channels).map(|i| (37 * i) as u8).collect();
        Picture::new(5, 4, channels, pixels)?.write_png(&folder.join(format!("{name}.png")))?;
    }
    std::fs::write(folder.join("plain.pgm"), "P2\n3 2\n255\n0 50 100\n150 200 250\n")?;
    std::fs::write(folder.join("binary.ppm"), b"P6\n2 1\n255\n\x01\x02\x03\xfd\xfe\xff")?;
    let made = Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates/data/tests/fixtures");
    for name in [
        "animated.gif", "animated.png", "animated.webp", "cmyk.jpg", "grey.jpg", "one_bit.png",
        "palette_clear.png", "progressive.jpg", "rotated.jpg",
    ] {
        std::fs::copy(made.join(name), folder.join(name))?;
    }
    // Two pixels of 24 bits, each row filled up to 4 bytes.
    let mut bmp = b"BM\x3e\0\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0\x02\0\0\0\x01\0\0\0\x01\0\x18\0".to_vec();
    bmp.resize(54, 0);
    bmp.extend([1, 2, 3, 253, 254, 255, 0, 0]);
    std::fs::write(folder.join("colour.bmp"), bmp)?;
    Ok(())
}

/// Small networks that between them use every operator.
fn networks(folder: &Path) -> Result<(), Box<dyn Error>> {
    let mut plain = NetworkBuilder::new("plain");
    plain.input("image", &[1, 8, 8]).conv("conv1", ConvSpec::new(2, 3)).relu("relu1").max_pool("pool1", 2);
    plain.flatten("flat").dense("logits", 3).softmax("probabilities").labels(["a", "b", "c"]);

    let mut branches = NetworkBuilder::new("branches");
    branches.input("image", &[2, 6, 6]).conv("left", ConvSpec::new(4, 3).same().groups(2));
    branches.batch_norm("norm");
    let left = branches.last();
    branches.at(NodeId(0)).conv("right", ConvSpec::new(4, 1).no_bias());
    let right = branches.last();
    branches.add("sum", &[left, right]);
    let sum = branches.last();
    branches.concat("both", &[sum, right]).avg_pool("average", PoolSpec::new(3).stride(2)).global_avg_pool("global");
    branches.reshape("vector", &[8]).dropout("dropout", 0.5).dense("logits", 2).log_softmax("log_probabilities");

    let mut smallest = NetworkBuilder::new("smallest");
    smallest.input("x", &[1]).relu("y");

    for (name, builder) in [("plain", plain), ("branches", branches), ("smallest", smallest)] {
        onnx::save(&builder.build(1)?, folder.join(format!("{name}.onnx")))?;
    }
    Ok(())
}

/// The study's problem, and small ones that between them use every activation and function.
fn problems(folder: &Path) -> Result<(), Box<dyn Error>> {
    std::fs::write(folder.join("study.toml"), Problem::STUDY)?;
    for (name, rest) in [
        ("relu", "activation='relu'\noutput='identity'\nloss='exp(-y1) + sqrt(1 + y1^2) + abs(y1) * sign(y1)'"),
        ("sigmoid", "activation='sigmoid'\noutput='sigmoid'\nloss='-log2(y1)/(log10(2*y1) - 3e0) + tan(y1)^pi'"),
        ("linear", "h0=[0.5]\nactivation='identity'\nloss='sinh(y1) - cosh(y1)*tanh(sin(y1)+cos(y1)) - ln(e)'"),
    ] {
        let text = format!("W=[[0.5]]\nU=[[1, -1]]\nV=[[2]]\nb=[0.1]\nc=[0.25]\ninputs=[[1, 0], [0, 1]]\n{rest}\n");
        Problem::from_toml(&text)?;
        std::fs::write(folder.join(format!("{name}.toml")), text)?;
    }
    Ok(())
}

/// What FASTA allows: lines ended in every way, comments, gaps, stops, labels, lower case.
fn sequences(folder: &Path) -> Result<(), Box<dyn Error>> {
    for (name, text) in [
        ("plain", ">one first\nMKVLLA\nACDEFG\n>two class=b\nHIKLMNPQRSTVWY\n"),
        ("loose", "\u{feff}\r\n; comment\r\n>a [Inner\\Part] x|class=c\r\nmk-V.BX *\r\n\r\n>\rUOZ\rJ"),
    ] {
        std::fs::write(folder.join(format!("{name}.fasta")), text)?;
        let mut packed = GzBuilder::new().write(Vec::new(), Compression::default());
        packed.write_all(text.as_bytes())?;
        std::fs::write(folder.join(format!("{name}.fasta.gz")), packed.finish()?)?;
    }
    Ok(())
}

/// Networks that read sequences: between them every cell, direction, readout and kind of input.
fn sequence_models(folder: &Path) -> Result<(), Box<dyn Error>> {
    let symbols = Reads::Symbols { count: 3, embedding: 2 };
    for (name, reads, cell, direction, readout, layers) in [
        ("last", symbols, Cell::Lstm, Direction::Forward, Readout::Last, 1),
        ("mean", symbols, Cell::Gru, Direction::Both, Readout::Mean, 2),
        ("max", Reads::Values { width: 2 }, Cell::Relu, Direction::Reverse, Readout::Max, 2),
        ("steps", symbols, Cell::Tanh, Direction::Both, Readout::EveryStep, 1),
    ] {
        let architecture = Architecture { reads, cell, hidden: 2, layers, direction, readout, outputs: 2 };
        let network = network::Network::new(architecture, &Initialisation::default(), 1)?;
        network.save_state_dict(folder.join(format!("{name}.safetensors")))?;
        let alphabet = if reads == symbols { vec!['a', 'b', 'c'] } else { vec![] };
        let labels = vec!["no".to_owned(), "yes".to_owned()];
        let model = SequenceModel { alphabet, labels, ..SequenceModel::new(network) };
        cutaway_recurrent::onnx::save(&model, folder.join(format!("{name}.onnx")))?;
    }
    Ok(())
}

/// A checkpoint of each recipe's kind: with and without averaged weights and held-out images.
fn checkpoints(folder: &Path) -> Result<(), Box<dyn Error>> {
    let pixels = (0..20 * 16).map(|i| (i * 7 % 256) as u8).collect();
    let images = Images::new(4, 4, 1, pixels, (0..20).map(|i| i % 2).collect())?;
    for (name, recipe) in [("reference", Recipe::reference()), ("best", Recipe::best())] {
        let recipe = Recipe { epochs: 2, batch_size: 5, ..recipe };
        let checkpoint = Some(folder.join(format!("{name}.safetensors")));
        let options = TrainOptions { checkpoint, dataset: "seeds".into(), ..Default::default() };
        train(&linear()?, &images, &recipe, &options, &mut ())?;
    }
    Ok(())
}

fn linear() -> Result<Network, cutaway_net::Error> {
    NetworkBuilder::new("linear").input("image", &[1, 4, 4]).flatten("flat").dense("logits", 2).build(1)
}
