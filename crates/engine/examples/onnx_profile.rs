//! Where the time of a forward pass goes, step by step.
//!
//! `onnx_profile MODEL.onnx BATCH [PASSES] [--threads N] [--isa NAME] [--by-time]` prints a row for each step:
//! the node and its operator, what works in place behind it, its output's shape, milliseconds (the median of PASSES),
//! the share of the pass, GFLOP/s (of direct convolutions) and the share of the machine's multiply-add peak.

use std::error::Error;

use cutaway_engine::measure::{self, StepTime};
use cutaway_engine::{Engine, Isa, Options};
use cutaway_net::{Network, onnx, summary};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments: Vec<String> = std::env::args().skip(1).collect();
    let threads = flag(&mut arguments, "--threads").map_or(Ok(2), |value| value.parse())?;
    let isa: Isa =
        flag(&mut arguments, "--isa").map_or(Ok(Isa::detect()), |value| value.parse())?;
    let by_time = arguments.iter().any(|argument| argument == "--by-time");
    arguments.retain(|argument| argument != "--by-time");
    let [model, batch, passes @ ..] = &arguments[..] else {
        let flags = "[--threads N] [--isa NAME] [--by-time]";
        return Err(format!("usage: onnx_profile MODEL.onnx BATCH [PASSES] {flags}").into());
    };
    let batch: usize = batch.parse()?;
    let passes = passes.first().map_or(Ok(20), |passes| passes.parse())?;
    let network = onnx::load(model)?;
    let options = Options { threads, isa: Some(isa), ..Options::default() };
    let engine = Engine::compile(&network, &options)?;
    let mut steps = measure::step_times(&engine, batch, passes);
    let peak = measure::peak_flops(&options)?;
    if by_time {
        steps.sort_by(|a, b| b.seconds.total_cmp(&a.seconds));
    }
    print(&network, &steps, batch, peak);
    println!("{isa}, {threads} threads, peak {:.0} GFLOP/s, {passes} passes", peak / 1e9);
    Ok(())
}

fn print(network: &Network, steps: &[StepTime], batch: usize, peak: f64) {
    let rows = summary(network).layers;
    let whole: f64 = steps.iter().map(|step| step.seconds).sum();
    println!("     ms  share  GFLOP/s  peak  operator      output           node");
    let mut operations = 0.0;
    for step in steps {
        let (row, node) = (&rows[step.node.0], network.node(step.node));
        let own = 2.0 * row.macs as f64 * batch as f64;
        operations += own;
        let behind: Vec<&str> = step.behind.iter().map(|&id| network.node(id).op.kind()).collect();
        let rate = match row.macs {
            0 => " ".repeat(13),
            _ => format!(
                "{:7.0} {:4.0}%",
                own / step.seconds / 1e9,
                100.0 * own / step.seconds / peak
            ),
        };
        println!(
            "{:7.3} {:5.1}% {rate}  {:12}  {:15}  {} {}",
            step.seconds * 1e3,
            100.0 * step.seconds / whole,
            node.op.kind(),
            format!("{:?}", network.shape(step.node)),
            node.name,
            behind.join(" "),
        );
    }
    let share = 100.0 * operations / whole / peak;
    println!(
        "{:7.3} ms in all, {:.0} GFLOP/s, {share:.0}% of the peak",
        whole * 1e3,
        operations / whole / 1e9
    );
}

/// Takes `name VALUE` out of the arguments.
fn flag(arguments: &mut Vec<String>, name: &str) -> Option<String> {
    let at = arguments.iter().position(|argument| argument == name)?;
    let taken: Vec<String> = arguments.drain(at..arguments.len().min(at + 2)).collect();
    taken.get(1).cloned()
}
