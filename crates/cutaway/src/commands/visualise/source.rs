//! The images beside those that are made: a data set's, or the pictures of a folder.

use std::path::PathBuf;

use cutaway::Model;
use cutaway::data::Dataset;
use cutaway::explain::visualise::{Parametrisation, Settings};
use cutaway::report::PixelGrid;
use ndarray::ArrayD;

use crate::args::{self, Common};
use crate::error::Result;
use crate::figures;

/// Images in a batch of a data set, and of pictures.
const BATCH: [usize; 2] = [200, 8];
/// Images whose mean pixel is the ground, and whose mean spectrum MACO takes.
const TYPICAL: usize = 200;

pub(crate) enum Source {
    None,
    /// Test images.
    Dataset(Box<Dataset>),
    /// Files, brought to the size that the model takes.
    Folder(PathBuf, Vec<PathBuf>),
}

impl Source {
    /// What the flags say; without any, `auto` for a model that takes images like MNIST's.
    pub(crate) fn open(model: &Model, verb: &args::Visualise, common: &Common) -> Result<Source> {
        if let Some(folder) = &verb.images {
            return Ok(Source::Folder(folder.clone(), cutaway::data::pictures_in(folder)?));
        }
        let p = &model.network().metadata().preprocessing;
        let like_mnist = [p.height, p.width, p.channels] == [28, 28, 1];
        let spec = match &verb.data {
            Some(spec) => spec,
            None if like_mnist && verb.examples > 0 => "auto",
            None => return Ok(Source::None),
        };
        let mut dataset = crate::commands::open_data_for(model, spec, common)?;
        if let Some(limit) = verb.limit {
            let limit = crate::commands::check_limit(limit, &dataset)?;
            dataset.test = crate::commands::first_images(&dataset.test, limit);
        }
        Ok(Source::Dataset(Box::new(dataset)))
    }

    /// Its name, as `dataset` in JSON.
    pub(crate) fn name(&self) -> Option<String> {
        match self {
            Source::None => None,
            Source::Dataset(dataset) => Some(dataset.name.clone()),
            Source::Folder(folder, _) => Some(folder.display().to_string()),
        }
    }

    /// Number of images.
    pub(crate) fn count(&self) -> usize {
        match self {
            Source::None => 0,
            Source::Dataset(dataset) => dataset.test.len(),
            Source::Folder(_, files) => files.len(),
        }
    }

    /// What an image is called: its class and number, or its file.
    pub(crate) fn image_name(&self, model: &Model, index: usize) -> String {
        match self {
            Source::None => String::new(),
            Source::Dataset(dataset) => {
                format!("‘{}’ #{index}", model.label(dataset.test.label(index)))
            }
            Source::Folder(_, files) => {
                files[index].file_name().unwrap_or_default().to_string_lossy().into_owned()
            }
        }
    }

    /// An image as the network sees it.
    pub(crate) fn picture(&self, model: &Model, index: usize) -> Result<PixelGrid> {
        match self {
            Source::Dataset(dataset) => figures::pixels(&dataset.test, index),
            Source::Folder(_, files) => figures::pixels(&model.picture(&files[index], true)?, 0),
            Source::None => unreachable!("it has no images"),
        }
    }

    /// The network's inputs for the first images, a batch at a time.
    pub(crate) fn batches<'a>(
        &'a self,
        model: &'a Model,
        count: usize,
    ) -> impl Iterator<Item = Result<ArrayD<f32>>> + 'a {
        let [of_data, of_files] = BATCH;
        let each = if matches!(self, Source::Folder(..)) { of_files } else { of_data };
        (0..count).step_by(each).map(move |start| {
            let indices: Vec<usize> = (start..(start + each).min(count)).collect();
            match self {
                Source::Dataset(dataset) => Ok(model.input(&dataset.test, &indices)?),
                Source::Folder(_, files) => of_pictures(model, &files[start..][..indices.len()]),
                Source::None => unreachable!("it has no images"),
            }
        })
    }

    /// The ground and MACO's spectrum that suit images like these.
    pub(crate) fn suit(&self, model: &Model, settings: &mut Settings) -> Result<()> {
        let p = &model.network().metadata().preprocessing;
        let area = p.height * p.width;
        let count = self.count().min(TYPICAL);
        if count == 0 {
            return Ok(());
        }
        let mut images: Vec<Vec<f64>> = Vec::with_capacity(count);
        for batch in self.batches(model, count) {
            let batch = batch?;
            let values = batch.as_slice().expect("in standard order");
            let raw = |(i, v): (usize, &f32)| {
                let (c, v) = (i / area, f64::from(*v));
                (v * f64::from(p.std[c]) + f64::from(p.mean[c])) / f64::from(p.scale) / 255.0
            };
            let image = |image: &[f32]| image.iter().enumerate().map(raw).collect();
            images.extend(values.chunks_exact(area * p.channels).map(image));
        }
        let mean = |c: usize| {
            let of = |image: &Vec<f64>| image[c * area..][..area].iter().sum::<f64>();
            images.iter().map(of).sum::<f64>() / (area * images.len()) as f64
        };
        settings.ground = Some((0..p.channels).map(|c| mean(c).clamp(0.0, 1.0)).collect());
        let own_size = settings.size.is_none_or(|size| size == p.height.max(p.width));
        if settings.parametrisation == Parametrisation::Maco && own_size {
            settings.models = images;
        }
        Ok(())
    }
}

fn of_pictures(model: &Model, files: &[PathBuf]) -> Result<ArrayD<f32>> {
    let mut all: Option<ArrayD<f32>> = None;
    for file in files {
        let one = model.input(&model.picture(file, true)?, &[0])?;
        match &mut all {
            Some(all) => all.append(ndarray::Axis(0), one.view()).expect("of one shape"),
            None => all = Some(one),
        }
    }
    Ok(all.expect("batches are not empty"))
}
