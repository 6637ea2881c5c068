//! Layers on raw buffers: sizes, weights made ready for the machine, forward and backward.
pub(crate) mod conv;
