//! `cutaway rnn`: the laboratory of a recurrent network.

pub(crate) mod text;

use cutaway::recurrent::lab::{
    Gradient, Laboratory, Method, Options, Parameter, Problem, Published, StepError, Target, math,
    published, run as work_out, step_errors,
};
use serde_json::{Value, json};

use crate::args::{Common, Rnn};
use crate::error::{Error, Result};
use crate::{console, figures};

/// A problem and all that was found out about it.
pub(crate) struct Findings {
    pub(crate) problem: Problem,
    pub(crate) lab: Laboratory,
    /// What the reference study printed: for its own problem only.
    pub(crate) published: Vec<Published>,
    /// Central differences by their step; none where that was not asked for.
    pub(crate) step_errors: Vec<StepError>,
}

pub(crate) fn run(verb: &Rnn, common: &Common) -> Result<()> {
    if verb.template {
        return console::print(Problem::STUDY);
    }
    if verb.latex && common.json {
        let what = "--latex and --json both print on standard output: give one of them";
        return Err(Error::Usage(what.to_owned()));
    }
    let problem = match &verb.problem {
        Some(path) => Problem::open(path)?,
        None => Problem::study(),
    };
    let options = options(verb)?;
    let findings = findings(problem, &options, verb.problem.is_none(), verb.out.is_some())?;
    if let Some(folder) = &verb.out {
        super::make_folder(folder)?;
        if findings.step_errors.is_empty() {
            console::say("note: the problem is too large to try many steps of central differences");
        }
        for (name, figure) in figures::rnn::all(&findings)? {
            figure.save_png(folder.join(format!("{name}.png")))?;
            figure.save_svg(folder.join(format!("{name}.svg")))?;
        }
    }
    if verb.latex {
        return console::print(&latex(&findings));
    }
    if common.json {
        return console::print_json(&to_json(&findings, common.seed));
    }
    console::print(&text::of(&findings))?;
    if let Some(folder) = verb.out.as_ref().filter(|_| !common.quiet) {
        console::say(&format!("figures in {}", folder.display()));
    }
    Ok(())
}

fn options(verb: &Rnn) -> Result<Options> {
    let loss = match verb.loss.as_deref() {
        None => None,
        Some("sum") => Some(Target::Sum),
        Some(text) => Some(Target::At(text.parse().map_err(|_| {
            Error::Usage(format!("--loss {text}: expected the number of a step, or sum"))
        })?)),
    };
    let update = (!verb.update.is_empty()).then(|| verb.update.clone());
    let (steps, rate) = (verb.steps, verb.rate);
    Ok(Options { loss, difference_step: verb.step, steps, rate, update })
}

/// Works the problem out; for the study's own, and where figures are wanted, with everything.
pub(crate) fn findings(
    problem: Problem,
    options: &Options,
    is_study: bool,
    figures: bool,
) -> Result<Findings> {
    let lab = work_out(&problem, options)?;
    let published = if is_study { published()? } else { Vec::new() };
    let mut errors = Vec::new();
    if is_study || figures {
        errors = step_errors(&problem, chosen(&lab, Method::Bptt)).unwrap_or_default();
    }
    Ok(Findings { problem, lab, published, step_errors: errors })
}

/// The gradient of the loss that derivation and gradient steps are about.
pub(crate) fn chosen(lab: &Laboratory, method: Method) -> &Gradient {
    let wanted = |g: &&Gradient| g.loss == lab.descent.loss && g.method == method;
    lab.gradients.iter().find(wanted).expect("the chosen loss is among the losses")
}

/// The documented object of `rnn --json`.
pub(crate) fn to_json(findings: &Findings, seed: u64) -> Value {
    let Findings { problem, lab, published, step_errors } = findings;
    let descent = &lab.descent;
    json!({
        "model": problem.name(), "model_hash": problem.hash(),
        "dataset": "the problem's inputs", "seed": seed,
        "problem": problem,
        "steps": lab.steps,
        "difference_step": lab.difference_step,
        "gradients": lab.gradients.iter().flat_map(gradient).collect::<Vec<_>>(),
        "disagreements": lab.disagreements,
        "derivations": lab.derivations,
        "descent": {
            "loss": descent.loss, "rate": descent.rate, "update": descent.update,
            "losses": descent.losses
        },
        "updated": descent.updated, "after": descent.after,
        "published": published, "step_errors": step_errors
    })
}

/// One entry a parameter, and `h` for the states at the steps 1, 2, …
fn gradient(gradient: &Gradient) -> Vec<Value> {
    let all = serde_json::to_value(&gradient.parameters).expect("numbers serialise");
    let entry = |parameter: &str, value: &Value| {
        json!({
            "loss": gradient.loss, "parameter": parameter, "method": gradient.method, "value": value
        })
    };
    let parameters = Parameter::ALL.map(|p| entry(p.name(), &all[p.name()]));
    [parameters.to_vec(), vec![entry("h", &json!(gradient.states))]].concat()
}

/// The derivation as a piece of LaTeX, to be put into a document that uses `amsmath`.
fn latex(findings: &Findings) -> String {
    let mut text = String::from("% needs \\usepackage{amsmath}\n");
    for derivation in &findings.lab.derivations {
        for line in derivation.lines(&findings.problem) {
            let formula = math::to_latex(&line.math);
            text += &format!("% {}\n\\[ {formula} \\]\n", line.words);
        }
    }
    text
}
