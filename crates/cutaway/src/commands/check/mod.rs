//! `cutaway check`: does a model mean here what it means elsewhere, and are its gradients right?

mod runtime;
mod text;

use std::path::{Path, PathBuf};

use cutaway::Model;
use cutaway::engine::check::{self, GradientCheck, NotFinite, Settings};
use cutaway::net::onnx::Report;
use cutaway::net::{Network, Preprocessing};
use ndarray::{ArrayD, Axis, IxDyn};
use serde::Serialize;

use crate::args::{Check, Common};
use crate::error::{Error, Result};
use crate::{console, preprocess};
use runtime::{Comparison, Python, Subject};

/// The largest difference from ONNX Runtime that counts as agreement, relative to the largest number.
pub(crate) const TOLERANCE: f64 = 1e-4;

/// Everything that was found.
#[derive(Serialize)]
struct Checked {
    model: String,
    model_hash: String,
    /// What the file says of itself, and what became of its nodes.
    file: Report,
    nodes: usize,
    params: usize,
    preprocessing: Preprocessing,
    preprocessing_assumed: bool,
    /// `nchw`, or `nhwc` where the file takes images with the channels last.
    layout: &'static str,
    seed: u64,
    /// Version of ONNX Runtime; `null` where there is none.
    onnxruntime: Option<String>,
    /// Why nothing was compared.
    not_compared: Option<String>,
    compared: Vec<Comparison>,
    tolerance: f64,
    /// Where numbers stop being numbers.
    not_finite: Option<NotFinite>,
    /// `null` where the answer is not finite: there is nothing to differentiate.
    gradients: Option<GradientCheck>,
    gradient_tolerance: f64,
    agrees: bool,
}

pub(crate) fn run(verb: &Check, common: &Common) -> Result<()> {
    let spec = &verb.model.model;
    let (network, report) = Model::read_with_report(spec)?;
    let given = preprocess::given(network.clone(), &verb.model)?;
    let given = Model::new(&given, spec, &common.engine()?)?;
    // What is checked is the network as the file has it, whatever becomes of images in front of it.
    let model = Model::new(&network, spec, &common.engine()?)?;
    let count = report.batch.unwrap_or(1);
    let mut inputs = vec![("random".to_owned(), random(&network, count, common.seed))];
    for image in &verb.image {
        let pixels = given.picture(image, verb.resize)?;
        let input = given.input(&pixels, &[0])?;
        let input = preprocess::as_the_file_takes_it(input, &verb.model, &network)?;
        inputs.push((image.display().to_string(), repeated(&input, count)));
    }

    let python = Python::choose(verb.python.as_ref());
    let file = File::of(spec, &network)?;
    let subject = Subject { path: &file.path, report: &report, engine: model.engine() };
    let (mut compared, mut version, mut not_compared) = (Vec::new(), None, None);
    for (name, batch) in &inputs {
        match python.compare(&subject, name, batch.view())? {
            Ok((found, comparison)) => {
                version = Some(found);
                compared.push(comparison);
            }
            Err(why) => {
                not_compared = Some(why);
                break;
            }
        }
    }

    let mut not_finite = None;
    for (_, batch) in &inputs {
        let first = batch.select(Axis(0), &[0]);
        not_finite = not_finite.or(check::first_not_finite(model.engine(), first.view())?);
    }
    let last = inputs.last().expect("the random one at least").1.select(Axis(0), &[0]);
    let settings = Settings { seed: common.seed, ..Settings::default() };
    let gradients = match check::gradients(model.engine(), last.view(), &settings) {
        Ok(found) => Some(found),
        Err(cutaway::engine::Error::NotFinite(_)) => None,
        Err(error) => return Err(error.into()),
    };
    let same = compared.iter().flat_map(|c| &c.outputs).all(runtime::Difference::agrees);
    let checked = Checked {
        model: spec.clone(),
        model_hash: network.hash(),
        nodes: network.nodes().len(),
        params: network.params().iter().map(|param| param.values.len()).sum(),
        preprocessing: given.network().metadata().preprocessing.clone(),
        preprocessing_assumed: verb.model.preprocess.is_empty() && preprocess::is_assumed(&network),
        layout: if preprocess::channels_last(&network, &verb.model) { "nhwc" } else { "nchw" },
        seed: common.seed,
        onnxruntime: version,
        not_compared,
        tolerance: TOLERANCE,
        agrees: same && gradients.as_ref().is_some_and(GradientCheck::agrees),
        compared,
        not_finite,
        gradients,
        gradient_tolerance: check::TOLERANCE,
        file: report,
    };
    match common.json {
        true => console::print_json(&checked)?,
        false => console::print(&text::of(&checked))?,
    }
    match checked.agrees {
        true => Ok(()),
        false => Err(Error::Disagrees(text::verdict(&checked))),
    }
}

/// Pixels from 0 to 255 at random, as the file's preprocessing makes them the network's input.
fn random(network: &Network, count: usize, seed: u64) -> ArrayD<f32> {
    let shape = network.shape(network.input());
    let p = &network.metadata().preprocessing;
    let plane = shape.iter().skip(1).product::<usize>().max(1);
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ 0x5851_F42D_4C95_7F2D;
    let mut pixel = || {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((state >> 33) % 256) as f32
    };
    let shape = [&[count], shape].concat();
    let channels = p.channels.max(1);
    let value = |i: usize| {
        let channel = if shape.len() == 4 { i / plane % channels } else { 0 };
        (pixel() * p.scale - p.mean[channel]) / p.std[channel]
    };
    let values = (0..shape.iter().product()).map(value).collect();
    ArrayD::from_shape_vec(IxDyn(&shape), values).expect("as many as the shape says")
}

/// One image as often as a model of a fixed batch size takes it.
fn repeated(input: &ArrayD<f32>, count: usize) -> ArrayD<f32> {
    input.select(Axis(0), &vec![0; count])
}

/// The model's file; `builtin` has none until it is written for a moment.
struct File {
    path: PathBuf,
    temporary: bool,
}

impl File {
    fn of(spec: &str, network: &Network) -> Result<File> {
        if spec != "builtin" {
            return Ok(File { path: Path::new(spec).to_owned(), temporary: false });
        }
        let name = format!("cutaway-builtin-{}.onnx", std::process::id());
        let path = std::env::temp_dir().join(name);
        cutaway::net::onnx::save(network, &path)?;
        Ok(File { path, temporary: true })
    }
}

impl Drop for File {
    fn drop(&mut self) {
        if self.temporary {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}
