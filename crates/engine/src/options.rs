//! How a network is compiled.

use crate::{Error, Isa, Result, Strategy};

/// Settings of a compilation. The default uses every processor and the best instructions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Threads; 0 for as many as there are processors.
    pub threads: usize,
    /// Instruction set; `None` for the best that this machine has. Results of different sets
    /// agree to rounding; results of one set are the same bits on any machine and with any number
    /// of threads.
    pub isa: Option<Isa>,
    /// How [`Engine::sweep`](crate::Engine::sweep) computes.
    pub strategy: Strategy,
}

impl Options {
    /// The instruction set to use.
    pub(crate) fn isa(&self) -> Result<Isa> {
        let isa = self.isa.unwrap_or_else(Isa::detect);
        if isa.is_available() {
            Ok(isa)
        } else {
            let known = Isa::available().iter().map(ToString::to_string).collect();
            Err(Error::Isa(isa, known))
        }
    }

    pub(crate) fn pool(&self) -> Result<rayon::ThreadPool> {
        rayon::ThreadPoolBuilder::new()
            .num_threads(self.threads)
            .build()
            .map_err(|e| Error::Threads { threads: self.threads, problem: e.to_string() })
    }
}
