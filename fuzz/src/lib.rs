//! Runs one fuzz target in two ways: under libFuzzer (feature `libfuzzer`, nightly, by cargo-fuzz) and as an ordinary
//! program on stable Rust that mutates the seeds on its own. Either way a panic, a run of ten seconds and memory out of
//! proportion count as failures.

#[cfg(not(feature = "libfuzzer"))]
mod guard;

pub use guard::allow;
#[cfg(not(feature = "libfuzzer"))]
mod mutate;
#[cfg(not(feature = "libfuzzer"))]
pub mod stable;

/// Makes a program of a function from bytes to nothing: `target!("idx", |bytes| { ... });`
#[macro_export]
macro_rules! target {
    ($name:literal, |$bytes:ident| $body:block) => {
        #[cfg(feature = "libfuzzer")]
        libfuzzer_sys::fuzz_target!(|$bytes: &[u8]| { $body });

        #[cfg(not(feature = "libfuzzer"))]
        fn main() -> std::process::ExitCode {
            $crate::stable::main($name, |$bytes: &[u8]| $body)
        }
    };
}
