//! What a network **looks at**. Every experiment returns a plain struct with the raw numbers, from
//! which tables, figures and the report are drawn.
//!
//! - [`filters`]: the weights of convolutions, with what tells them apart.
//! - [`maps`]: what each channel of a layer makes of an image; [`chain`]: where a map comes from;
//!   [`Trace`]: the sum that gives one number of it.
//! - [`units`]: which channels tell two classes apart, and what becomes of the classes
//!   [without one](without_channel).
//! - [`attribution`]: which parts of an image speak for a class, by the standard methods;
//!   [`scores`]: how good such an attribution is.
//! - [`visualise`]: images made to drive a channel, unit, class or direction as far as they can, and the
//!   data set's that do.
//!
//! ```
//! let network = cutaway_net::presets::reference_cnn(1);
//! let filters = cutaway_explain::filters(&network, "conv1")?;
//! assert_eq!((filters.count, filters.channels), (32, 1));
//! assert_eq!(filters.slice(0, 0).len(), 5 * 5);
//! # Ok::<(), cutaway_explain::Error>(())
//! ```

mod ablation;
pub mod attribution;
mod chain;
mod error;
mod filters;
mod layers;
mod maps;
mod order;
pub mod scores;
mod separation;
mod unit;
mod units;
pub mod visualise;

pub use ablation::{without_channel, without_channels};
pub use chain::{Chain, Link, chain};
pub use error::Error;
pub use filters::{DEAD, DUPLICATE, FilterStatistics, Filters, convolutions, filters};
pub use layers::{Region, activation_of, check_finite, default_layer, region};
pub use maps::{ImageMaps, Maps, maps};
pub use order::similarity_order;
pub use separation::{auc, cohens_d};
pub use unit::{Step, Term, Trace, Unit, WeightedSum};
pub use units::{Answers, ChannelRow, Detail, Driver, Place, Settings, Units, units};
