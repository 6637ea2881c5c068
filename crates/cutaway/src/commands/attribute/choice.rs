//! Which methods are asked, with which parameters, and what they compare with.

use std::path::{Path, PathBuf};

use cutaway::Model;
use cutaway::data::Dataset;
use cutaway::explain::attribution::{Baseline, Method, Question};
use ndarray::{Array4, Axis};

use crate::args;
use crate::console;
use crate::error::{Error, Result};
use crate::samples;

/// Images that expected gradients compare with.
const BACKGROUND: usize = 100;
/// What these may take: 256 MiB.
const BYTES: usize = 256 << 20;

/// The methods that were named, with the parameters that were given.
///
/// Counts suit the network where they were not given.
pub(super) fn methods(model: &Model, verb: &args::Attribute) -> Result<Vec<Method>> {
    let mut methods: Vec<Method> = Vec::new();
    let default = if verb.bench.is_some() { "all" } else { "integrated-gradients" };
    let named = verb.method.iter().map(String::as_str);
    for name in named.chain(Some(default).filter(|_| verb.method.is_empty())) {
        let names = if name == "all" { Method::NAMES } else { &[name] };
        for name in names {
            let method: Method = name.parse().map_err(Error::Usage)?;
            if !methods.contains(&method) {
                methods.push(method);
            }
        }
    }
    if verb.background.is_some() {
        let shap = methods.iter_mut().filter(|method| method.name() == "kernel-shap");
        shap.for_each(|method| _ = method.set_baseline(&Baseline::Background));
    }
    set_counts(model, verb, &mut methods)?;
    Ok(methods)
}

/// Sets what was given: first what the suitable counts depend on, then the counts.
fn set_counts(model: &Model, verb: &args::Attribute, methods: &mut [Method]) -> Result<()> {
    let mut apply = |flag: &str, set: &dyn Fn(&mut Method) -> bool| {
        // Not `any`: every method is to have it.
        let taken = methods.iter_mut().map(set).filter(|&taken| taken).count();
        match taken {
            0 => Err(Error::Usage(format!("none of the methods named has a use for {flag}"))),
            _ => Ok(()),
        }
    };
    if let Some(layer) = &verb.layer {
        apply("--layer", &|method| method.set_layer(layer))?;
    }
    if let Some(noise) = verb.noise {
        apply("--noise", &|method| method.set_noise(noise))?;
    }
    if let Some(biases) = verb.biases {
        apply("--biases", &|method| method.set_biases(biases))?;
    }
    if let Some(products) = verb.products {
        apply("--products", &|method| method.set_products(products))?;
    }
    if let Some(segments) = verb.segments {
        apply("--segments", &|method| method.set_segments(segments))?;
    }
    if let Some(baseline) = &verb.baseline {
        apply("--baseline", &|method| method.set_baseline(baseline))?;
    }
    if verb.patch.is_some() {
        apply("--patch", &|method| method.set_window(verb.patch, None))?;
    }
    let question = Question::new(model.engine());
    apply("", &|method| {
        method.suit(&question);
        true
    })?;
    if let Some(steps) = verb.steps {
        apply("--steps", &|method| method.set_steps(steps))?;
    }
    if let Some(draws) = verb.draws {
        apply("--samples", &|method| method.set_samples(draws))?;
    }
    if let Some(maps) = verb.maps {
        apply("--maps", &|method| method.set_maps(maps))?;
    }
    if verb.stride.is_some() {
        apply("--stride", &|method| method.set_window(verb.patch, verb.stride))?;
    }
    Ok(())
}

pub(super) fn without_background(methods: Vec<Method>) -> Vec<Method> {
    console::say(
        "note: expected-gradients is left out: it compares with typical images, give --background or \
         --data",
    );
    methods.into_iter().filter(|m| m.name() != "expected-gradients").collect()
}

/// Evenly spaced training images, preprocessed; of a set without any, test images.
pub(crate) fn background(model: &Model, dataset: &Dataset) -> Result<Array4<f32>> {
    let images = if dataset.train.is_empty() { &dataset.test } else { &dataset.train };
    let count = images.len().min(BACKGROUND);
    let indices: Vec<usize> = (0..count).map(|i| i * images.len() / count).collect();
    let batch = model.input(images, &indices)?;
    batch.into_dimensionality().map_err(|_| {
        Error::Usage(format!("network '{}' does not take images", model.network().name()))
    })
}

/// Evenly spaced pictures of a folder, preprocessed: as many as [`BACKGROUND`] and [`BYTES`] allow.
pub(super) fn background_in(
    model: &Model,
    folder: &Path,
    verb: &args::Attribute,
) -> Result<Array4<f32>> {
    let paths = cutaway::data::pictures_in(folder)?;
    let numbers: usize = model.network().shape(model.network().input()).iter().product();
    let most = (BYTES / (4 * numbers.max(1))).clamp(1, BACKGROUND);
    let count = paths.len().min(most);
    let chosen: Vec<&PathBuf> = (0..count).map(|i| &paths[i * paths.len() / count]).collect();
    stacked(model, &chosen, verb)
}

/// Picture files as one input `[N, C, H, W]`.
pub(super) fn stacked(
    model: &Model,
    paths: &[&PathBuf],
    verb: &args::Attribute,
) -> Result<Array4<f32>> {
    let mut batch: Option<Array4<f32>> = None;
    for (i, path) in paths.iter().enumerate() {
        let image = samples::from_file(model, path, &verb.samples)?.0.input(model)?;
        let (c, h, w) = image.dim();
        let batch = batch.get_or_insert_with(|| Array4::zeros((paths.len(), c, h, w)));
        batch.index_axis_mut(Axis(0), i).assign(&image);
    }
    Ok(batch.expect("a folder of pictures has one"))
}
