//! States of an echo state network over random sequences, against the clock:
//!
//!     bench_reservoir f64|f32 --threads N [--isa auto|avx512|avx2|portable] [--units N] [--density D]
//!         [--inputs N] [--sequences N] [--steps N] [--repeats N] [--states pooled|all]
//!
//! Prints one JSON line; a step is one step of one sequence. The weights only have to be as many as those of
//! a real reservoir; they are uniform, and small enough for the states to stay off the ends of the tangent.

use std::time::Instant;

use cutaway_engine::Isa;
use cutaway_engine::reservoir::{Activation, Input, Reading, Real, Reservoir, Sparse, Weights};

struct Size {
    units: usize,
    inputs: usize,
    density: f64,
    sequences: usize,
    steps: usize,
}

/// Uniform in [-1, 1): a linear congruential generator is good enough for a clock.
fn uniform(state: &mut u64) -> f64 {
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    (*state >> 33) as f64 / f64::from(1u32 << 30) - 1.0
}

fn matrix<R: Real>(rows: usize, columns: usize, density: f64, scale: f64) -> Sparse<R> {
    let mut state = 7;
    let row = |_| {
        let mut row = Vec::new();
        for column in 0..columns {
            if uniform(&mut state) < 2.0 * density - 1.0 {
                row.push((column, R::rounded(scale * uniform(&mut state))));
            }
        }
        row
    };
    Sparse::new(columns, (0..rows).map(row).collect()).expect("columns rise")
}

/// Steps a second of each repeat.
fn measure<R: Real>(size: &Size, isa: Isa, repeats: usize, all: bool) -> Vec<f64> {
    let Size { units, inputs, density, sequences, steps } = *size;
    let scale = 1.5 / (density * units as f64).sqrt();
    let weights = Weights {
        input: matrix(units, inputs, density, 1.0),
        recurrent: matrix(units, units, density, scale),
        bias: vec![R::rounded(0.1); units],
        leak: R::rounded(0.3),
        activation: Activation::Tanh,
    };
    let reservoir = Reservoir::new(weights, isa).expect("the weights fit");
    let mut state = 1;
    let values: Vec<Vec<R>> = (0..sequences)
        .map(|_| (0..steps * inputs).map(|_| R::rounded(uniform(&mut state))).collect())
        .collect();
    let values: Vec<&[R]> = values.iter().map(Vec::as_slice).collect();
    let run = || {
        let start = Instant::now();
        let (input, reading) = (Input::Values(&values), Reading::default());
        let some = match all {
            true => reservoir.states(input, &reading).expect("the input fits").swap_remove(0),
            false => reservoir.pooled(input, &reading).expect("the input fits").last,
        };
        assert!(some.iter().all(|&h| h.into().is_finite()));
        (sequences * steps) as f64 / start.elapsed().as_secs_f64()
    };
    run();
    (0..repeats).map(|_| run()).collect()
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let flag = |name: &str, default: &str| {
        let at = args.iter().position(|a| a == name);
        at.and_then(|i| args.get(i + 1)).map_or(default.to_owned(), Clone::clone)
    };
    let precision = args.first().map_or("f64", String::as_str);
    let isa: Isa = flag("--isa", "auto").parse()?;
    let threads: usize = flag("--threads", "2").parse()?;
    let size = Size {
        units: flag("--units", "500").parse()?,
        inputs: flag("--inputs", "21").parse()?,
        density: flag("--density", "0.1").parse()?,
        sequences: flag("--sequences", "200").parse()?,
        steps: flag("--steps", "300").parse()?,
    };
    let states = flag("--states", "pooled");
    let all = match states.as_str() {
        "pooled" => false,
        "all" => true,
        other => return Err(format!("unknown states '{other}': expected pooled or all").into()),
    };
    let repeats: usize = flag("--repeats", "3").parse()?;
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build()?;
    let mut rates = pool.install(|| match precision {
        "f64" => Ok(measure::<f64>(&size, isa, repeats, all)),
        "f32" => Ok(measure::<f32>(&size, isa, repeats, all)),
        other => Err(format!("unknown precision '{other}': expected f64 or f32")),
    })?;
    rates.sort_by(f64::total_cmp);
    let (units, density) = (size.units, size.density);
    println!(
        "{{\"precision\":\"{precision}\",\"isa\":\"{isa}\",\"threads\":{threads},\"units\":{units},\
         \"density\":{density},\"states\":\"{states}\",\"steps_per_second\":{:.0}}}",
        rates[rates.len() / 2]
    );
    Ok(())
}
