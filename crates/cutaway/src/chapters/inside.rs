//! What the network has inside: its filters, two images' feature maps, and the channels that tell
//! two classes apart. Measured once, then drawn.

use cutaway::Model;
use cutaway::data::Dataset;
use cutaway::explain::{self, Chain, Filters, Maps, Settings, Trace, Unit, Units};
use cutaway::net::{NodeId, Op};
use cutaway::report::Chapter;
use serde_json::json;

use crate::commands::maps::{stack, two_classes};
use crate::error::Result;
use crate::samples::{self, Sample};

/// Maps whose strongest unit is taken apart; a layer may have thousands.
const TRACED: usize = 256;
/// Terms that are kept of a sum.
const TERMS: usize = 5;
/// Maps whose way from the input is shown.
const CHAINS: usize = 3;

/// What was measured.
pub(crate) struct Inside {
    pub(super) filters: Vec<Filters>,
    pub(super) look: Option<Look>,
    pub(super) units: Option<Units>,
}

/// One layer's maps of two images.
pub(crate) struct Look {
    pub(super) samples: Vec<Sample>,
    pub(super) maps: Maps,
    /// For each image, the strongest unit of each map.
    pub(super) strongest: Vec<Vec<Traced>>,
    pub(super) chains: Vec<(usize, Chain)>,
}

/// A unit whose sum is cut down to its largest terms.
pub(super) struct Traced {
    pub(super) unit: Unit,
    /// Terms of the whole sum.
    pub(super) count: usize,
    /// Sum of those that were cut.
    pub(super) rest: f64,
}

impl Inside {
    /// Looks into a network with the images of a data set.
    pub(crate) fn measure(model: &Model, dataset: &Dataset) -> Result<Inside> {
        let network = model.network();
        let layers = explain::convolutions(network);
        let filters = layers.iter().take(3).map(|layer| Ok(explain::filters(network, layer)?));
        let filters = filters.collect::<Result<_>>()?;
        let images =
            matches!(network.node(network.input()).op, Op::Input { ref shape } if shape.len() == 3);
        let layer = explain::default_layer(network).filter(|_| images);
        let Some(layer) = layer else {
            return Ok(Inside { filters, look: None, units: None });
        };
        let classes = two_classes(model);
        let present = |class: &usize| dataset.test.labels.iter().any(|l| usize::from(*l) == *class);
        let both = classes.iter().all(present) && network.classes() == dataset.classes();
        let units = both.then(|| {
            explain::units(
                model.engine(),
                &dataset.test,
                layer,
                &Settings::new(classes),
                &mut |_, _| (),
            )
        });
        let units = units.transpose()?;
        let look = look(model, dataset, layer, &classes)?;
        Ok(Inside { filters, look, units })
    }

    /// The numbers, for `results.json`.
    pub(crate) fn to_json(&self) -> serde_json::Value {
        let filters = self.filters.iter().map(|f| {
            json!({
                "layer": f.layer, "count": f.count, "channels": f.channels, "height": f.height,
                "width": f.width, "max_abs": f.max_abs, "statistics": f.statistics,
                "similarity_order": f.similarity_order
            })
        });
        let look = self.look.as_ref().map(|look| {
            json!({
                "sample": look.samples.iter().map(|s| s.index).collect::<Vec<_>>(),
                "label": look.samples.iter().map(|s| s.label).collect::<Vec<_>>(),
                "layer": look.maps
            })
        });
        json!({ "filters": filters.collect::<Vec<_>>(), "maps": look, "units": self.units })
    }

    /// The chapters. `ask` and `data` are what a command needs to ask the same model about the
    /// same data.
    pub(crate) fn chapters(
        &self,
        model: &Model,
        dataset: &Dataset,
        ask: &str,
        data: &str,
    ) -> Result<Vec<Chapter>> {
        let mut chapters = Vec::new();
        if !self.filters.is_empty() {
            chapters.push(super::filters::chapter(&self.filters, ask)?);
        }
        if let Some(look) = &self.look {
            chapters.push(super::maps::chapter(model, look, ask, data)?);
        }
        if let Some(units) = &self.units {
            chapters.push(super::units::chapter(model, dataset, units, ask, data)?);
        }
        Ok(chapters)
    }
}

/// A correctly classified image of each class, or the first where the network gets none right.
fn look(
    model: &Model,
    dataset: &Dataset,
    layer: NodeId,
    classes: &[usize],
) -> Result<Option<Look>> {
    let mut chosen = Vec::new();
    for &class in classes {
        let first = || dataset.test.labels.iter().position(|l| usize::from(*l) == class);
        let index = samples::first_correct(model, dataset, class).ok().or_else(first);
        if let Some(index) = index {
            chosen.push(samples::from_test(dataset, index)?);
        }
    }
    if chosen.is_empty() {
        return Ok(None);
    }
    let inputs: Vec<_> = chosen.iter().map(|s| s.input(model)).collect::<Result<_>>()?;
    let batch = stack(&inputs);
    let maps = explain::maps(model.engine(), batch.view(), &[layer])?.remove(0);
    let mut strongest = Vec::new();
    for (image, input) in inputs.iter().enumerate() {
        let trace = Trace::new(model.engine(), input.view(), layer)?;
        let traced = (0..maps.channels.min(TRACED)).map(|channel| {
            let [row, col] = maps.strongest(image, channel);
            Ok(cut(trace.unit([channel, row, col])?))
        });
        strongest.push(traced.collect::<Result<_>>()?);
    }
    let chains = maps.telling(CHAINS).into_iter().map(|channel| {
        Ok((channel, explain::chain(model.engine(), batch.view(), layer, channel)?))
    });
    let chains = chains.collect::<Result<_>>()?;
    Ok(Some(Look { samples: chosen, maps, strongest, chains }))
}

fn cut(mut unit: Unit) -> Traced {
    let count = unit.sum.terms.len();
    let rest = unit.sum.terms.iter().skip(TERMS).map(|term| term.product).sum();
    unit.sum.terms.truncate(TERMS);
    unit.sum.terms.shrink_to_fit();
    Traced { unit, count, rest }
}
