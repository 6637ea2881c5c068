//! The chapter on the laboratory: problem 3 of the reference study.

use cutaway::recurrent::lab::{
    Disagreement, Gradient, Method, Options, Parameter, Problem, Published, Step, math,
};
use cutaway::report::{Chapter, number::significant};

use crate::commands::rnn::{Findings, chosen, findings, text};
use crate::error::Result;
use crate::figures;

/// Digits of the numbers in the tables.
const DIGITS: usize = 9;
/// Digits of the numbers in the table of steps, which is wide.
const FEWER: usize = 7;

/// Works the study's problem out and tells of it. Takes milliseconds.
pub(crate) fn study(out: &str) -> Result<Chapter> {
    let findings = findings(Problem::study(), &Options::default(), true, true)?;
    of(&findings, &format!("cutaway rnn --out {out}"))
}

fn of(findings: &Findings, command: &str) -> Result<Chapter> {
    let Findings { problem, lab, .. } = findings;
    let descent = &lab.descent;
    let mut chapter = Chapter::new("A recurrent network by hand")
        .text(&format!(
            "A network of {} states over {} steps, in 64-bit floating point: a(t) = b + W h(t−1) + \
             U x(t), h(t) = tanh a(t), o(t) = c + V h(t), ŷ(t) = softmax o(t), with the loss L(t) = \
             {}.",
            problem.hidden(),
            problem.length(),
            problem.loss().text().replace('-', "−")
        ))
        .table(&["t", "a", "h", "o", "ŷ", "L"], &steps(findings));
    for derivation in &lab.derivations {
        let lines = derivation.lines(problem).into_iter();
        let lines = lines.map(|line| (line.words, math::to_mathml(&line.math)));
        chapter = chapter
            .text(&format!("How L({}) depends on the bias b, by the chain rule:", derivation.t))
            .math(&lines.collect::<Vec<_>>());
    }
    chapter = chapter
        .text(&apart(findings))
        .table(
            &["by", Method::Bptt.title(), Method::Rtrl.title(), Method::Differences.title()],
            &gradients(findings),
        )
        .figure(
            &figures::rnn::differences(findings)?,
            "The largest error of central differences over all parameters and states, against \
             backpropagation: a large step cuts the curve short, a small one drowns in rounding.",
            command,
        );
    if let Some(figure) = figures::rnn::through_time(findings)? {
        chapter = chapter.figure(
            &figure,
            "The norm of the derivative of each loss by each state up to it, all that follows from the \
             state taken into account, logarithmic scale.",
            command,
        );
    }
    let names: Vec<&str> = descent.update.iter().map(|p| p.name()).collect();
    chapter = chapter
        .text(&format!(
            "One step of gradient descent of {} with rate {}, changing {}: {} goes from {} to {}.",
            descent.loss,
            descent.rate,
            names.join(", "),
            descent.loss,
            descent.losses[0],
            descent.losses[1]
        ))
        .table(&["t", "ŷ before", "ŷ after", "L before", "L after"], &before_and_after(findings))
        .text(&right(findings))
        .table(&["", "published", "exact", ""], &published(findings));
    for p in &findings.published {
        if let Some(note) = &p.note {
            chapter = chapter.text(&format!("{}: {}.", p.quantity, note.replace('-', "−")));
        }
    }
    Ok(chapter)
}

fn steps(findings: &Findings) -> Vec<Vec<String>> {
    let row = |s: &Step| {
        let vectors = [&s.a, &s.h, &s.o, &s.y].map(|v| text::vector(v, FEWER));
        [vec![s.t.to_string()], vectors.to_vec(), vec![s.loss.to_string()]].concat()
    };
    findings.lab.steps.iter().map(row).collect()
}

/// How far the three ways to the gradients are apart, over all losses.
fn apart(findings: &Findings) -> String {
    let all = &findings.lab.disagreements;
    let largest =
        |of: &dyn Fn(&Disagreement) -> f64| significant(all.iter().map(of).fold(0.0, f64::max), 2);
    format!(
        "The gradients of all losses and of their sum, by all parameters and states, were computed \
         three ways. Over all of them forward sensitivities differ from backpropagation by at most \
         {}, central differences with step {} by at most {}. Those of {}:",
        largest(&|d| d.rtrl),
        significant(findings.lab.difference_step, 2),
        largest(&|d| d.differences),
        findings.lab.descent.loss
    )
}

fn gradients(findings: &Findings) -> Vec<Vec<String>> {
    let methods = [Method::Bptt, Method::Rtrl, Method::Differences];
    let gradients = methods.map(|method| chosen(&findings.lab, method));
    let parameters = findings.problem.parameters();
    let places = Parameter::ALL.into_iter().flat_map(|p| {
        let count = parameters.values(p).len();
        (0..count).map(move |i| (p, i))
    });
    let row = |(p, i): (Parameter, usize)| {
        let value = |g: &&Gradient| significant(g.parameters.values(p)[i], DIGITS);
        [vec![parameters.place(p, i)], gradients.iter().map(value).collect()].concat()
    };
    places.map(row).collect()
}

fn before_and_after(findings: &Findings) -> Vec<Vec<String>> {
    let pairs = findings.lab.steps.iter().zip(&findings.lab.descent.after);
    let row = |(before, after): (&Step, &Step)| {
        vec![
            before.t.to_string(),
            text::vector(&before.y, DIGITS),
            text::vector(&after.y, DIGITS),
            before.loss.to_string(),
            after.loss.to_string(),
        ]
    };
    pairs.map(row).collect()
}

fn right(findings: &Findings) -> String {
    let all = &findings.published;
    let right = all.iter().filter(|p| p.every_digit).count();
    format!(
        "Of the {} numbers that the reference study published for this problem, {right} are right in \
         every printed digit. Under the table stands what is wrong with the others.",
        all.len()
    )
}

fn published(findings: &Findings) -> Vec<Vec<String>> {
    let row = |p: &Published| {
        vec![
            p.quantity.clone(),
            p.published.replace('-', "−"),
            text::exact(p),
            if p.every_digit { "every digit right" } else { "see below" }.to_owned(),
        ]
    };
    findings.published.iter().map(row).collect()
}
