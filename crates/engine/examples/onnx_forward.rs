//! One ONNX model's forward pass: what it computes, and how long it takes.
//!
//! `onnx_forward MODEL.onnx BATCH SECONDS [FOLDER] [--threads N] [--isa NAME]` prints one JSON object:
//! milliseconds of the fastest and of the median pass of BATCH images, on two threads unless told. In FOLDER,
//! where one is given, it reads `input.f32` and writes `0.f32`, `1.f32` …, the outputs (little-endian
//! float32, the batch first).

use std::error::Error;
use std::fs;
use std::path::PathBuf;
use std::time::Instant;

use cutaway_engine::{Engine, Isa, Options};
use cutaway_net::onnx;
use ndarray::{ArrayD, IxDyn};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments: Vec<String> = std::env::args().skip(1).collect();
    let threads = flag(&mut arguments, "--threads").map_or(Ok(2), |value| value.parse())?;
    let isa = flag(&mut arguments, "--isa").map_or(Ok(Isa::detect()), |value| value.parse())?;
    let [model, batch, seconds, folder @ ..] = &arguments[..] else {
        return Err(
            "usage: onnx_forward MODEL.onnx BATCH SECONDS [FOLDER] [--threads N] [--isa NAME]"
                .into(),
        );
    };
    let (batch, seconds): (usize, f64) = (batch.parse()?, seconds.parse()?);
    let start = Instant::now();
    let network = onnx::load(model)?;
    let loaded = start.elapsed().as_secs_f64();
    let engine =
        Engine::compile(&network, &Options { threads, isa: Some(isa), ..Options::default() })?;
    let compiled = start.elapsed().as_secs_f64() - loaded;
    let shape = [&[batch], network.shape(network.input())].concat();
    let count: usize = shape.iter().product();
    let folder = folder.first().map(PathBuf::from);
    let values: Vec<f32> = match &folder {
        Some(folder) => {
            let bytes = fs::read(folder.join("input.f32"))?;
            bytes.as_chunks::<4>().0.iter().map(|&number| f32::from_le_bytes(number)).collect()
        }
        None => (0..count).map(|i| (i * 7919 % 1009) as f32 / 1009.0).collect(),
    };
    let images = ArrayD::from_shape_vec(IxDyn(&shape), values)?;
    if let Some(folder) = &folder {
        let outputs = engine.forward(images.view(), network.outputs())?;
        for (index, &output) in network.outputs().iter().enumerate() {
            let values = outputs.get(output).ok_or("an output is missing")?;
            let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
            fs::write(folder.join(format!("{index}.f32")), bytes)?;
        }
    }
    let mut times = Vec::new();
    let begin = Instant::now();
    while times.len() < 3 || begin.elapsed().as_secs_f64() < seconds {
        let start = Instant::now();
        engine.forward(images.view(), &[network.output()])?;
        times.push(start.elapsed().as_secs_f64() * 1e3);
        if seconds == 0.0 {
            break;
        }
    }
    times.sort_by(f64::total_cmp);
    println!(
        "{{\"isa\": \"{isa}\", \"threads\": {threads}, \"batch\": {batch}, \"fastest_ms\": {:.3}, \"median_ms\": {:.3}, \"passes\": {}, \"load_s\": {loaded:.2}, \
         \"compile_s\": {compiled:.2}}}",
        times[0],
        times[times.len() / 2],
        times.len()
    );
    Ok(())
}

/// Takes `name VALUE` out of the arguments.
fn flag(arguments: &mut Vec<String>, name: &str) -> Option<String> {
    let at = arguments.iter().position(|argument| argument == name)?;
    let taken: Vec<String> = arguments.drain(at..arguments.len().min(at + 2)).collect();
    taken.get(1).cloned()
}
