//! Networks of several kinds compared on one task: the same parts of the data, as many parameters, as many seconds.
//!
//! [`run()`] trains one network and measures it; [`compare`] sets runs with several seeds side by side; [`Memory`] is
//! how gradients and states flow through a trained one, on the sequences that it is tested on.
//!
//! ```
//! use cutaway_data::sequences::protein_like::ProteinLike;
//! use cutaway_data::sequences::{SplitOptions, split};
//! use cutaway_recurrent::experiment::{Kind, Parts, Plan, compare, run};
//! use cutaway_recurrent::network::Direction;
//!
//! let made = ProteinLike { count: 60, max_length: 100, ..ProteinLike::default() }.generate()?;
//! let parts = Parts::of(&made, &split(&made, &SplitOptions { validation: 0.2, test: 0.3, seed: 1 })?);
//! let mut plan = Plan::default();
//! plan.hidden = 8;
//! plan.training.epochs = Some(1);
//! let outcome = run(&plan, Kind::Gru, Direction::Reverse, 1, &parts)?;
//! assert!(outcome.run.balanced_accuracy.is_some_and(|a| (0.0..=1.0).contains(&a)));
//! assert_eq!(compare(&[outcome.run]).len(), 1);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod compare;
mod echo;
mod gradients;
mod loss;
mod memory;
mod padding;
mod plan;
mod run;
mod trained;

pub use compare::{Compared, Share, compare, share};
pub use echo::echo_gradients;
pub use gradients::{EpochGradients, GradientNorms};
pub use memory::{Memory, memory};
pub use padding::{AFTER, LengthBin, PaddingPoint, by_length, by_padding};
pub use plan::{Kind, Parts, Plan};
pub use run::{Outcome, Run, probes, run, test};
pub use trained::Trained;
