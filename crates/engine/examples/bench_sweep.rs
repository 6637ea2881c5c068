//! A window that slides over an image of a real model: by forward passes over the edited images, and by
//! partial recomputation, to the bit and to rounding.
//!
//! `bench_sweep MODEL.onnx [--patch 16] [--stride 8] [--windows N] [--full-windows N] [--threads 2]
//! [--isa NAME]` prints one JSON object. The image is noise, so that every window changes pixels. `N` windows
//! are taken evenly from the grid; 0, the default of `--windows`, takes all. Times are milliseconds a window,
//! with all that a sweep does once shared out among its windows.

use std::error::Error;
use std::time::Instant;

use cutaway_engine::{Edit, Engine, Fill, Isa, Options, Strategy};
use cutaway_net::onnx;
use ndarray::Array3;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let flag = |name: &str, default: &str| {
        let at = arguments.iter().position(|argument| argument == name);
        at.and_then(|at| arguments.get(at + 1)).map_or(default.to_owned(), String::clone)
    };
    let number = |name: &str, default: &str| flag(name, default).parse::<usize>();
    let model = arguments.first().ok_or("usage: bench_sweep MODEL.onnx [--patch 16] ...")?;
    let isa: Isa = flag("--isa", "auto").parse()?;
    let threads = number("--threads", "2")?;
    let network = onnx::load(model)?;
    let engine =
        Engine::compile(&network, &Options { threads, isa: Some(isa), ..Options::default() })?;
    let &[c, h, w] = network.shape(network.input()) else { return Err("no image model".into()) };
    let pixels = (0..c * h * w).map(|i| (i * 7919 % 1009) as f32 / 1009.0 + 0.01).collect();
    let base = Array3::from_shape_vec((c, h, w), pixels)?;
    let all = grid(h, w, number("--patch", "16")?, number("--stride", "8")?);
    let (part, few) = (number("--windows", "0")?, number("--full-windows", "32")?);
    let (edits, few) = (evenly(&all, part), evenly(&all, few));
    // The first call of each lays out its memory.
    let warm = evenly(&all, 2);
    let mut times = Vec::new();
    let ways =
        [(Strategy::Rounded, &edits), (Strategy::Incremental, &edits), (Strategy::Full, &few)];
    for (strategy, edits) in ways {
        engine.sweep_with(base.view(), &warm, strategy)?;
        let start = Instant::now();
        engine.sweep_with(base.view(), edits, strategy)?;
        times.push(start.elapsed().as_secs_f64() * 1e3 / edits.len() as f64);
    }
    // Logits: probabilities hide differences.
    let output = [network.node(network.output()).inputs[0]];
    let values = |strategy| {
        let found = engine.sweep_at_with(base.view(), &warm, &output, strategy);
        found.map(|mut found| found.take(output[0]).expect("asked for"))
    };
    let full = values(Strategy::Full)?;
    let same =
        full.iter().zip(&values(Strategy::Incremental)?).all(|(a, b)| a.to_bits() == b.to_bits());
    let largest = full.iter().fold(0f32, |most, value| most.max(value.abs()));
    let apart = (full - values(Strategy::Rounded)?).iter().fold(0f32, |most, d| most.max(d.abs()));
    println!(
        "{{\"model\": \"{}\", \"isa\": \"{isa}\", \"threads\": {threads}, \"grid\": {}, \"windows\": {}, \
         \"full_windows\": {}, \"rounded_ms\": {:.3}, \"incremental_ms\": {:.3}, \"full_ms\": {:.3}, \
         \"incremental_same_bits\": {same}, \"rounded_apart\": {:e}}}",
        network.name(),
        all.len(),
        edits.len(),
        few.len(),
        times[0],
        times[1],
        times[2],
        apart / largest
    );
    Ok(())
}

/// A black square at every place of the grid.
fn grid(h: usize, w: usize, patch: usize, stride: usize) -> Vec<Edit> {
    let places = |size: usize| (0..=size.saturating_sub(patch)).step_by(stride.max(1));
    let at = |row, col| Edit { row, col, height: patch, width: patch, fill: Fill::Value(0.0) };
    places(h).flat_map(|row| places(w).map(move |col| at(row, col))).collect()
}

/// `count` of the edits, all where that is 0.
fn evenly(edits: &[Edit], count: usize) -> Vec<Edit> {
    let count = if count == 0 { edits.len() } else { count.min(edits.len()) };
    (0..count).map(|i| edits[i * edits.len() / count].clone()).collect()
}
