//! Which methods are asked, with which parameters, and what they compare with.

use cutaway::Model;
use cutaway::data::Dataset;
use cutaway::explain::attribution::Method;
use ndarray::Array4;

use crate::args;
use crate::console;
use crate::error::{Error, Result};

/// Images that expected gradients compare with.
const BACKGROUND: usize = 100;

/// The methods that were named, with the parameters that were given.
pub(super) fn methods(verb: &args::Attribute) -> Result<Vec<Method>> {
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
    if let Some(steps) = verb.steps {
        apply("--steps", &|method| method.set_steps(steps))?;
    }
    if let Some(draws) = verb.draws {
        apply("--samples", &|method| method.set_samples(draws))?;
    }
    if let Some(noise) = verb.noise {
        apply("--noise", &|method| method.set_noise(noise))?;
    }
    if verb.patch.is_some() || verb.stride.is_some() {
        apply("--patch and --stride", &|method| method.set_window(verb.patch, verb.stride))?;
    }
    if let Some(segments) = verb.segments {
        apply("--segments", &|method| method.set_segments(segments))?;
    }
    if let Some(baseline) = &verb.baseline {
        apply("--baseline", &|method| method.set_baseline(baseline))?;
    }
    Ok(methods)
}

pub(super) fn without_background(methods: Vec<Method>) -> Vec<Method> {
    console::say(
        "note: expected-gradients is left out: it compares with a data set's images, give --data",
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
