//! The progress of an experiment: a bar with the time left, on a terminal only.

use cutaway::probe::Progress;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::args::Common;

/// A bar on standard error that vanishes when it is dropped.
pub(crate) struct Meter(ProgressBar);

impl Meter {
    /// A bar for a task; none where nobody would see it.
    pub(crate) fn new(task: &str, common: &Common) -> Meter {
        let bar = match common.quiet || common.json {
            true => ProgressBar::hidden(),
            false => ProgressBar::with_draw_target(Some(1), ProgressDrawTarget::stderr_with_hz(8)),
        };
        let style = "{msg} {bar:24.cyan/blue} {pos}/{len}  {eta} left";
        let style = ProgressStyle::with_template(style).expect("a fixed template");
        bar.set_style(style.progress_chars("━╸─"));
        bar.set_message(task.to_owned());
        Meter(bar)
    }

    /// Runs an experiment that tells its progress.
    pub(crate) fn watch<T>(&self, experiment: impl FnOnce(Progress<'_>) -> T) -> T {
        experiment(&|done, of| {
            self.0.set_length(of as u64);
            self.0.set_position(done as u64);
        })
    }
}

/// A bar over several experiments: each a part of so many units, with one time left for them all.
impl Meter {
    /// How many units all parts have.
    pub(crate) fn total(&self, units: usize) {
        self.0.set_length(units as u64);
    }

    /// Runs an experiment that is the next part and tells its progress.
    pub(crate) fn part<T>(
        &self,
        name: &str,
        units: usize,
        experiment: impl FnOnce(Progress<'_>) -> T,
    ) -> T {
        let start = self.0.position();
        self.0.set_message(name.to_owned());
        let result = experiment(&|done, of| {
            let share = done.min(of) as f64 / of.max(1) as f64;
            self.0.set_position(start + (share * units as f64) as u64);
        });
        self.0.set_position(start + units as u64);
        result
    }
}

impl Drop for Meter {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
