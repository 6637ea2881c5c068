//! What a person reads of a check.

use std::collections::BTreeMap;

use cutaway::net::onnx::Port;

use super::Checked;
use super::runtime::{Comparison, Difference};

/// Widest line of a list.
const WIDTH: usize = 96;

pub(super) fn of(c: &Checked) -> String {
    let mut text = String::new();
    let mut line = |head: &str, rest: &str| text += &format!("{head:<14}{rest}\n");
    let by = if c.file.producer.is_empty() { "an unnamed program" } else { &c.file.producer };
    line("model", &format!("{}: operator set {}, made by {by}", c.model, c.file.opset));
    c.file.inputs.iter().for_each(|port| line("input", &port_text(port)));
    c.file.outputs.iter().for_each(|port| line("output", &port_text(port)));
    line("operators", &counts(&c.file.operators));
    line("worked out", &counts(&c.file.worked_out));
    line("merged", &counts(&c.file.merged));
    line("read as", &format!("{} nodes, {} parameters", c.nodes, c.params));
    let assumed = if c.preprocessing_assumed { " (assumed, the file says nothing)" } else { "" };
    line("preprocessing", &format!("{}{assumed}", c.preprocessing));
    if c.layout == "nhwc" {
        line("layout", "channels last; other commands turn images in front of it");
    }
    match &c.not_finite {
        None => line("numbers", "all finite, at every node"),
        Some(found) => line("numbers", &format!("{found}")),
    }
    match (&c.onnxruntime, &c.not_compared) {
        (Some(version), _) => {
            let head =
                format!("ONNX Runtime {version}, limit {:.0e} of the largest number", c.tolerance);
            line("compared", &head);
        }
        (None, why) => {
            let why = why.as_deref().unwrap_or("nothing was asked");
            line(
                "not compared",
                &format!("{why}; --python or CUTAWAY_PYTHON names one that has it"),
            );
        }
    }
    for comparison in &c.compared {
        compared(comparison, &mut line);
    }
    gradients(c, &mut line);
    line("result", if c.agrees { "agrees" } else { "DISAGREES" });
    text
}

fn port_text(port: &Port) -> String {
    format!("{} {} [{}]", port.name, port.kind, port.shape.join(", "))
}

/// `Conv 52, Clip 35, …`, the most frequent first, on several lines where it is long.
fn counts(list: &BTreeMap<String, usize>) -> String {
    if list.is_empty() {
        return "nothing".to_owned();
    }
    let mut all: Vec<(&String, &usize)> = list.iter().collect();
    all.sort_by(|a, b| b.1.cmp(a.1).then(a.0.cmp(b.0)));
    let mut lines = vec![String::new()];
    for (index, (name, count)) in all.iter().enumerate() {
        let comma = if index + 1 < all.len() { ", " } else { "" };
        let word = format!("{name} {count}{comma}");
        if lines[lines.len() - 1].len() + word.len() > WIDTH {
            lines.push(String::new());
        }
        lines.last_mut().expect("one at least").push_str(&word);
    }
    lines.iter().map(|line| line.trim_end()).collect::<Vec<_>>().join(&format!("\n{:14}", ""))
}

fn compared(c: &Comparison, line: &mut impl FnMut(&str, &str)) {
    for output in &c.outputs {
        line("", &format!("{}: output {} differs by {}", c.input, output.value, size(output)));
    }
    if let Some(worst) = &c.worst_inside {
        let place = format!("{} ({})", worst.node, worst.operator);
        let text = format!("{} values inside, at most {} at {place}", c.inside, size(worst));
        line("", &format!("{}: {text}", c.input));
    }
    if let Some(first) = &c.first_off {
        let place = format!("node '{}' ({})", first.node, first.operator);
        line("", &format!("{}: the first to differ is {place}, by {}", c.input, size(first)));
    }
    if let Some(problem) = &c.inside_problem {
        line("", &format!("{}: nothing inside was compared: {problem}", c.input));
    }
}

fn size(difference: &Difference) -> String {
    match difference.error {
        Some(error) => format!("{error:.1e}"),
        None => "sizes, or numbers that are none".to_owned(),
    }
}

fn gradients(c: &Checked, line: &mut impl FnMut(&str, &str)) {
    let Some(found) = &c.gradients else {
        line("gradients", "not checked: the answer is not finite");
        return;
    };
    let limit = 100.0 * c.gradient_tolerance;
    let text = match found.worst() {
        Some(worst) => format!(
            "{} slopes against finite differences, at most {:.2} % off (limit {limit} %), at {}",
            found.slopes.len(),
            100.0 * worst.error,
            worst.of
        ),
        None => "no slope could be measured".to_owned(),
    };
    line("gradients", &text);
    if found.kinks > 0 {
        line("", &format!("{} directions met a kink, other ones were taken", found.kinks));
    }
    if !found.skipped.is_empty() {
        let mut counted: BTreeMap<String, usize> = BTreeMap::new();
        found.skipped.iter().for_each(|name| *counted.entry(name.clone()).or_default() += 1);
        let places = counts(&counted);
        line("", &format!("skipped, no direction could be measured, times at each: {places}"));
    }
}

/// What disagrees, in one sentence.
pub(super) fn verdict(c: &Checked) -> String {
    let mut wrong = Vec::new();
    for comparison in &c.compared {
        for output in comparison.outputs.iter().filter(|output| !output.agrees()) {
            let node = comparison.first_off.as_ref().unwrap_or(output);
            wrong.push(format!(
                "output {} differs from ONNX Runtime's by {} ({}); the first node that differs is '{}' ({})",
                output.value,
                size(output),
                comparison.input,
                node.node,
                node.operator
            ));
        }
    }
    match (&c.gradients, &c.not_finite) {
        (None, Some(found)) => wrong.push(format!("the answer is not a number: {found}")),
        (None, None) => wrong.push("the answer is not a number".to_owned()),
        (Some(found), _) if !found.agrees() => wrong.push(match found.worst() {
            Some(worst) => format!(
                "the gradient at {} says {:.4}, finite differences {:.4}",
                worst.of, worst.gradient, worst.differences
            ),
            None => "no gradient could be checked".to_owned(),
        }),
        _ => {}
    }
    wrong.join("; ")
}
