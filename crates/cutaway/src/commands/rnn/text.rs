//! What `cutaway rnn` prints.

use cutaway::recurrent::lab::{
    Descent, Disagreement, Gradient, Laboratory, Method, Parameter, Parameters, Problem, Published,
    Step, Target, math,
};
use cutaway::report::number::{fixed, significant};

use super::{Findings, chosen};

/// Rows of a table that are printed: the first and the last.
const ROWS: usize = 32;
/// Values of a vector that are printed.
const VALUES: usize = 6;
/// Derivations that are printed, where the loss is the sum.
const DERIVATIONS: usize = 3;
/// Significant digits.
const DIGITS: usize = 9;

pub(super) fn of(findings: &Findings) -> String {
    let Findings { problem, lab, published, .. } = findings;
    let mut text = head(problem);
    text += &format!("\nForward\n{}", steps(&lab.steps));
    for derivation in lab.derivations.iter().take(DERIVATIONS) {
        text += &format!("\nHow L({}) depends on b\n", derivation.t);
        for line in derivation.lines(problem) {
            let formula = math::to_text(&line.math).replace('\n', "\n      ");
            text += &format!("  {}\n      {formula}\n", line.words);
        }
    }
    if lab.derivations.len() > DERIVATIONS {
        let more = lab.derivations.len() - DERIVATIONS;
        text += &format!("  … and {more} steps more: ask for one of them with --loss T\n");
    }
    let loss = lab.descent.loss;
    text += &format!("\nThe gradient of {loss} three ways\n{}", gradients(problem, lab));
    text += &format!(
        "\nHow far the three ways are apart: the largest difference from backpropagation\n{}",
        disagreements(&lab.disagreements)
    );
    text += &descent(problem, lab);
    if !published.is_empty() {
        text += &format!("\nPublished and exact\n{}", published_table(published));
    }
    text
}

fn head(problem: &Problem) -> String {
    let p = problem.parameters();
    let activation = format!("{:?}", problem.activation()).to_lowercase();
    let output = format!("{:?}", problem.output()).to_lowercase();
    format!(
        "{}: {} states, {} inputs, {} outputs, {} steps\n\
         a(t) = b + W h(t−1) + U x(t);  h(t) = {activation} a(t);  o(t) = c + V h(t);  ŷ(t) = \
         {output} o(t)\nL(t) = {} over the outputs y of step t\n",
        problem.name(),
        problem.hidden(),
        p.u.columns(),
        p.v.rows(),
        problem.length(),
        problem.loss().text()
    )
}

fn steps(steps: &[Step]) -> String {
    let row = |s: &Step| {
        let vectors = [&s.a, &s.h, &s.o, &s.y].map(|v| vector(v, DIGITS));
        [vec![s.t.to_string()], vectors.to_vec(), vec![s.loss.to_string()]].concat()
    };
    table(&["t", "a", "h", "o", "ŷ", "L"], steps.iter().map(row).collect())
}

fn gradients(problem: &Problem, lab: &Laboratory) -> String {
    let methods = [Method::Bptt, Method::Rtrl, Method::Differences];
    let [bptt, rtrl, differences] = methods.map(|method| chosen(lab, method));
    let by = |value: &dyn Fn(&Gradient) -> f64, name: String| {
        let values = [bptt, rtrl, differences].map(|g| significant(value(g), DIGITS));
        [vec![name], values.to_vec()].concat()
    };
    let p = problem.parameters();
    let mut rows = Vec::new();
    for parameter in Parameter::ALL {
        for i in 0..p.values(parameter).len() {
            let value = |g: &Gradient| g.parameters.values(parameter)[i];
            rows.push(by(&value, p.place(parameter, i)));
        }
    }
    for t in 0..problem.length() {
        for unit in 0..problem.hidden() {
            rows.push(by(&|g| g.states[t][unit], format!("h({})[{}]", t + 1, unit + 1)));
        }
    }
    let step =
        format!("{}, step {}", Method::Differences.title(), significant(lab.difference_step, 4));
    table(&["by", Method::Bptt.title(), Method::Rtrl.title(), &step], rows)
}

fn disagreements(all: &[Disagreement]) -> String {
    let row = |d: &Disagreement| {
        let size = |value| significant(value, 2);
        vec![
            d.loss.to_string(),
            d.parameter.to_owned(),
            significant(d.largest, 4),
            size(d.rtrl),
            size(d.differences),
        ]
    };
    let head = ["loss", "by", "largest derivative", "sensitivities", "differences"];
    table(&head, all.iter().map(row).collect())
}

fn descent(problem: &Problem, lab: &Laboratory) -> String {
    let Descent { loss, rate, update, losses, updated, after } = &lab.descent;
    let count = losses.len() - 1;
    if count == 0 {
        return String::new();
    }
    let names: Vec<&str> = update.iter().map(|p| p.name()).collect();
    let plural = if count == 1 { "" } else { "s" };
    let mut text = format!(
        "\n{count} gradient step{plural} of rate {rate} down {loss}, changing {}: {loss} from {} to {}\n",
        names.join(", "),
        losses[0],
        losses[count]
    );
    let gradient = chosen(lab, Method::Bptt);
    text += &parameters(problem.parameters(), updated, gradient, update, *loss);
    text += "\n";
    let row = |(before, after): (&Step, &Step)| {
        vec![
            before.t.to_string(),
            vector(&before.y, DIGITS),
            vector(&after.y, DIGITS),
            before.loss.to_string(),
            after.loss.to_string(),
        ]
    };
    let rows = lab.steps.iter().zip(after).map(row).collect();
    text + &table(&["t", "ŷ before", "ŷ after", "L before", "L after"], rows)
}

fn parameters(
    before: &Parameters,
    after: &Parameters,
    gradient: &Gradient,
    update: &[Parameter],
    loss: Target,
) -> String {
    let changed = Parameter::ALL.into_iter().filter(|p| update.contains(p));
    let rows = changed.flat_map(|p| {
        let values = before.values(p).iter().zip(gradient.parameters.values(p));
        let values = values.zip(after.values(p)).enumerate();
        let row = move |(i, ((old, slope), new)): (usize, ((&f64, &f64), &f64))| {
            let numbers = [*old, *slope, *new].map(|v| significant(v, DIGITS));
            [vec![before.place(p, i)], numbers.to_vec()].concat()
        };
        values.map(row).collect::<Vec<_>>()
    });
    let slope = format!("first derivative of {loss}");
    table(&["parameter", "before", &slope, "after"], rows.collect())
}

fn published_table(published: &[Published]) -> String {
    let row = |p: &Published| {
        let verdict = if p.every_digit { "every digit right" } else { "see below" };
        let printed = p.published.replace('-', "−");
        vec![p.quantity.clone(), printed, exact(p), verdict.to_owned()]
    };
    let mut text = table(&["", "published", "exact", ""], published.iter().map(row).collect());
    for p in published {
        if let Some(note) = &p.note {
            text += &format!("  {}: {}\n", p.quantity, note.replace('-', "−"));
        }
    }
    text
}

/// The exact value with the digits that were printed, eight decimals at least.
pub(crate) fn exact(p: &Published) -> String {
    let decimals = p.published.split_once('.').map_or(0, |(_, decimals)| decimals.len());
    match decimals {
        0..13 => fixed(p.exact, decimals.max(8)),
        _ => p.exact.to_string(),
    }
}

/// The first values of a vector.
pub(crate) fn vector(values: &[f64], digits: usize) -> String {
    let shown = values.iter().take(VALUES).map(|&v| significant(v, digits));
    let mut text = shown.collect::<Vec<_>>().join(", ");
    if values.len() > VALUES {
        text += ", …";
    }
    text
}

/// Columns set to the right, the first to the left; the middle of a long table left out.
fn table(head: &[&str], rows: Vec<Vec<String>>) -> String {
    let mut lines = vec![head.iter().map(ToString::to_string).collect::<Vec<_>>()];
    let (count, half) = (rows.len(), ROWS / 2);
    let shown = |i: &usize| count <= ROWS || *i < half || *i >= count - half;
    let kept = rows.into_iter().enumerate().filter(|(i, _)| shown(i));
    lines.extend(kept.map(|(_, row)| row));
    let width = |c: usize| lines.iter().map(|l| l[c].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..head.len()).map(width).collect();
    let mut text = String::new();
    for (i, line) in lines.iter().enumerate() {
        if count > ROWS && i == half + 1 {
            text += &format!("  … {} rows more, in --json\n", count - 2 * half);
        }
        let mut printed = String::from("  ");
        for (c, (cell, width)) in line.iter().zip(&widths).enumerate() {
            let space = " ".repeat(width - cell.chars().count());
            printed += &if c == 0 { format!("{cell}{space}") } else { format!("   {space}{cell}") };
        }
        text += printed.trim_end();
        text += "\n";
    }
    text
}
