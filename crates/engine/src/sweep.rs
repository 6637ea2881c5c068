//! Sweeps: one image, many local edits, the network's answer to each.

use ndarray::{Array2, Array3, Array4, ArrayView3};
use rayon::prelude::*;

use crate::check;
use crate::incremental;
use crate::layers::Run;
use crate::layers::region::Region;
use crate::plan::{self, Request};
use crate::{Engine, Error, Result};

/// A rectangle of an image and what goes into it.
#[derive(Clone, Debug, PartialEq)]
pub struct Edit {
    /// First row of the rectangle, from the top.
    pub row: usize,
    /// First column, from the left.
    pub col: usize,
    /// Rows, at least 1.
    pub height: usize,
    /// Columns, at least 1.
    pub width: usize,
    /// Its new contents, in the units of the network's input.
    pub fill: Fill,
}

/// What a rectangle shows.
#[derive(Clone, Debug, PartialEq)]
pub enum Fill {
    /// One value everywhere.
    Value(f32),
    /// One value a channel.
    Channels(Vec<f32>),
    /// Pixels `[C, height, width]`.
    Patch(Array3<f32>),
}

/// How a sweep is computed. All ways give the same bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Strategy {
    /// The one that is expected to be fastest: at present always `Incremental`, which itself
    /// computes layers whole where that is cheaper.
    #[default]
    Auto,
    /// A forward pass over every edited image.
    Full,
    /// The base image's activations once, then for each edit only what its changed pixels reach.
    /// Edits that change nothing, or make the same image, are not computed again.
    Incremental,
}

impl Strategy {
    /// All of them, by name.
    pub const NAMES: [&str; 3] = ["auto", "full", "incremental"];
}

impl std::fmt::Display for Strategy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Strategy::Auto => "auto",
            Strategy::Full => "full",
            Strategy::Incremental => "incremental",
        })
    }
}

impl std::str::FromStr for Strategy {
    type Err = String;
    fn from_str(s: &str) -> std::result::Result<Self, String> {
        match s {
            "auto" => Ok(Strategy::Auto),
            "full" => Ok(Strategy::Full),
            "incremental" => Ok(Strategy::Incremental),
            _ => Err(format!("unknown strategy '{s}': expected {}", Strategy::NAMES.join(", "))),
        }
    }
}

impl Engine {
    /// [`Engine::sweep_with`] by the strategy of the engine's options.
    ///
    /// # Errors
    /// As [`Engine::sweep_with`].
    pub fn sweep(&self, base: ArrayView3<'_, f32>, edits: &[Edit]) -> Result<Array2<f32>> {
        self.sweep_with(base, edits, self.strategy())
    }

    /// Class probabilities `[edits, classes]` of the base image `[C, H, W]` with each edit applied
    /// alone. Edited images are never all held at once, so memory does not grow with their number
    /// beyond the result and the edits' own contents.
    ///
    /// # Errors
    /// If the base has another shape than the network's input, the input is no image, or an edit
    /// does not lie in the image; [`Error::NotFinite`] where an answer is NaN or infinite.
    pub fn sweep_with(
        &self,
        base: ArrayView3<'_, f32>,
        edits: &[Edit],
        strategy: Strategy,
    ) -> Result<Array2<f32>> {
        let network = self.network();
        let shape = network.shape(network.input());
        if shape != base.shape() {
            let expected = format!("{shape:?}");
            let what = "the base image of the sweep".to_owned();
            return Err(Error::Shape { what, expected, found: base.shape().to_vec() });
        }
        for (index, edit) in edits.iter().enumerate() {
            edit.check(base.dim()).map_err(|problem| Error::Edit { index, problem })?;
        }
        let output = network.output();
        let classes = self.node_len(output);
        let mut results = vec![0.0; edits.len() * classes];
        let (c, h, w) = base.dim();
        let mut image = vec![0.0; c * h * w];
        let standard = base.as_standard_layout();
        plan::to_channels_last(h * w, c, standard.as_slice().expect("standard"), &mut image);
        match strategy {
            Strategy::Full => self.full_recomputation(&image, [h, w, c], edits, &mut results),
            Strategy::Auto | Strategy::Incremental => {
                incremental::sweep(self, &image, [h, w, c], edits, &mut results);
            }
        }
        self.finish_probabilities(classes, &mut results);
        if let Some(at) = results.iter().position(|v| !v.is_finite()) {
            let edit = at / classes;
            edits[edit].apply([h, w, c], &mut image);
            let mut edited = Array4::zeros((1, c, h, w)).into_dyn();
            let into = edited.as_slice_mut().expect("in standard order");
            plan::to_channels_first(h * w, c, &image, into);
            return Err(check::not_finite_error(self, edited.view(), edit));
        }
        Ok(Array2::from_shape_vec((edits.len(), classes), results).expect("as many as computed"))
    }

    fn full_recomputation(
        &self,
        image: &[f32],
        size: [usize; 3],
        edits: &[Edit],
        results: &mut [f32],
    ) {
        let output = self.network().output();
        let request = Request {
            keep: vec![output],
            gradients: None,
            training: false,
            split: 1,
            reuse: false,
        };
        let prepared = self.prepared(request);
        let plan = &prepared.plan;
        let classes = self.node_len(output);
        let input = plan.buffer_of_input();
        self.pool.install(|| {
            let pieces = results.par_chunks_mut(plan.chunk * classes);
            pieces.zip(edits.par_chunks(plan.chunk)).for_each(|(results, edits)| {
                prepared.with_workspace(|ws| {
                    let images = ws.values[input].chunks_exact_mut(image.len());
                    for (edit, copy) in edits.iter().zip(images) {
                        copy.copy_from_slice(image);
                        edit.apply(size, copy);
                    }
                    let run = Run { n: edits.len(), first: 0, training: false, seed: 0, split: 1 };
                    plan.forward(self.layers(), ws, run, 0..plan.steps.len());
                    self.read(&ws.values[plan.buffer(output)], output, results);
                });
            });
        });
    }
}

impl Edit {
    fn check(&self, (c, h, w): (usize, usize, usize)) -> std::result::Result<(), String> {
        let &Edit { row, col, height, width, ref fill } = self;
        let fits = |start: usize, size: usize, limit: usize| {
            size > 0 && start.checked_add(size).is_some_and(|end| end <= limit)
        };
        if !fits(row, height, h) || !fits(col, width, w) {
            return Err(format!(
                "a rectangle of {height}×{width} at row {row}, column {col} does not lie in the \
                 image of {h}×{w}"
            ));
        }
        match fill {
            Fill::Channels(values) if values.len() != c => Err(format!(
                "the fill has {} values, expected one for each of the {c} channels",
                values.len()
            )),
            Fill::Patch(patch) if patch.dim() != (c, height, width) => Err(format!(
                "the patch has shape {:?}, expected [{c}, {height}, {width}]",
                patch.shape()
            )),
            _ => Ok(()),
        }
    }

    pub(crate) fn region(&self) -> Region {
        let (bottom, right) = (self.row + self.height, self.col + self.width);
        Region { top: self.row, left: self.col, bottom, right }
    }

    /// Writes the rectangle into an image `[height, width, channels]`.
    pub(crate) fn apply(&self, [_, w, c]: [usize; 3], image: &mut [f32]) {
        for y in 0..self.height {
            for x in 0..self.width {
                let at = ((self.row + y) * w + self.col + x) * c;
                for (channel, value) in image[at..at + c].iter_mut().enumerate() {
                    *value = match &self.fill {
                        Fill::Value(v) => *v,
                        Fill::Channels(values) => values[channel],
                        Fill::Patch(patch) => patch[(channel, y, x)],
                    };
                }
            }
        }
    }
}
