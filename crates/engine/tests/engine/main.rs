//! The engine from outside: against PyTorch's values, against the readable f64 reference, and
//! against its own promises.

mod common;

mod alone;
mod by_rule;
mod check;
mod determinism;
mod errors;
mod onnx_operators;
mod operators;
mod random_networks;
mod reference;
mod special_values;
mod sweep;
mod tails;
mod trainer;
