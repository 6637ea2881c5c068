//! Times one recurrent layer alone, forward and back, as a batch of 32 sequences of 21 symbols:
//! `bench_cells --cell all|tanh|relu|lstm|gru --length N --hidden N --batch N --chunk N --threads N
//! --isa auto|avx512|avx2|portable|scalar --repeats N [--forward] [--values]`.
//! A chunk of sequences goes through on one thread. Prints a JSON line for each cell and length, with the best
//! and the median of the repeats.

use std::time::Instant;

use cutaway_engine::Isa;
use cutaway_engine::cells::{Cell, Input, InputGradient, Layer, Parameters, Start, Steps, Tape};
use rayon::prelude::*;

/// Letters, and the width of what stands for each when they come as values.
const SYMBOLS: usize = 22;
const EMBEDDING: usize = 16;

struct Bench {
    cell: Cell,
    hidden: usize,
    length: usize,
    batch: usize,
    chunk: usize,
    values: bool,
    forward_only: bool,
    isa: Isa,
}

/// What one thread works on.
struct Chunk {
    steps: Steps,
    symbols: Vec<u8>,
    values: Vec<f32>,
    by_states: Vec<f32>,
    tape: Tape,
    gradient: Parameters,
    by_table: Vec<f32>,
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let flag = |name: &str, default: &str| {
        let at = args.iter().position(|a| a == name);
        at.and_then(|i| args.get(i + 1)).map_or(default.to_owned(), Clone::clone)
    };
    let given = |name: &str| args.iter().any(|a| a == name);
    let threads: usize = flag("--threads", "2").parse()?;
    let repeats: usize = flag("--repeats", "20").parse()?;
    let isa: Isa = flag("--isa", "auto").parse()?;
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build()?;
    let lengths = match flag("--length", "all").as_str() {
        "all" => vec![128, 512, 1024],
        one => vec![one.parse()?],
    };
    let cells = match flag("--cell", "all").as_str() {
        "all" => vec![Cell::Tanh, Cell::Relu, Cell::Lstm, Cell::Gru],
        one => vec![serde_json::from_str(&format!("\"{one}\""))?],
    };
    for &length in &lengths {
        for &cell in &cells {
            let bench = Bench {
                cell,
                length,
                hidden: flag("--hidden", "64").parse()?,
                batch: flag("--batch", "32").parse()?,
                chunk: flag("--chunk", "16").parse()?,
                values: given("--values"),
                forward_only: given("--forward"),
                isa,
            };
            let mut seconds = pool.install(|| run(&bench, repeats))?;
            seconds.sort_by(f64::total_cmp);
            let rate = |seconds: f64| (bench.batch * length) as f64 / seconds / 1e6;
            println!(
                "{{\"cell\":\"{cell:?}\",\"length\":{length},\"hidden\":{},\"batch\":{},\"chunk\":{},\"threads\":\
                 {threads},\"isa\":\"{isa}\",\"median_ms\":{:.3},\"best_mtokens_per_second\":{:.2},\
                 \"median_mtokens_per_second\":{:.2}}}",
                bench.hidden,
                bench.batch,
                bench.chunk,
                seconds[seconds.len() / 2] * 1e3,
                rate(seconds[0]),
                rate(seconds[seconds.len() / 2]),
            );
        }
    }
    Ok(())
}

/// Seconds for one batch forward and back, each repeat.
fn run(bench: &Bench, repeats: usize) -> Result<Vec<f64>, cutaway_engine::Error> {
    let &Bench { cell, hidden, length, .. } = bench;
    let mut state = 1u32;
    let mut draw = move || {
        state = state.wrapping_mul(1664525).wrapping_add(1013904223);
        (state >> 8) as f32 / (1 << 23) as f32 - 1.0
    };
    let mut weights = Parameters::zeros(cell, EMBEDDING, hidden);
    let scale = 1.0 / (hidden as f32).sqrt();
    for array in weights.arrays_mut() {
        array.iter_mut().for_each(|w| *w = draw() * scale);
    }
    let layer = Layer::new(cell, &weights, bench.isa)?;
    let width = cell.gates() * hidden;
    let table: Vec<f32> = (0..SYMBOLS * width).map(|_| draw()).collect();
    let mut chunks = Vec::new();
    for first in (0..bench.batch).step_by(bench.chunk) {
        let steps = Steps::of_lengths(&vec![length; bench.chunk.min(bench.batch - first)])?;
        let rows = steps.rows();
        let mut values = |count: usize| -> Vec<f32> { (0..count).map(|_| draw()).collect() };
        let symbol = |x: f32| ((x + 1.0) * 10.5) as u8;
        chunks.push(Chunk {
            symbols: values(rows).into_iter().map(symbol).collect(),
            values: values(rows * EMBEDDING),
            by_states: values(rows * hidden),
            tape: Tape::default(),
            gradient: Parameters::zeros(cell, EMBEDDING, hidden),
            by_table: vec![0.0; table.len()],
            steps,
        });
    }
    let mut once = || {
        let start = Instant::now();
        chunks.par_iter_mut().for_each(|chunk| pass(bench, &layer, &table, chunk));
        start.elapsed().as_secs_f64()
    };
    (0..3).for_each(|_| _ = once());
    Ok((0..repeats).map(|_| once()).collect())
}

fn pass(bench: &Bench, layer: &Layer, table: &[f32], chunk: &mut Chunk) {
    let Chunk { steps, symbols, values, by_states, tape, gradient, by_table } = chunk;
    let start = Start::default();
    let input = match bench.values {
        true => Input::Values(values),
        false => Input::Symbols { symbols, table },
    };
    layer.forward(input, steps, &start, tape);
    if bench.forward_only {
        return;
    }
    let by_input = match bench.values {
        true => InputGradient::None,
        false => InputGradient::Table(by_table),
    };
    layer.backward(input, steps, &start, tape, by_states, gradient, by_input);
}
