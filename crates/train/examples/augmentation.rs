//! How fast images are distorted, on one thread, and what they look like.
//!
//! Run: `cargo run --release -p cutaway-train --example augmentation [DATA [SHEET.png]]`

use std::time::Instant;

use cutaway_data::{Images, OpenOptions, contact_sheet, open};
use cutaway_net::presets::reference_cnn;
use cutaway_train::{Augmentation, BatchMaker, Elastic, Recipe};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let data = arguments.next().unwrap_or_else(|| "strokes".into());
    let options = OpenOptions { strokes_train: 2000, strokes_test: 1, ..OpenOptions::default() };
    let images = open(&data, &options)?.train.select(&(0..2000).collect::<Vec<_>>());
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build()?;

    let elastic = Some(Elastic { alpha: 34.0, sigma: 4.0 });
    let affine = Augmentation { shift: 2.0, rotation: 10.0, ..Augmentation::default() };
    let kinds = [
        ("none", Augmentation::default()),
        ("affine", affine),
        ("affine and elastic", Augmentation { elastic, ..affine }),
        ("recipe best", Recipe::best().augmentation),
    ];
    let indices: Vec<usize> = (0..images.len()).collect();
    let mut batch = vec![0.0; images.pixels.len()];
    for (name, augmentation) in kinds {
        let maker = BatchMaker::new(&reference_cnn(0), &images, augmentation, 1)?;
        let best = (0..20)
            .map(|epoch| {
                let start = Instant::now();
                pool.install(|| maker.fill(epoch, &indices, &mut batch));
                start.elapsed().as_secs_f64()
            })
            .fold(f64::INFINITY, f64::min);
        println!("{name}: {:.2} µs an image", best * 1e6 / images.len() as f64);
    }
    if let Some(path) = arguments.next() {
        sheet(&images)?.write_png(path.as_ref())?;
    }
    Ok(())
}

/// Ten digits, each as it is and then distorted nine times.
fn sheet(images: &Images) -> Result<cutaway_data::Picture, Box<dyn std::error::Error>> {
    let maker = BatchMaker::new(&reference_cnn(0), images, Recipe::best().augmentation, 1)?;
    let mut shown = images.select(&[]);
    let mut one = vec![0.0; maker.image_len()];
    for index in 0..10 {
        shown.pixels.extend_from_slice(images.image(index));
        for epoch in 0..9 {
            maker.fill(epoch, &[index], &mut one);
            shown.pixels.extend(one.iter().map(|value| (value * 255.0).round() as u8));
        }
        shown.labels.extend([images.labels[index]; 10]);
    }
    Ok(contact_sheet(&shown, &(0..100).collect::<Vec<_>>(), 10))
}
