//! A network that runs: its layers laid out, threads, and the buffers of passes.

use std::sync::{Mutex, PoisonError};

use cutaway_data::sequences::Sequences;
use cutaway_engine::Isa;
use rayon::prelude::*;

use super::check::check;
use super::compiled::Compiled;
use super::gradient::Gradient;
use super::network::Network;
use super::pass::{Judged, Workspace};
use crate::error::{Error, Result};
use crate::training::loss::Tally;

/// Sequences that one thread takes at once. A constant, so that sums are made in the same order on any number of
/// threads.
pub const CHUNK: usize = 16;

/// Settings of a runner.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RunnerOptions {
    /// Threads; 0 for as many as there are processors.
    pub threads: usize,
    /// Instruction set; `None` for the best of this machine.
    pub isa: Option<Isa>,
}

/// A network laid out for this machine, with its own threads. The same bits on any number of them.
pub struct Runner {
    network: Network,
    pub(crate) compiled: Compiled,
    pool: rayon::ThreadPool,
    workspaces: Mutex<Vec<Workspace>>,
}

/// The derivatives of a batch, and the buffers that they are made in.
#[derive(Debug, Default)]
pub(crate) struct BatchGradient {
    chunks: Vec<ChunkGradient>,
    /// By every parameter, in the order of [`Network::values`].
    pub(crate) values: Vec<f32>,
}

#[derive(Debug)]
struct ChunkGradient {
    members: Vec<usize>,
    gradient: Gradient,
    tally: Result<Tally>,
}

impl Runner {
    /// Lays a network out.
    ///
    /// # Errors
    /// [`Error::Setting`] for an instruction set that this machine lacks, or threads that cannot be started.
    pub fn new(network: Network, options: &RunnerOptions) -> Result<Runner> {
        let isa = options.isa.unwrap_or_else(Isa::detect);
        if !isa.is_available() {
            return Err(Error::Setting(format!(
                "this machine cannot run the instruction set '{isa}'; use 'auto'"
            )));
        }
        let pool = rayon::ThreadPoolBuilder::new().num_threads(options.threads).build().map_err(
            |error| Error::Setting(format!("cannot start {} threads: {error}", options.threads)),
        )?;
        let compiled = Compiled::new(&network, isa)?;
        Ok(Runner { network, compiled, pool, workspaces: Mutex::default() })
    }

    /// The network, as it is now.
    #[must_use]
    pub fn network(&self) -> &Network {
        &self.network
    }

    /// Gives the network back.
    #[must_use]
    pub fn into_network(self) -> Network {
        self.network
    }

    /// Threads that it runs on.
    #[must_use]
    pub fn threads(&self) -> usize {
        self.pool.current_num_threads()
    }

    /// Changes the parameters.
    ///
    /// # Errors
    /// None in practice: sizes stay as they are.
    pub fn update(&mut self, change: impl FnOnce(&mut [f32])) -> Result<()> {
        change(self.network.values_mut());
        self.compiled.load(&self.network)
    }

    /// The answer to every sequence: `[outputs]`, or `[steps · outputs]` from a network that answers at every step.
    /// For classes these are scores before the softmax.
    ///
    /// # Errors
    /// [`Error::Sequences`] where the sequences are not what the network reads.
    pub fn answers(&self, data: &Sequences) -> Result<Vec<Vec<f32>>> {
        self.answers_in_windows(data, None)
    }

    pub(crate) fn answers_in_windows(
        &self,
        data: &Sequences,
        window: Option<usize>,
    ) -> Result<Vec<Vec<f32>>> {
        check(self.network.architecture(), data)?;
        let outputs = self.network.architecture().outputs;
        let answer = |chunk: &[usize]| -> Result<Vec<(usize, Vec<f32>)>> {
            let mut answers: Vec<(usize, Vec<f32>)> = Vec::with_capacity(chunk.len());
            let mut place = vec![None; chunk.len()];
            self.with(|workspace| {
                workspace.answer(&self.compiled, data, chunk, window, |member, step, answer| {
                    let Some(step) = step else {
                        return answers.push((member, answer.to_vec()));
                    };
                    let at = chunk.iter().position(|&m| m == member).expect("a member");
                    let at = *place[at].get_or_insert_with(|| {
                        answers.push((member, vec![0.0; data.length(member) * outputs]));
                        answers.len() - 1
                    });
                    answers[at].1[step * outputs..(step + 1) * outputs].copy_from_slice(answer);
                })
            })?;
            Ok(answers)
        };
        let found = self.in_chunks(data, answer)?;
        let mut answers = vec![Vec::new(); data.len()];
        found.into_iter().flatten().for_each(|(member, answer)| answers[member] = answer);
        Ok(answers)
    }

    /// Runs chunks of sequences of like lengths; the results are in the order of the chunks.
    pub(crate) fn in_chunks<T: Send>(
        &self,
        data: &Sequences,
        call: impl Fn(&[usize]) -> Result<T> + Send + Sync,
    ) -> Result<Vec<T>> {
        let mut order: Vec<usize> = (0..data.len()).collect();
        order.sort_by_key(|&i| std::cmp::Reverse(data.length(i)));
        self.pool.install(|| order.par_chunks(CHUNK).map(call).collect())
    }

    /// Lends one of the workspaces; there are as many as threads have asked at once.
    pub(crate) fn with<T>(&self, call: impl FnOnce(&mut Workspace) -> T) -> T {
        let free = || self.workspaces.lock().unwrap_or_else(PoisonError::into_inner);
        let mut workspace = free().pop().unwrap_or_default();
        let result = call(&mut workspace);
        free().push(workspace);
        result
    }

    /// The derivatives of a batch's mean loss by every parameter.
    pub(crate) fn gradient(
        &self,
        data: &Sequences,
        batch: &[usize],
        how: Judged<'_>,
        out: &mut BatchGradient,
    ) -> Result<Tally> {
        let count = batch.len().div_ceil(CHUNK);
        out.deal(self.network.architecture(), data, batch, count);
        self.pool.install(|| {
            out.chunks[..count].par_iter_mut().for_each(|chunk| {
                chunk.gradient.clear();
                chunk.tally = self.with(|workspace| {
                    workspace.learn(&self.compiled, data, &chunk.members, how, &mut chunk.gradient)
                });
            });
        });
        let mut tally = Tally::default();
        let (first, rest) = out.chunks.split_at_mut(1);
        tally.add(std::mem::replace(&mut first[0].tally, Ok(Tally::default()))?);
        for chunk in &mut rest[..count - 1] {
            tally.add(std::mem::replace(&mut chunk.tally, Ok(Tally::default()))?);
            first[0].gradient.add(&mut chunk.gradient);
        }
        out.values.resize(self.network.count(), 0.0);
        first[0].gradient.flatten(&self.network, &mut out.values);
        Ok(tally)
    }
}

impl BatchGradient {
    /// Deals a batch out by length, so that all chunks have about as much work.
    fn deal(&mut self, a: &super::Architecture, data: &Sequences, batch: &[usize], count: usize) {
        while self.chunks.len() < count {
            self.chunks.push(ChunkGradient {
                members: Vec::new(),
                gradient: Gradient::zeros(a),
                tally: Ok(Tally::default()),
            });
        }
        let mut order = batch.to_vec();
        order.sort_by_key(|&i| std::cmp::Reverse(data.length(i)));
        for (k, chunk) in self.chunks[..count].iter_mut().enumerate() {
            chunk.members.clear();
            chunk.members.extend(order.iter().skip(k).step_by(count));
        }
    }
}
