//! The machine's multiply-add peak: `peak --threads N --isa auto|avx512|avx2|portable`.
//! Prints one JSON line.

use cutaway_engine::{Options, measure};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let flag = |name: &str, default: &str| {
        let at = args.iter().position(|a| a == name);
        at.and_then(|i| args.get(i + 1)).map_or(default.to_owned(), Clone::clone)
    };
    let options = Options {
        threads: flag("--threads", "2").parse()?,
        isa: Some(flag("--isa", "auto").parse()?),
        ..Options::default()
    };
    let mut rates: Vec<f64> =
        (0..5).map(|_| measure::peak_flops(&options)).collect::<Result<_, _>>()?;
    rates.sort_by(f64::total_cmp);
    println!(
        "{{\"isa\":\"{}\",\"threads\":{},\"gflops\":{:.1}}}",
        options.isa.unwrap(),
        options.threads,
        rates[2] / 1e9
    );
    Ok(())
}
