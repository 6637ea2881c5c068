//! Occlusion.

use cutaway_engine::{Edit, Fill};
use ndarray::{Array2, Array3, ArrayView3, ArrayView4, ArrayViewD, Axis, s};
use serde::{Deserialize, Serialize};

use super::ask::{Ask, Output};
use super::baseline::Baseline;
use super::{Attribute, Raw, at_least};
use crate::Error;

/// A window slides over the image and shows the baseline; a pixel's value is the mean fall of the
/// explained number over the windows that cover it, 0 where none does (Zeiler and Fergus 2014,
/// "Visualizing and Understanding Convolutional Networks", section 4.2; Captum's `Occlusion`).
///
/// Windows are computed by [`Engine::sweep_at`](cutaway_engine::Engine::sweep_at), which computes only what
/// each can reach.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Occlusion {
    /// Side of the window in pixels; `None` for two sevenths of the image's shorter side, 8 of 28.
    pub window: Option<usize>,
    /// Pixels from one place to the next; `None` for a quarter of the window.
    pub stride: Option<usize>,
    /// What the window shows.
    pub baseline: Baseline,
}

impl Default for Occlusion {
    fn default() -> Self {
        Occlusion { window: None, stride: None, baseline: Baseline::Zero }
    }
}

/// Places of a window: where it starts and ends.
struct Places {
    rows: Vec<Span>,
    cols: Vec<Span>,
}

type Span = (usize, usize);

impl Occlusion {
    /// Side of the window and stride on an image of a size.
    pub(crate) fn window_and_stride(&self, [height, width]: [usize; 2]) -> [usize; 2] {
        let window = self.window.unwrap_or((height.min(width) * 2).div_ceil(7)).max(1);
        [window, self.stride.unwrap_or(window.div_ceil(4)).max(1)]
    }

    fn places(&self, [_, height, width]: [usize; 3]) -> Result<Places, Error> {
        let [window, stride] = self.window_and_stride([height, width]);
        let side = [window.min(height), window.min(width)];
        if window > height.max(width) {
            return Err(Error::Setting(format!(
                "the window of {window} pixels is larger than the image of {height}×{width}"
            )));
        }
        // The last window may reach beyond the edge, so that no pixel is left out.
        let along = |size: usize, side: usize| {
            (0..=(size - side).div_ceil(stride))
                .map(|i| (i * stride, (i * stride + side).min(size)))
                .filter(|(start, end)| start < end)
                .collect()
        };
        Ok(Places { rows: along(height, side[0]), cols: along(width, side[1]) })
    }

    fn falls(
        ask: &Ask<'_>,
        image: ArrayView3<'_, f32>,
        baseline: &Array3<f32>,
        class: usize,
        places: &Places,
    ) -> Result<Vec<f64>, Error> {
        let at: Vec<(Span, Span)> =
            places.rows.iter().flat_map(|&r| places.cols.iter().map(move |&c| (r, c))).collect();
        let own = ask.values(image.insert_axis(Axis(0)), &[class])?[0];
        let window = |&(r, c): &(Span, Span)| s![.., r.0..r.1, c.0..c.1];
        let (network, output) = (ask.engine().network(), ask.question.output);
        let mut falls = Vec::with_capacity(at.len());
        for at in at.chunks(512) {
            let edit = |place: &(Span, Span)| {
                let &((row, bottom), (col, right)) = place;
                let (height, width) = (bottom - row, right - col);
                let fill = Fill::Patch(baseline.slice(window(place)).to_owned());
                Edit { row, col, height, width, fill }
            };
            let edits: Vec<Edit> = at.iter().map(edit).collect();
            if output == Output::Logit {
                let logits = network.logits();
                let swept = ask.engine().sweep_at(image, &edits, &[logits])?;
                let values = swept.get(logits).expect("asked for").outer_iter();
                let of_class = |v: ArrayViewD<'_, f32>| {
                    f64::from(v.iter().nth(class).copied().expect("a class"))
                };
                falls.extend(values.map(|values| own - of_class(values)));
            } else {
                let probabilities = ask.engine().sweep(image, &edits)?;
                falls.extend(probabilities.column(class).iter().map(|&p| {
                    let p = f64::from(p);
                    own - if output == Output::Probability { p } else { p.ln() }
                }));
            }
            ask.count(at.len());
        }
        Ok(falls)
    }
}

impl Attribute for Occlusion {
    fn check(&self) -> Result<(), Error> {
        at_least("the window", self.window.unwrap_or(1), 1)?;
        at_least("the stride", self.stride.unwrap_or(1), 1)
    }

    fn planned(&self, ask: &Ask<'_>) -> usize {
        self.places(ask.input).map_or(1, |places| places.rows.len() * places.cols.len() + 1)
    }

    fn run(
        &self,
        ask: &Ask<'_>,
        images: ArrayView4<'_, f32>,
        classes: &[usize],
    ) -> Result<Vec<Raw>, Error> {
        let places = self.places(ask.input)?;
        let [_, height, width] = ask.input;
        let mut results = Vec::new();
        for (image, &class) in images.outer_iter().zip(classes) {
            let baseline = ask.baseline(&self.baseline, image)?;
            let falls = Self::falls(ask, image, &baseline, class, &places)?;
            let mut sums = Array2::<f64>::zeros((height, width));
            let mut counts = Array2::<f64>::zeros((height, width));
            for (i, fall) in falls.iter().enumerate() {
                let (row, col) =
                    (places.rows[i / places.cols.len()], places.cols[i % places.cols.len()]);
                let window = s![row.0..row.1, col.0..col.1];
                sums.slice_mut(window).mapv_inplace(|sum| sum + fall);
                counts.slice_mut(window).mapv_inplace(|count| count + 1.0);
            }
            let means = sums.iter().zip(&counts).map(|(sum, count)| (sum / count.max(1.0)) as f32);
            results.push(Raw::map([height, width], means.collect()));
        }
        Ok(results)
    }
}
