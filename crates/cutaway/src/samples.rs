//! Images chosen on the command line: the same flags and the same rules for every verb.

use cutaway::Model;
use cutaway::data::{Dataset, Images};
pub(crate) use cutaway::probe::best;
use ndarray::{Array3, Ix4};

use crate::args::{Common, SampleArgs};
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
        samples.push(from_file(model, file, args)?);
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

/// An image file as the model takes it.
pub(crate) fn from_file(
    model: &Model,
    file: &std::path::Path,
    args: &SampleArgs,
) -> Result<Sample> {
    let mut pixels = model.picture(file, args.resize)?;
    if args.invert {
        pixels.pixels.iter_mut().for_each(|p| *p = 255 - *p);
    }
    Ok(Sample { source: file.display().to_string(), index: None, label: None, pixels })
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
