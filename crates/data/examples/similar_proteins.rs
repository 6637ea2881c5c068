//! How many proteins are left without similar ones, at several thresholds.
//!
//!     cargo run --release -p cutaway-data --example similar_proteins -- FOLDER IDENTITY [KEPT.fasta]
//!
//! With a third argument what is left is written there, for `bench/similar_proteins.py`.

use std::fmt::Write as _;
use std::path::Path;
use std::time::Instant;

use cutaway_data::sequences::{
    Inputs, PROTEIN, ProteinOptions, Sequences, Similarity, Targets, open_proteins, remove_similar,
};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let folder = arguments.first().ok_or("give a folder with FASTA files")?;
    let proteins = open_proteins(Path::new(folder), &ProteinOptions::default())?.sequences;
    println!("{} proteins", proteins.len());
    let identity = arguments.get(1).ok_or("give an identity, such as 0.4")?.parse()?;
    let start = Instant::now();
    let similarity = Similarity { identity, ..Similarity::default() };
    let (kept, report) = remove_similar(&proteins, &similarity)?;
    println!("{:.1} s {}", start.elapsed().as_secs_f64(), text(&report));
    if let Some(path) = arguments.get(2) {
        std::fs::write(path, fasta(&proteins.select(&kept)))?;
    }
    Ok(())
}

fn text(report: &cutaway_data::sequences::SimilarityReport) -> String {
    let mut text = format!(
        "identity {}: {} left; for one of the same class {}, of another {}, contradictory {};",
        report.similarity.identity,
        report.kept,
        report.same_class,
        report.other_class,
        report.contradictory
    );
    report.classes.iter().for_each(|class| _ = write!(text, " {} {}", class.class, class.count));
    text
}

fn fasta(proteins: &Sequences) -> String {
    let (Inputs::Symbols { sequences, .. }, Targets::Classes { names, labels }) =
        (&proteins.inputs, &proteins.targets)
    else {
        return String::new();
    };
    let mut text = String::new();
    for ((id, residues), &label) in proteins.ids.iter().zip(sequences).zip(labels) {
        let letters: String = residues.iter().map(|&r| PROTEIN[r as usize]).collect();
        _ = writeln!(text, ">{id} class={}\n{letters}", names[label]);
    }
    text
}
