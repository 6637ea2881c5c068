//! What is visualised: classes, channels, units or a direction.

use cutaway::Model;
use cutaway::explain::visualise::{self, Settings, Target};
use cutaway::net::NodeId;

use super::source::Source;
use crate::args;
use crate::commands::classes;
use crate::console;
use crate::error::{Error, Result};

/// Classes that are all shown where none are named.
pub(crate) const ALL: usize = 12;
/// Channels of a layer that are shown where none are named.
const CHANNELS: usize = 9;
/// Images that decide which these are.
const DECIDING: usize = 500;
/// Images of noise that do so where there is no data.
const NOISE: usize = 32;

/// A target with the name that people know it by.
pub(crate) struct Named {
    /// As in a table: `channel 12`, `goldfish`.
    pub(crate) label: String,
    /// As part of a file's name.
    pub(crate) file: String,
    pub(crate) target: Target,
}

/// A layer, and what of it.
pub(crate) struct Wanted {
    pub(crate) what: String,
    pub(crate) layer: NodeId,
    /// `None` for its most interesting channels.
    named: Option<Vec<Target>>,
    classes: bool,
}

impl Wanted {
    pub(crate) fn new(model: &Model, verb: &args::Visualise) -> Result<Wanted> {
        let network = model.network();
        let logits = network.logits();
        if verb.layer.is_none() && verb.direction.is_none() {
            if !verb.channel.is_empty() {
                let problem =
                    "--channel needs --layer: whose channels? (`cutaway summary` lists them)";
                return Err(Error::Usage(problem.to_owned()));
            }
            return Wanted::classes(model, verb);
        }
        if !verb.class.is_empty() {
            let problem = "--class goes without --layer and --direction: classes are of the output";
            return Err(Error::Usage(problem.to_owned()));
        }
        let layer = match &verb.layer {
            Some(name) => network.find(name)?,
            None => logits,
        };
        let named = if let Some(file) = &verb.direction {
            if !verb.channel.is_empty() {
                let problem = "--direction weighs all channels; leave --channel out";
                return Err(Error::Usage(problem.to_owned()));
            }
            Some(vec![Target::Direction(crate::npy::load_vector(file)?)])
        } else if verb.channel.is_empty() {
            None
        } else {
            let place = verb.unit.as_deref().map(place).transpose()?;
            let target = |&channel: &usize| match place {
                Some([row, col]) => Target::Unit { channel, row, col },
                None => Target::Channel(channel),
            };
            Some(verb.channel.iter().map(target).collect())
        };
        let (what, classes) = (network.node(layer).name.clone(), false);
        Ok(Wanted { what, layer, named, classes })
    }

    /// Classes that were named, or all of a few.
    fn classes(model: &Model, verb: &args::Visualise) -> Result<Wanted> {
        let count = model.network().classes();
        let mut wanted = Wanted::all_classes(model);
        if verb.class.is_empty() && count > ALL {
            return Err(Error::Usage(format!(
                "the model has {count} classes: name some with --class, or a layer with --layer"
            )));
        }
        if !verb.class.is_empty() {
            let named = verb.class.iter().map(|name| classes::named(model, "--class", name));
            let named = named.map(|class| class.map(Target::Channel));
            wanted.named = Some(named.collect::<Result<_>>()?);
        }
        Ok(wanted)
    }

    /// Every class.
    pub(crate) fn all_classes(model: &Model) -> Wanted {
        let network = model.network();
        let named = Some((0..network.classes()).map(Target::Channel).collect());
        Wanted { what: "classes".to_owned(), layer: network.logits(), named, classes: true }
    }

    /// The targets, chosen by the images that there are where none was named.
    pub(crate) fn targets(
        &self,
        model: &Model,
        source: &Source,
        settings: &Settings,
    ) -> Result<Vec<Named>> {
        let chosen;
        let targets = match &self.named {
            Some(named) => named,
            None => {
                chosen = interesting(model, self.layer, source, settings)?;
                &chosen
            }
        };
        Ok(targets.iter().map(|target| self.named(model, target)).collect())
    }

    fn named(&self, model: &Model, target: &Target) -> Named {
        let (label, file) = match target {
            Target::Channel(class) if self.classes => {
                let label = model.label(*class);
                let short = label.split(',').next().unwrap_or(&label).to_owned();
                (short, format!("class-{class}"))
            }
            Target::Channel(channel) => {
                (format!("channel {channel}"), format!("channel-{channel}"))
            }
            Target::Unit { channel, row, col } => (
                format!("channel {channel} at ({row}, {col})"),
                format!("unit-{channel}-{row}-{col}"),
            ),
            Target::Direction(_) => ("direction".to_owned(), "direction".to_owned()),
        };
        Named { label, file, target: target.clone() }
    }
}

/// The channels that differ most from image to image.
fn interesting(
    model: &Model,
    layer: NodeId,
    source: &Source,
    settings: &Settings,
) -> Result<Vec<Target>> {
    let engine = model.engine();
    let (order, over) = match source {
        Source::None => {
            let noise = visualise::random_images(engine, NOISE, settings)?;
            let order = visualise::interesting(engine, layer, [Ok(noise)].into_iter())?;
            (order, format!("{NOISE} images of noise"))
        }
        _ => {
            let count = source.count().min(DECIDING);
            // What a batch could not be read for is kept aside: the survey speaks the language of `explain`.
            let batches = source.batches(model, count).collect::<Result<Vec<_>>>()?;
            let order = visualise::interesting(engine, layer, batches.into_iter().map(Ok))?;
            (order, format!("the first {count} images"))
        }
    };
    let shown = order.len().min(CHANNELS);
    console::say(&format!(
        "note: of {} channels the {shown} are shown that vary most over {over}; --channel names others",
        order.len()
    ));
    Ok(order.into_iter().take(CHANNELS).map(Target::Channel).collect())
}

/// `ROW,COL`
fn place(text: &str) -> Result<[usize; 2]> {
    let numbers: Option<Vec<usize>> = text.split(',').map(|n| n.trim().parse().ok()).collect();
    match numbers.as_deref() {
        Some(&[row, col]) => Ok([row, col]),
        _ => Err(Error::Usage(format!("--unit {text}: expected ROW,COL, such as 3,4"))),
    }
}
