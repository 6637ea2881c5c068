//! How a network **breaks**: what happens to its answer when the image is shifted, covered, mixed
//! with another or corrupted. Every experiment returns a plain struct with the raw numbers, from
//! which tables, figures and the report are drawn.

mod affine;
mod ask;
pub mod corrupt;
mod shift;

pub use affine::{Fill, FillMode, Transform, Warp};
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
