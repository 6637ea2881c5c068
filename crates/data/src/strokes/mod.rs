//! The embedded data set: handwritten-looking digits, drawn from a seed.
//!
//! Each image is made from three things: a *skeleton* drawn by hand for this program (several ways
//! of writing each digit), a *hand* that writes it (slant, proportions, tremor, overshooting ends,
//! an elastic deformation as in Simard, Steinkraus, Platt 2003, section 5), and a *pen* that inks it
//! (thickness, pressure, nib, edges). As in MNIST the digit is fitted into 20×20 and its centre of
//! mass put into the middle of 28×28, ink light on dark.
//!
//! An image depends on the seed and its number only, with the same bits on every machine: the
//! arithmetic is addition, multiplication, division and square root, which IEEE 754 rounds exactly.
//! The classes are balanced: of the ten images from a multiple of ten on, each is another digit.
//!
//! ```
//! let digits = cutaway_data::strokes::generate(7, 0..30);
//! assert_eq!((digits.len(), digits.height, digits.width), (30, 28, 28));
//! assert_eq!(digits.image(12), cutaway_data::strokes::generate(7, 12..13).image(0));
//! ```

mod hand;
mod ink;
mod skeletons;

use std::ops::Range;

use rayon::prelude::*;

use crate::random::Random;
use crate::{Dataset, Images, OpenOptions, Result, Unit};

/// Rows and columns of an image.
const SIDE: usize = 28;
/// The numbers of the test images begin here, so that they are the same however many there are for
/// training, and never among these.
const TEST_START: u64 = 1 << 40;

/// Draws the images with the given numbers, in parallel.
pub fn generate(seed: u64, numbers: Range<u64>) -> Images {
    generate_reporting(seed, numbers, &|_| ())
}

/// The digit that image `number` shows, 0 to 9.
pub fn label(seed: u64, number: u64) -> usize {
    let mut digits = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9];
    Random::new(seed, u64::MAX - number / 10).shuffle(&mut digits);
    digits[(number % 10) as usize]
}

/// The data set as [`open`](crate::open) gives it.
pub(crate) fn dataset(options: &OpenOptions) -> Result<Dataset> {
    let (train, test) = (options.strokes_train as u64, options.strokes_test as u64);
    let report = |already: u64| {
        move |done: u64| {
            options.report("drawing strokes", already + done, Some(train + test), Unit::Images);
        }
    };
    let train_images = generate_reporting(options.seed, 0..train, &report(0));
    let test_numbers = TEST_START..TEST_START + test;
    let test_images = generate_reporting(options.seed, test_numbers, &report(train));
    let labels = (0..10).map(|digit| digit.to_string()).collect();
    let source = format!("drawn by cutaway, seed {}", options.seed);
    Dataset::new("strokes", train_images, test_images, labels, source)
}

fn generate_reporting(seed: u64, numbers: Range<u64>, report: &(dyn Fn(u64) + Sync)) -> Images {
    /// Images drawn by a thread at a time, and between two reports.
    const CHUNK: usize = 500;
    let count = numbers.end.saturating_sub(numbers.start) as usize;
    let mut pixels = vec![0; count * SIDE * SIDE];
    let done = std::sync::atomic::AtomicU64::new(0);
    pixels.par_chunks_mut(CHUNK * SIDE * SIDE).enumerate().for_each(|(chunk, pixels)| {
        let first = numbers.start + (chunk * CHUNK) as u64;
        for (number, image) in (first..).zip(pixels.chunks_exact_mut(SIDE * SIDE)) {
            draw(seed, number, image);
        }
        let drawn = (pixels.len() / (SIDE * SIDE)) as u64;
        report(drawn + done.fetch_add(drawn, std::sync::atomic::Ordering::Relaxed));
    });
    let labels = numbers.map(|number| label(seed, number) as u16).collect();
    Images { height: SIDE, width: SIDE, channels: 1, pixels, labels }
}

/// Draws one image of 28×28.
fn draw(seed: u64, number: u64, image: &mut [u8]) {
    let mut random = Random::new(seed, number);
    let lines = hand::write(label(seed, number), &mut random);
    ink::draw(&lines, &mut random, image);
}
