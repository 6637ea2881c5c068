//! What the tests share: fixtures, numbers, networks.

pub(crate) mod cnn;
pub(crate) mod fixtures;
pub(crate) mod foreign;
pub(crate) mod networks;
pub(crate) mod numbers;

use cutaway_engine::{Engine, Isa, Options};
use cutaway_net::Network;
use proptest::test_runner::{Config, RngSeed};

/// So many cases of a property, the same ones at every run.
pub(crate) fn settings(cases: u32) -> Config {
    Config { cases, rng_seed: RngSeed::Fixed(20), failure_persistence: None, ..Config::default() }
}

/// Two threads, this instruction set.
pub(crate) fn options(isa: Isa) -> Options {
    Options { threads: 2, isa: Some(isa), ..Options::default() }
}

pub(crate) fn compile(network: &Network, isa: Isa) -> Engine {
    Engine::compile(network, &options(isa)).unwrap()
}
