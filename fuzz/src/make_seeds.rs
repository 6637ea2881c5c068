//! Writes the seeds: small honest files of every kind, made by Cutaway's own writers.
//!
//!     cargo run --release --bin make_seeds

use std::error::Error;
use std::path::{Path, PathBuf};

use cutaway_data::idx::Array;

fn main() -> Result<(), Box<dyn Error>> {
    idx(&folder("idx")?)
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
