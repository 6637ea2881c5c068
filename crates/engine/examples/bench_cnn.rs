//! Times the reference CNN:
//! `bench_cnn train|infer|kernels|sweep --batch N --threads N --isa auto|avx512|avx2|portable`;
//! `sweep` also takes `--strategy full|incremental` and `--image noise|digit`.
//! Prints one JSON line.

use std::time::Instant;

use cutaway_data::OpenOptions;
use cutaway_engine::measure::layer_times;
use cutaway_engine::{Edit, Engine, Fill, Options, Strategy, Trainer};
use cutaway_net::presets::reference_cnn;
use ndarray::{Array3, Array4};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let flag = |name: &str, default: &str| {
        let at = args.iter().position(|a| a == name);
        at.and_then(|i| args.get(i + 1)).map_or(default.to_owned(), Clone::clone)
    };
    let mode = args.first().map_or("train", String::as_str);
    let batch: usize = flag("--batch", "128").parse()?;
    let images: usize = flag("--images", "12800").parse()?;
    let repeats: usize = flag("--repeats", "5").parse()?;
    let options = Options {
        threads: flag("--threads", "2").parse()?,
        isa: Some(flag("--isa", "auto").parse()?),
        ..Options::default()
    };
    if mode == "kernels" {
        return kernels(repeats, &options);
    }
    let mut seconds = match mode {
        "train" => train(batch, images, repeats, &options)?,
        "infer" => infer(batch, repeats, &options)?,
        "sweep" => {
            sweep(&flag("--image", "noise"), &flag("--strategy", "auto"), repeats, &options)?
        }
        other => {
            return Err(
                format!("unknown mode '{other}': expected train, infer, kernels or sweep").into()
            );
        }
    };
    seconds.sort_by(f64::total_cmp);
    let count = match mode {
        "train" => images,
        "sweep" => WINDOWS,
        _ => batch,
    };
    let median = seconds[seconds.len() / 2];
    println!(
        "{{\"mode\":\"{mode}\",\"batch\":{batch},\"threads\":{},\"isa\":\"{}\",\"images\":{count},\"median_ms\":{:.4},\"min_ms\":{:.4},\"max_ms\":{:.4},\"images_per_second\":{:.1}}}",
        options.threads,
        options.isa.unwrap(),
        median * 1e3,
        seconds[0] * 1e3,
        seconds[seconds.len() - 1] * 1e3,
        count as f64 / median
    );
    Ok(())
}

/// Each layer with multiply-adds alone: floating-point operations a second, counted as for direct
/// summation.
fn kernels(repeats: usize, options: &Options) -> Result<(), Box<dyn std::error::Error>> {
    let network = reference_cnn(1);
    let summary = cutaway_net::summary(&network);
    let mut entries = Vec::new();
    for time in layer_times(&network, options, repeats)? {
        let name = &network.node(time.node).name;
        let macs = summary.layers.iter().find(|l| l.name == *name).map_or(0, |l| l.macs);
        if macs == 0 {
            continue;
        }
        let passes = [
            ("forward", time.forward),
            ("input gradient", time.input_gradient),
            ("weight gradient", time.param_gradient),
        ];
        for (pass, seconds) in passes {
            let gflops = 2.0 * macs as f64 / seconds / 1e9;
            entries.push(format!(
                "{{\"name\":\"{name} {pass}\",\"median_ms\":{:.6},\"gflops\":{gflops:.1}}}",
                seconds * 1e3
            ));
        }
    }
    println!(
        "{{\"mode\":\"kernels\",\"isa\":\"{}\",\"threads\":{},\"kernels\":[{}]}}",
        options.isa.unwrap(),
        options.threads,
        entries.join(",")
    );
    Ok(())
}

/// Pixels in [0, 1), the same at every run.
fn pixels(count: usize) -> Vec<f32> {
    let mut state = 1u32;
    let mut next = || {
        state = state.wrapping_mul(1664525).wrapping_add(1013904223);
        (state >> 8) as f32 / (1 << 24) as f32
    };
    (0..count).map(|_| next()).collect()
}

/// Seconds for `images` images of forward, backward and an SGD step with momentum, each repeat.
fn train(
    batch: usize,
    images: usize,
    repeats: usize,
    options: &Options,
) -> Result<Vec<f64>, Box<dyn std::error::Error>> {
    let mut trainer = Trainer::new(&reference_cnn(1), batch, options)?;
    let x = pixels(images * 784);
    let mut velocity = vec![0.0f32; trainer.params().len()];
    let mut epoch = |images: usize| -> Result<f64, Box<dyn std::error::Error>> {
        let start = Instant::now();
        for first in (0..images).step_by(batch) {
            let n = batch.min(images - first);
            let loss = |i: usize, logits: &[f32], d: &mut [f32]| {
                cross_entropy((first + i) * 7 % 10, n, logits, d)
            };
            trainer.step(&x[first * 784..(first + n) * 784], n, 0, &loss)?;
            trainer.update(|params, gradients| {
                for ((p, g), v) in params.iter_mut().zip(gradients).zip(&mut velocity) {
                    *v = 0.9 * *v + g;
                    *p -= 0.01 * *v;
                }
            });
        }
        Ok(start.elapsed().as_secs_f64())
    };
    epoch(images.min(2048))?;
    (0..repeats).map(|_| epoch(images)).collect()
}

fn cross_entropy(label: usize, n: usize, logits: &[f32], d: &mut [f32]) -> f32 {
    let max = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let sum: f32 = logits.iter().map(|x| (x - max).exp()).sum();
    for (i, (d, x)) in d.iter_mut().zip(logits).enumerate() {
        *d = ((x - max).exp() / sum - f32::from(i == label)) / n as f32;
    }
    sum.ln() + max - logits[label]
}

/// Seconds for one forward pass over a batch, each repeat.
fn infer(
    batch: usize,
    repeats: usize,
    options: &Options,
) -> Result<Vec<f64>, Box<dyn std::error::Error>> {
    let network = reference_cnn(1);
    let engine = Engine::compile(&network, options)?;
    let x = Array4::from_shape_vec((batch, 1, 28, 28), pixels(batch * 784))?;
    let logits = [network.logits()];
    for _ in 0..3 {
        engine.forward(x.view(), &logits)?;
    }
    (0..repeats * 4)
        .map(|_| {
            let start = Instant::now();
            engine.forward(x.view(), &logits)?;
            Ok(start.elapsed().as_secs_f64())
        })
        .collect()
}

/// An 8×8 patch at every place of 28×28 pixels.
const WINDOWS: usize = 21 * 21;

/// Seconds for an occlusion sweep over one image, each repeat: noise, in which every window changes
/// every pixel, or a digit, whose background a black patch leaves as it is.
fn sweep(
    image: &str,
    strategy: &str,
    repeats: usize,
    options: &Options,
) -> Result<Vec<f64>, Box<dyn std::error::Error>> {
    let engine = Engine::compile(&reference_cnn(1), options)?;
    let values = match image {
        "noise" => pixels(784),
        "digit" => digit()?,
        other => return Err(format!("unknown image '{other}': expected noise or digit").into()),
    };
    let base = Array3::from_shape_vec((1, 28, 28), values)?;
    let edits: Vec<Edit> = (0..WINDOWS)
        .map(|w| Edit { row: w / 21, col: w % 21, height: 8, width: 8, fill: Fill::Value(0.0) })
        .collect();
    let strategy: Strategy = strategy.parse()?;
    engine.sweep_with(base.view(), &edits, strategy)?;
    (0..repeats * 4)
        .map(|_| {
            let start = Instant::now();
            engine.sweep_with(base.view(), &edits, strategy)?;
            Ok(start.elapsed().as_secs_f64())
        })
        .collect()
}

/// A 6 of the embedded data set.
fn digit() -> Result<Vec<f32>, Box<dyn std::error::Error>> {
    let options = OpenOptions { strokes_train: 1, strokes_test: 100, ..OpenOptions::default() };
    let images = cutaway_data::open("strokes", &options)?.test;
    let six = (0..images.len()).find(|&i| images.label(i) == 6).ok_or("no 6 in the sample")?;
    Ok(images.image(six).iter().map(|&pixel| f32::from(pixel) / 255.0).collect())
}
