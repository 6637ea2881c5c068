//! The experiments on whole networks, against direct computation.

mod common;
mod unit;
mod units;
