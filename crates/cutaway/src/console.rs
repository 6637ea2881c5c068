//! What a person sees while a command works. Everything goes to standard error; standard output
//! belongs to results.

use std::io::{IsTerminal, Write};
use std::path::Path;
use std::time::Duration;

use cutaway::data::{Progress as DataProgress, ProgressCallback, Unit};
use cutaway::train::{EpochResult, Observer, Progress};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::error::{Error, Result};

/// One line on standard error. A closed standard error is no reason to fail.
pub(crate) fn say(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// Text on standard output. A reader that has gone away (`| head`) ends the command quietly.
pub(crate) fn print(text: &str) -> Result<()> {
    let mut out = std::io::stdout().lock();
    let written = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    match written {
        Err(e) if e.kind() == std::io::ErrorKind::BrokenPipe => std::process::exit(0),
        other => other.map_err(|source| {
            let path = Path::new("standard output").to_owned();
            Error::Io { action: "write", path, source }
        }),
    }
}

/// One JSON object on standard output.
pub(crate) fn print_json(value: &impl serde::Serialize) -> Result<()> {
    let mut text = serde_json::to_string_pretty(value).expect("results serialise");
    text.push('\n');
    print(&text)
}

/// Draws a training's progress: a bar on a terminal, a line an epoch anywhere.
pub(crate) struct TrainingBar {
    bar: ProgressBar,
    quiet: bool,
}

impl TrainingBar {
    pub(crate) fn new(quiet: bool) -> TrainingBar {
        let bar = match quiet {
            true => ProgressBar::hidden(),
            false => ProgressBar::with_draw_target(Some(1), ProgressDrawTarget::stderr_with_hz(8)),
        };
        let style = "{prefix} {bar:24.cyan/blue} {msg}";
        bar.set_style(
            ProgressStyle::with_template(style).expect("a fixed template").progress_chars("━╸─"),
        );
        TrainingBar { bar, quiet }
    }
}

impl Observer for TrainingBar {
    fn batch(&mut self, p: &Progress) {
        self.bar.set_length(p.images as u64);
        self.bar.set_position(p.images_done as u64);
        self.bar.set_prefix(format!("epoch {}/{}", p.epoch, p.epochs));
        self.bar.set_message(format!(
            "loss {:.4}  accuracy {:.2} %  {:.0} images/s  {} left",
            p.train_loss,
            100.0 * p.train_accuracy,
            p.images_per_second,
            clock(p.remaining_seconds())
        ));
    }

    fn epoch(&mut self, e: &EpochResult) {
        if self.quiet {
            return;
        }
        let validation = match (e.validation_loss, e.validation_accuracy) {
            (Some(loss), Some(accuracy)) => {
                format!("  validation loss {loss:.4}  accuracy {:.2} %", 100.0 * accuracy)
            }
            _ => String::new(),
        };
        let line = format!(
            "epoch {:>2}  loss {:.4}  accuracy {:.2} %{validation}  {:.1} s  {:.0} images/s",
            e.epoch,
            e.train_loss,
            100.0 * e.train_accuracy,
            e.seconds,
            e.images_per_second
        );
        if std::io::stderr().is_terminal() { self.bar.println(line) } else { say(&line) }
    }
}

impl Drop for TrainingBar {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

/// Draws the progress of opening a data set.
pub(crate) fn data_progress(quiet: bool) -> Option<ProgressCallback> {
    if quiet || !std::io::stderr().is_terminal() {
        return None;
    }
    let bar = ProgressBar::with_draw_target(Some(1), ProgressDrawTarget::stderr_with_hz(8));
    bar.enable_steady_tick(Duration::from_millis(200));
    Some(std::sync::Arc::new(move |p: &DataProgress| {
        let template = match p.unit {
            Unit::Bytes => "{msg} {bar:24} {bytes}/{total_bytes}  {eta} left",
            _ => "{msg} {bar:24} {pos}/{len}  {eta} left",
        };
        bar.set_style(ProgressStyle::with_template(template).expect("a fixed template"));
        bar.set_message(p.task.clone());
        bar.set_length(p.total.unwrap_or(p.done));
        bar.set_position(p.done);
        if p.total == Some(p.done) {
            bar.finish_and_clear();
        }
    }))
}

/// Draws how many of how many images have been run, with the time left; nothing where standard
/// error is no terminal.
pub(crate) fn image_counter(quiet: bool) -> impl FnMut(usize, usize) {
    let bar = match quiet {
        true => ProgressBar::hidden(),
        false => ProgressBar::with_draw_target(Some(1), ProgressDrawTarget::stderr_with_hz(8)),
    };
    let style = "{bar:24.cyan/blue} {pos}/{len} images  {eta} left";
    let style = ProgressStyle::with_template(style).expect("a fixed template");
    bar.set_style(style.progress_chars("━╸─"));
    move |done, total| {
        bar.set_length(total as u64);
        bar.set_position(done as u64);
        if done >= total {
            bar.finish_and_clear();
        }
    }
}

/// Seconds as people say them.
pub(crate) fn clock(seconds: f64) -> String {
    let s = seconds.round() as u64;
    match s {
        0..=59 => format!("{s} s"),
        60..=3599 => format!("{} min {:02} s", s / 60, s % 60),
        _ => format!("{} h {:02} min", s / 3600, s % 3600 / 60),
    }
}
