//! Images chosen on the command line: the same flags and the same rules for every verb.

use cutaway::Model;
use cutaway::data::{Dataset, Images, Picture};
pub(crate) use cutaway::probe::best;
use ndarray::{Array3, Ix4};

use crate::args::{Common, SampleArgs};
use crate::console;
use crate::error::{Error, Result};

/// One image that a verb works on.
#[derive(Clone, Debug)]
pub(crate) struct Sample {
    /// What people call it: `mnist test sample 3`, or a file's path.
    pub(crate) source: String,
    /// Its place in the test set.
    pub(crate) index: Option<usize>,
    /// Its class, where it is known.
    pub(crate) label: Option<usize>,
    /// The one image, 0..=255, as the model's preprocessing takes it.
    pub(crate) pixels: Images,
    /// What the file of an image file holds.
    pub(crate) original: Option<Original>,
}

/// The picture of a file before it was brought to the network's size.
#[derive(Clone, Debug)]
pub(crate) struct Original {
    pub(crate) picture: Picture,
    /// The part that the network is shown: top, left, height and width in the picture's pixels.
    pub(crate) part: [f64; 4],
}

impl Sample {
    /// The network's input `[C, H, W]`, preprocessed.
    pub(crate) fn input(&self, model: &Model) -> Result<Array3<f32>> {
        let batch = model.input(&self.pixels, &[0])?;
        let batch = batch.into_dimensionality::<Ix4>().map_err(|_| {
            Error::Usage(format!("network '{}' does not take images", model.network().name()))
        })?;
        Ok(batch.index_axis_move(ndarray::Axis(0), 0))
    }
}

/// The images that were asked for.
pub(crate) struct Chosen {
    /// The data set, where one was needed.
    pub(crate) dataset: Option<Dataset>,
    /// In the order files, `--sample`, `--digit`.
    pub(crate) samples: Vec<Sample>,
}

/// Finds the images that `args` name. Where they name none, `default` classes are looked up as with
/// `--digit`; `needs_dataset` opens the data set in any case.
pub(crate) fn choose(
    model: &Model,
    args: &SampleArgs,
    common: &Common,
    default: &[usize],
    needs_dataset: bool,
) -> Result<Chosen> {
    let mut samples = Vec::new();
    for file in &args.image {
        let (sample, notes) = from_file(model, file, args)?;
        notes.iter().for_each(|note| console::say(&format!("note: {}: {note}", sample.source)));
        samples.push(sample);
    }
    let named = !args.image.is_empty() || !args.sample.is_empty() || !args.digit.is_empty();
    let digits = if named { &args.digit[..] } else { default };
    if args.sample.is_empty() && digits.is_empty() && !needs_dataset {
        return Ok(Chosen { dataset: None, samples });
    }
    let dataset = crate::commands::open_data_for(model, &args.data.data, common)?;
    for &index in &args.sample {
        samples.push(from_test(&dataset, index)?);
    }
    for &class in digits {
        samples.push(from_test(&dataset, first_correct(model, &dataset, class)?)?);
    }
    Ok(Chosen { dataset: Some(dataset), samples })
}

/// The sample of an image file, and what a viewer of the file may not expect of it.
pub(crate) fn from_file(
    model: &Model,
    file: &std::path::Path,
    args: &SampleArgs,
) -> Result<(Sample, Vec<String>)> {
    let look = model.look(file, args.resize)?;
    let mut pixels = look.images;
    if args.invert {
        pixels.pixels.iter_mut().for_each(|p| *p = 255 - *p);
    }
    let original = Some(Original { picture: look.original, part: look.part });
    let source = file.display().to_string();
    Ok((Sample { source, index: None, label: None, pixels, original }, look.notes))
}

/// The test sample at an index.
pub(crate) fn from_test(dataset: &Dataset, index: usize) -> Result<Sample> {
    let count = dataset.test.len();
    if index >= count {
        return Err(Error::Usage(format!(
            "--sample {index} is out of range: {} has test samples 0 to {}",
            dataset.name,
            count - 1
        )));
    }
    Ok(Sample {
        source: format!("{} test sample {index}", dataset.name),
        index: Some(index),
        label: Some(dataset.test.label(index)),
        pixels: dataset.test.select(&[index]),
        original: None,
    })
}

/// The first test sample of a class that the model classifies correctly.
pub(crate) fn first_correct(model: &Model, dataset: &Dataset, class: usize) -> Result<usize> {
    if class >= dataset.classes() {
        return Err(Error::Usage(format!(
            "--digit {class} is out of range: {} has classes 0 to {}",
            dataset.name,
            dataset.classes() - 1
        )));
    }
    let images = &dataset.test;
    for index in (0..images.len()).filter(|&i| images.label(i) == class) {
        let probabilities = model.predict(images, &[index])?;
        if best(probabilities.row(0).to_slice().expect("one row after the other")).0 == class {
            return Ok(index);
        }
    }
    Err(Error::Usage(format!(
        "--digit {class}: the test set has no sample of this class that the model gets right"
    )))
}

/// Says so where the model gives every class the same probability, for this image and for its negative:
/// what a map of such an answer shows is rounding.
pub(crate) fn say_if_flat(model: &Model, sample: &Sample, probabilities: &[f32]) -> Result<()> {
    if probabilities.len() < 2 || !is_flat(probabilities) {
        return Ok(());
    }
    let mut negative = sample.pixels.clone();
    negative.pixels.iter_mut().for_each(|pixel| *pixel = 255 - *pixel);
    let other = model.predict(&negative, &[0])?;
    if is_flat(&other.row(0).to_vec()) {
        console::say(&format!(
            "note: the model gives every class the same probability, {:.4}, for {} as for its \
             negative: the answer does not depend on the picture, and maps of it show nothing",
            probabilities[0], sample.source
        ));
    }
    Ok(())
}

/// Whether all numbers are the same, but for rounding.
fn is_flat(probabilities: &[f32]) -> bool {
    let most = probabilities.iter().copied().fold(f32::MIN, f32::max);
    let least = probabilities.iter().copied().fold(f32::MAX, f32::min);
    most - least <= 1e-4 * most
}
