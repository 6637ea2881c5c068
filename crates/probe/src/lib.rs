//! How a network **breaks**: what happens to its answer when the image is shifted, covered, mixed
//! with another or corrupted. Every experiment returns a plain struct with the raw numbers, from
//! which tables, figures and the report are drawn.
//!
//! - [`shifts()`]: an image shifted, turned, scaled, sheared; [`curve()`]: accuracy against each.
//! - [`occlude()`] and [`transplant()`]: a window at every place of an image that covers it, or shows
//!   another image; [`occlude_many()`], [`compare_donors()`], [`transplant_matrix()`]: of many.
//! - [`corrupt()`]: accuracy under the corruptions of MNIST-C.
//! - [`attack`]: adversarial attacks, and robust accuracy against the size of the perturbation.
//!
//! ```
//! use cutaway_engine::{Engine, Options};
//! use cutaway_probe::{OcclusionSettings, Size, occlude};
//!
//! let network = cutaway_net::presets::reference_cnn(1);
//! let engine = Engine::compile(&network, &Options::default())?;
//! let image = ndarray::Array3::from_elem((1, 28, 28), 0.5);
//!
//! // A black window of 8×8 at every place: which of them change the answer?
//! let settings = OcclusionSettings { window: Size::square(8), ..Default::default() };
//! let covered = occlude(&engine, image.view(), 6, &settings, &mut |_, _| ())?;
//! assert_eq!(covered.sweep.windows, 441);
//! assert_eq!(covered.sweep.rows[440].row, 20);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod cover;
mod donors;
mod inputs;
mod occlude;
mod occlude_many;
mod transplant;
mod windows;

pub use cover::Cover;
pub use donors::{
    DonorClass, DonorComparison, DonorResult, TransplantMatrix, compare_donors, transplant_matrix,
};
pub use inputs::correct_samples;
pub use occlude::{Occlusion, OcclusionSettings, covered_image, occlude};
pub use occlude_many::{
    ClassOcclusion, ManyOcclusions, SizeAccuracy, WorstPlace, accuracy_by_size, occlude_many,
};
pub use transplant::{Donor, Recipient, Transplant, TransplantFailure, transplant};
pub use windows::{
    ClassCount, CleanAnswer, Cliff, CliffSide, CriticalRegion, HARMLESS, Size, Telling,
    TellingRule, WindowAnswer, WindowSweep, Windows,
};

pub(crate) type Result<T> = std::result::Result<T, Error>;

mod affine;
mod ask;
pub mod attack;
pub mod corrupt;
mod shift;

pub use affine::{Fill, FillMode, Transform, Warp};
pub use ask::best;
pub use corrupt::{Corrupted, Corruption, CorruptionRow, corrupt};
pub use shift::{
    Curve, CurvePoint, Direction, MAX_RANGE, Parameter, ShiftGrid, ShiftRow, Shifts, curve, shifts,
};

/// Told how much of a long experiment is done, of how much.
pub type Progress<'a> = &'a dyn Fn(usize, usize);

/// Why a network cannot be probed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The network does not know the name.
    #[error(transparent)]
    Net(#[from] cutaway_net::Error),
    /// The engine refused.
    #[error(transparent)]
    Engine(#[from] cutaway_engine::Error),
    /// The images do not suit.
    #[error(transparent)]
    Data(#[from] cutaway_data::Error),
    /// A probability is NaN or infinite.
    #[error(
        "the network's answer is not a number: its weights or the image hold NaN or infinite values"
    )]
    NotFinite,
    /// A setting is out of its range.
    #[error("{0}")]
    Setting(String),
}
