//! Sweeps: one image, many local edits, the network's answer to each.

use cutaway_net::NodeId;
use ndarray::{Array2, Array3, Array4, ArrayView3, ArrayViewMut3, Axis, s};

use crate::check;
use crate::incremental;
use crate::layers::region::Region;
use crate::plan;
use crate::{Activations, Engine, Error, Result};

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

/// How a sweep is computed. `Full` and `Incremental` give the same bits, `Rounded` the same numbers to
/// rounding; each of them gives its bits on any number of threads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Strategy {
    /// `Incremental` for images of at most 64×64 pixels, where it costs little to be exact; `Rounded` for
    /// larger ones, where in deep networks it is two to three times as fast.
    #[default]
    Auto,
    /// A forward pass over every edited image.
    Full,
    /// The base image's activations once, then for each edit only what its changed pixels reach.
    /// Edits that change nothing, or make the same image, are not computed again.
    Incremental,
    /// As `Incremental`, but a change reaches only the outputs that are made of it. Outputs that share a tile
    /// of Winograd's with them keep the base's rounding, so answers agree with those of the other ways to
    /// rounding, not to the bit; in deep networks much less is computed.
    Rounded,
}

/// Pixels of an image up to which [`Strategy::Auto`] is exact.
const EXACT_PIXELS: usize = 64 * 64;

impl Strategy {
    /// What it comes to for an input of this shape.
    pub(crate) fn chosen_for(self, input: &[usize]) -> Strategy {
        match (self, input) {
            (Strategy::Auto, [_, rows, cols]) if rows * cols > EXACT_PIXELS => Strategy::Rounded,
            (Strategy::Auto, _) => Strategy::Incremental,
            (chosen, _) => chosen,
        }
    }

    /// All of them, by name.
    pub const NAMES: [&str; 4] = ["auto", "full", "incremental", "rounded"];
}

impl std::fmt::Display for Strategy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Strategy::Auto => "auto",
            Strategy::Full => "full",
            Strategy::Incremental => "incremental",
            Strategy::Rounded => "rounded",
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
            "rounded" => Ok(Strategy::Rounded),
            _ => Err(format!("unknown strategy '{s}': expected {}", Strategy::NAMES.join(", "))),
        }
    }
}

/// Numbers that the values of a sweep may come to: 4 GiB.
const MOST_NUMBERS: usize = 1 << 30;

/// Numbers of the edited images that full recomputation holds at once: 32 MiB.
const FULL_FLOATS: usize = 1 << 23;

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
    /// does not lie in the image; [`Error::NotFinite`] where an answer is NaN or infinite;
    /// [`Error::TooLarge`] for more than 2^30 numbers.
    pub fn sweep_with(
        &self,
        base: ArrayView3<'_, f32>,
        edits: &[Edit],
        strategy: Strategy,
    ) -> Result<Array2<f32>> {
        let output = self.network().output();
        let classes = self.node_len(output);
        let mut values = self.swept(base, edits, &[output], strategy)?;
        let mut results = values.pop().expect("one node");
        self.finish_probabilities(classes, &mut results);
        if let Some(at) = results.iter().position(|v| !v.is_finite()) {
            let edit = at / classes;
            let edited = edits[edit].applied(base).insert_axis(Axis(0)).into_dyn();
            return Err(check::not_finite_error(self, edited.view(), edit));
        }
        Ok(Array2::from_shape_vec((edits.len(), classes), results).expect("as many as computed"))
    }

    /// [`Engine::sweep_at_with`] by the strategy of the engine's options.
    ///
    /// # Errors
    /// As [`Engine::sweep_at_with`].
    pub fn sweep_at(
        &self,
        base: ArrayView3<'_, f32>,
        edits: &[Edit],
        nodes: &[NodeId],
    ) -> Result<Activations> {
        self.sweep_at_with(base, edits, nodes, self.strategy())
    }

    /// The values of any nodes, `[edits, ...]` with the node's shape in the network's order, for the base
    /// image `[C, H, W]` with each edit applied alone: what [`Engine::forward`] gives for the edited images,
    /// to the bit (but see [`Strategy::Rounded`]). Layers that none of the nodes needs are not computed.
    ///
    /// ```
    /// use cutaway_engine::{Edit, Engine, Fill, Options};
    /// use cutaway_net::presets;
    /// use ndarray::Array3;
    ///
    /// let network = presets::reference_cnn(1);
    /// let engine = Engine::compile(&network, &Options::default())?;
    /// let image = Array3::from_elem((1, 28, 28), 0.5);
    /// let cover = |row| Edit { row, col: 0, height: 8, width: 8, fill: Fill::Value(0.0) };
    /// let (maps, logits) = (network.find("relu1")?, network.find("logits")?);
    /// let values = engine.sweep_at(image.view(), &[cover(0), cover(20)], &[maps, logits])?;
    /// assert_eq!(values.get(maps).unwrap().shape(), [2, 32, 24, 24]);
    /// assert_eq!(values.get(logits).unwrap().shape(), [2, 10]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// If the base has another shape than the network's input, the input is no image, an edit does not lie
    /// in the image, or a node does not exist; [`Error::TooLarge`] where the values come to more than 2^30
    /// numbers. Values that are NaN or infinite are given back as they are.
    pub fn sweep_at_with(
        &self,
        base: ArrayView3<'_, f32>,
        edits: &[Edit],
        nodes: &[NodeId],
        strategy: Strategy,
    ) -> Result<Activations> {
        let mut nodes = nodes.to_vec();
        nodes.sort();
        nodes.dedup();
        let values = self.swept(base, edits, &nodes, strategy)?;
        let values = nodes.iter().zip(values);
        let arrays = values.map(|(&node, values)| (node, self.array(edits.len(), node, values)));
        Ok(Activations(arrays.collect()))
    }

    /// The values of different nodes, each in the network's order.
    fn swept(
        &self,
        base: ArrayView3<'_, f32>,
        edits: &[Edit],
        nodes: &[NodeId],
        strategy: Strategy,
    ) -> Result<Vec<Vec<f32>>> {
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
        nodes.iter().try_for_each(|&node| self.check_node(node))?;
        let each: usize = nodes.iter().map(|&node| self.node_len(node)).sum();
        if edits.len().saturating_mul(each) > MOST_NUMBERS {
            return Err(Error::TooLarge { edits: edits.len(), each, most: MOST_NUMBERS });
        }
        let results = nodes.iter().map(|&node| vec![0.0; edits.len() * self.node_len(node)]);
        let mut results: Vec<Vec<f32>> = results.collect();
        match strategy.chosen_for(self.network.shape(self.network.input())) {
            Strategy::Full => self.full_recomputation(base, edits, nodes, &mut results)?,
            _ if edits.is_empty() || nodes.is_empty() => {}
            partial => {
                let (c, h, w) = base.dim();
                let mut image = vec![0.0; c * h * w];
                let standard = base.as_standard_layout();
                let from = standard.as_slice().expect("standard");
                plan::to_channels_last(h * w, c, from, &mut image);
                let exact = partial != Strategy::Rounded;
                incremental::sweep(self, &image, [h, w, c], edits, nodes, exact, &mut results);
            }
        }
        Ok(results)
    }

    /// Forward passes over batches of edited images.
    fn full_recomputation(
        &self,
        base: ArrayView3<'_, f32>,
        edits: &[Edit],
        nodes: &[NodeId],
        results: &mut [Vec<f32>],
    ) -> Result<()> {
        let batch = (FULL_FLOATS / base.len().max(1)).clamp(1, edits.len().max(1));
        let (c, h, w) = base.dim();
        for first in (0..edits.len()).step_by(batch) {
            let edits = &edits[first..edits.len().min(first + batch)];
            let mut images = Array4::zeros((edits.len(), c, h, w));
            for (edit, mut image) in edits.iter().zip(images.outer_iter_mut()) {
                image.assign(&base);
                edit.write(image);
            }
            let mut values = self.forward(images.view(), nodes)?;
            for (node, results) in nodes.iter().zip(results.iter_mut()) {
                let values = values.take(*node).expect("tapped").into_raw_vec_and_offset().0;
                results[first * self.node_len(*node)..][..values.len()].copy_from_slice(&values);
            }
        }
        Ok(())
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

    /// A copy of an image `[C, H, W]` with the rectangle in it.
    fn applied(&self, base: ArrayView3<'_, f32>) -> Array3<f32> {
        let mut image = base.to_owned();
        self.write(image.view_mut());
        image
    }

    /// Writes the rectangle into an image `[C, H, W]`.
    fn write(&self, mut image: ArrayViewMut3<'_, f32>) {
        let (rows, cols) = (self.row..self.row + self.height, self.col..self.col + self.width);
        let mut rectangle = image.slice_mut(s![.., rows, cols]);
        match &self.fill {
            Fill::Value(value) => rectangle.fill(*value),
            Fill::Channels(values) => {
                let planes = rectangle.outer_iter_mut().zip(values);
                planes.for_each(|(mut plane, value)| plane.fill(*value));
            }
            Fill::Patch(patch) => rectangle.assign(patch),
        }
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
