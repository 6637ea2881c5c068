//! What `cutaway sequence` says: tables, and sentences made from the numbers.

use cutaway::recurrent::experiment::{Compared, Kind, Share};
use cutaway::recurrent::network::Direction;
use cutaway::report::number::{count, fixed, percent, significant};

use super::work::{Findings, Flow, name};
use crate::args::{Common, Sequence};
use crate::console::clock;

pub(super) fn of(found: &Findings) -> String {
    let mut text = format!("{}: {}\n", found.task.name, found.task.what);
    for line in about_data(found) {
        text += &format!("{line}\n");
    }
    text += &format!("\n{}", aligned(&COMPARISON, &comparison(found)));
    if !found.baselines.is_empty() {
        text += &format!(
            "\nWithout a recurrent network (logistic regression)\n{}",
            aligned(&BASELINES, &baselines(found))
        );
    }
    if !found.flows.is_empty() {
        text +=
            &format!("\nHow the first run of each remembers\n{}", aligned(&MEMORY, &memory(found)));
    }
    text += "\nWhat the numbers say\n";
    for sentence in sentences(found) {
        text += &format!("  {sentence}\n");
    }
    text
}

/// The command that makes the findings again.
pub(crate) fn command(verb: &Sequence, common: &Common) -> String {
    let data = crate::commands::quoted(&verb.data);
    let mut text = format!("cutaway sequence --data {data}");
    if !verb.classes.is_empty() {
        text += &format!(" --classes {}", crate::commands::quoted(&verb.classes.join(",")));
    }
    if matches!(verb.data.as_str(), "adding" | "copying" | "recall") {
        text += &format!(" --length {}", verb.length);
    }
    if let Some(limit) = verb.limit {
        text += &format!(" --limit {limit}");
    }
    text += &format!(
        " --cells {} --directions {} --seeds {} --hidden {} --readout {}",
        verb.cells.join(","),
        verb.directions.join(","),
        verb.seeds,
        verb.hidden,
        verb.readout
    );
    text += &format!(
        " --longest {} --layers {} --optimizer {} --clip {} --units {} --radius {} --leak {} \
         --input-scaling {} --density {}",
        verb.longest,
        verb.layers,
        verb.optimizer,
        verb.clip,
        verb.units,
        verb.radius,
        verb.leak,
        verb.input_scaling,
        verb.density
    );
    for (flag, value) in [
        ("rate", verb.rate.map(|rate| rate.to_string())),
        ("truncate", verb.truncate.map(|steps| steps.to_string())),
    ] {
        text += &value.map_or_else(String::new, |value| format!(" --{flag} {value}"));
    }
    if verb.keep_duplicates {
        text += " --keep-duplicates";
    }
    text += &match (verb.epochs, verb.seconds) {
        (Some(epochs), _) => format!(" --epochs {epochs}"),
        (None, Some(seconds)) => format!(" --seconds {seconds}"),
        (None, None) => String::new(),
    };
    format!("{text} --seed {}", common.seed)
}

/// Sequences, what was left out, the split.
pub(crate) fn about_data(found: &Findings) -> Vec<String> {
    let parts = &found.task.parts;
    let mut lines = Vec::new();
    if let Some(similar) = &found.task.similar {
        lines.push(if similar.kept == similar.before {
            format!(
                "No two of the {} share {} of their residues.",
                count(similar.kept as u64),
                percent(similar.similarity.identity, 0)
            )
        } else {
            format!(
            "{} of {} left: the others share at least {} of their residues with a longer one of the same class ({}) or of \
             another ({}), or are nearly the same with two labels ({}).",
            count(similar.kept as u64),
            count(similar.before as u64),
            percent(similar.similarity.identity, 0),
            count(similar.same_class as u64),
            count(similar.other_class as u64),
            count(similar.contradictory as u64)
        )});
    }
    let mut lengths: Vec<usize> = (0..parts.test.len()).map(|i| parts.test.length(i)).collect();
    lengths.sort_unstable();
    lines.push(format!(
        "{} to learn from, {} for validation, {} to test; test lengths {} to {}, median {}.",
        count(parts.train.len() as u64),
        count(parts.validation.len() as u64),
        count(parts.test.len() as u64),
        lengths[0],
        lengths[lengths.len() - 1],
        lengths[lengths.len() / 2]
    ));
    if let Some(baseline) = found.task.known_baseline {
        lines.push(format!(
            "An answer that has learnt nothing from the sequence has a loss of {}.",
            significant(baseline, 4)
        ));
    }
    lines
}

pub(crate) const COMPARISON: [&str; 8] =
    ["network", "reads", "parameters", "runs", "epochs", "time each", "balanced accuracy", "loss"];

pub(crate) fn comparison(found: &Findings) -> Vec<Vec<String>> {
    let row = |c: &Compared| {
        vec![
            c.cell.title().to_owned(),
            c.direction.to_string(),
            count(c.parameters as u64),
            c.runs.to_string(),
            if c.cell == Kind::Esn { "–".to_owned() } else { fixed(c.epochs, 1) },
            clock_of(c.seconds),
            c.balanced_accuracy.map_or_else(|| "–".to_owned(), |share| shown(&share)),
            c.loss.map_or_else(|| "–".to_owned(), |loss| significant(loss, 3)),
        ]
    };
    found.compared.iter().map(row).collect()
}

fn clock_of(seconds: f64) -> String {
    if seconds < 10.0 { format!("{} s", fixed(seconds, 1)) } else { clock(seconds) }
}

/// Without the interval where it has no width: a single run of an answer at every step has none.
fn shown(share: &Share) -> String {
    if share.low < share.high { with_interval(share) } else { percent(share.mean, 1) }
}

fn with_interval(share: &Share) -> String {
    format!("{} ({} to {})", percent(share.mean, 1), percent(share.low, 1), percent(share.high, 1))
}

pub(crate) const BASELINES: [&str; 3] = ["what it sees", "balanced accuracy", "accuracy"];

pub(crate) fn baselines(found: &Findings) -> Vec<Vec<String>> {
    let rows = found.baselines.iter().map(|b| {
        let share = Share { mean: b.balanced_accuracy, low: b.interval.low, high: b.interval.high };
        vec![b.baseline.name().to_owned(), shown(&share), percent(b.accuracy, 1)]
    });
    rows.collect()
}

pub(crate) const MEMORY: [&str; 7] = [
    "network",
    "gradient a step back",
    "lost 1000-fold after",
    "Lyapunov exponent",
    "half-life",
    "radius of W",
    "f32 gradient is 0 from",
];

/// Powers of ten that a gradient may lose and still be said to reach.
const LOST: f64 = 3.0;

/// How the first run of each remembers.
pub(crate) fn memory(found: &Findings) -> Vec<Vec<String>> {
    found.flows.iter().map(memory_row).collect()
}

fn steps(count: usize) -> String {
    format!("{count} {}", if count == 1 { "step" } else { "steps" })
}

fn memory_row(flow: &Flow) -> Vec<String> {
    let none = || "–".to_owned();
    let longest = flow.states.mean.len().saturating_sub(1);
    let reach = match flow.states.reach(LOST) {
        Some(reach) if reach >= longest => format!("more than {reach} steps"),
        Some(reach) => steps(reach),
        None => none(),
    };
    let half = flow.states.mean.len() / 2;
    let decay =
        flow.states.decay(0, half.max(2)).map(|d| format!("× {}", significant(10f64.powf(d), 4)));
    let Some(memory) = &flow.memory else {
        return vec![
            flow.name(),
            decay.unwrap_or_else(none),
            reach,
            none(),
            none(),
            none(),
            none(),
        ];
    };
    let half_life = match memory.half_life.half.median {
        Some(median) if median.is_finite() => {
            format!("{} {}", significant(median, 3), if median == 1.0 { "step" } else { "steps" })
        }
        _ => "outlives the sequence".to_owned(),
    };
    // A gated cell has a matrix for each gate, and no one of them rules.
    let radius = match &memory.spectrum.blocks[..] {
        [block] => significant(block.radius, 3),
        _ => none(),
    };
    let zero = memory.underflow.failures.zero;
    vec![
        flow.name(),
        decay.unwrap_or_else(none),
        reach,
        memory.lyapunov.exponents.first().map_or_else(none, |&e| significant(e, 3)),
        half_life,
        radius,
        zero.map_or_else(|| "nowhere".to_owned(), |d| format!("{} back", steps(d))),
    ]
}

fn of_compared(found: &Findings, cell: Kind, direction: Direction) -> Option<&Compared> {
    found.compared.iter().find(|c| (c.cell, c.direction) == (cell, direction))
}

/// A few sentences that the numbers bear out, and none that they do not.
pub(crate) fn sentences(found: &Findings) -> Vec<String> {
    let mut all = found.notes.clone();
    all.extend(best(found));
    all.extend(below_baseline(found));
    for kind in Kind::ALL {
        all.extend(by_direction(found, kind));
    }
    all.extend(fading(found));
    all.extend(padded(found));
    if let Some(echo) = &found.echo {
        all.push(format!(
            "A reservoir of {} units recalls {} steps of a random input in all (its memory capacity; {} is the most \
             possible).",
            echo.units,
            fixed(echo.capacity.total, 1),
            echo.capacity.bound
        ));
    }
    all
}

/// The best network, beside what needs none.
fn best(found: &Findings) -> Option<String> {
    let score = |c: &&Compared| c.balanced_accuracy.map(|s| s.mean);
    let with = found.compared.iter().filter(|c| score(c).is_some());
    let best = with.max_by(|a, b| score(a).partial_cmp(&score(b)).expect("no NaN"))?;
    let share = best.balanced_accuracy?;
    let text = format!("Best: {}, {}", name(best.cell, best.direction), shown(&share));
    let baseline =
        found.baselines.iter().max_by(|a, b| a.balanced_accuracy.total_cmp(&b.balanced_accuracy));
    Some(match baseline {
        Some(b) => format!(
            "{text}. Logistic regression that sees “{}”: {}.",
            b.baseline.name(),
            percent(b.balanced_accuracy, 1)
        ),
        None => format!("{text}."),
    })
}

/// Which networks have learnt more than an answer that ignores the sequence.
fn below_baseline(found: &Findings) -> Option<String> {
    let baseline = found.task.known_baseline?;
    let with_loss: Vec<(&Compared, f64)> =
        found.compared.iter().filter_map(|c| Some((c, c.loss?))).collect();
    let below: Vec<String> = with_loss
        .iter()
        .filter(|(_, loss)| *loss < baseline)
        .map(|(c, loss)| format!("{} ({})", name(c.cell, c.direction), significant(*loss, 3)))
        .collect();
    let nothing = significant(baseline, 4);
    Some(match below.len() {
        0 if with_loss.is_empty() => return None,
        0 => format!(
            "No network has a loss below {nothing}, that of an answer that has learnt nothing from the sequence."
        ),
        _ => format!(
            "Below {nothing}, the loss of an answer that has learnt nothing from the sequence: {}.",
            below.join("; ")
        ),
    })
}

/// What the direction of reading does to one kind of network. Of a difference only where the intervals are apart, and the
/// better one lies above chance.
fn by_direction(found: &Findings, kind: Kind) -> Option<String> {
    use cutaway::data::sequences::Targets;
    // Where every step is answered, no answer stands at the end alone; the intervals are of whole sequences.
    let Targets::Classes { names, .. } = &found.task.parts.test.targets else { return None };
    let chance = 1.0 / names.len() as f64;
    let share = |direction| of_compared(found, kind, direction)?.balanced_accuracy;
    let (forward, reverse) = (share(Direction::Forward)?, share(Direction::Reverse)?);
    let numbers = format!(
        "{} reading forward {}, in reverse {}",
        kind.title(),
        percent(forward.mean, 1),
        percent(reverse.mean, 1)
    );
    let meaning = if reverse.low.max(forward.low) <= chance {
        "neither certainly better than chance"
    } else if reverse.low > forward.high {
        "what stands at the beginning does not reach an answer that is read off at the end"
    } else if forward.low > reverse.high {
        "what stands at the end counts more here than what stands at the beginning"
    } else {
        "no difference that these runs could tell"
    };
    Some(format!("{numbers}: {meaning}."))
}

/// Where gradients fade, and where they do not.
fn fading(found: &Findings) -> Option<String> {
    let reaches = found.flows.iter().filter_map(|f| Some((f, f.states.reach(LOST)?)));
    let reaches: Vec<(&Flow, usize)> = reaches.collect();
    let (short, least) = reaches.iter().min_by_key(|(_, reach)| *reach)?;
    let (long, most) = reaches.iter().max_by_key(|(_, reach)| *reach)?;
    if most <= least {
        return None;
    }
    let limit = if most + 1 >= long.states.mean.len() { "at least " } else { "" };
    Some(format!(
        "After training, the gradient keeps a thousandth of its size over {least} {} in {} and over {limit}{most} in {}.",
        if *least == 1 { "step" } else { "steps" },
        short.name(),
        long.name()
    ))
}

/// A loss of accuracy that is worth a word.
const WORTH: f64 = 0.05;

/// What padding costs the networks that could do the task without it.
fn padded(found: &Findings) -> Option<String> {
    let worst = |c: &Compared| {
        let runs = found.runs.iter().filter(|r| (r.cell, r.direction) == (c.cell, c.direction));
        let pairs: Vec<(f64, f64)> = runs
            .filter_map(|r| {
                Some((
                    r.by_padding.first()?.balanced_accuracy,
                    r.by_padding.last()?.balanced_accuracy,
                ))
            })
            .collect();
        let n = pairs.len() as f64;
        let mean = |of: fn(&(f64, f64)) -> f64| pairs.iter().map(of).sum::<f64>() / n;
        (!pairs.is_empty()).then(|| (c.cell, c.direction, mean(|p| p.0), mean(|p| p.1)))
    };
    let all: Vec<_> = found.compared.iter().filter_map(worst).collect();
    let lost = |x: &(Kind, Direction, f64, f64)| x.2 - x.3;
    let most =
        all.iter().max_by(|a, b| lost(a).total_cmp(&lost(b))).filter(|m| lost(m) >= WORTH)?;
    let padding = found.runs.iter().find_map(|r| r.by_padding.last())?.padding;
    Some(format!(
        "With {padding} random residues put in behind the first {}, {} loses most: from {} to {}.",
        cutaway::recurrent::experiment::AFTER,
        name(most.0, most.1),
        percent(most.2, 1),
        percent(most.3, 1)
    ))
}

/// A table in columns, for a terminal.
fn aligned(head: &[&str], rows: &[Vec<String>]) -> String {
    let width = |k: usize| {
        let cells = rows.iter().map(|row| row[k].chars().count());
        cells.chain([head[k].chars().count()]).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..head.len()).map(width).collect();
    let line = |cells: Vec<&str>| {
        let padded = cells.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        format!("  {}\n", padded.collect::<Vec<_>>().join("  ").trim_end())
    };
    let mut text = line(head.to_vec());
    for row in rows {
        text += &line(row.iter().map(String::as_str).collect());
    }
    text
}
