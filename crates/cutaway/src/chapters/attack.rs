//! Adversarial attacks: the words, the table and the chapter.

use cutaway::Model;
use cutaway::probe::attack::{Attacked, AttackedImage, Certificate, MethodResult, RobustAccuracy};
use cutaway::report::{Chapter, number};

use crate::commands::attack::Measured;
use crate::error::Result;
use crate::figures::attack as figures;

/// The table for a terminal.
pub(crate) fn table_text(model: &Model, measured: &Measured) -> String {
    match measured.samples.is_empty() {
        true => of_the_set(model, measured),
        false => of_samples(model, measured),
    }
}

fn of_the_set(model: &Model, measured: &Measured) -> String {
    let a = &measured.attacked;
    let mut text = format!(
        "{} on {} test images of {}: accuracy {} as they are\n\n",
        model.source(),
        number::count(a.count as u64),
        measured.dataset.as_deref().unwrap_or("the data set"),
        number::percent(a.clean_accuracy, 2)
    );
    let (head, rows) = table(a);
    let head: Vec<&str> = head.iter().map(String::as_str).collect();
    text += &crate::commands::attack::columns(&head, &rows);
    text + "\n"
}

/// Robust accuracies, a row an attack, a column an ε.
pub(crate) fn table(a: &Attacked) -> (Vec<String>, Vec<Vec<String>>) {
    let symbol = a.norm.map_or("", |norm| norm.symbol());
    let mut head = vec![match a.norm {
        Some(_) => format!("robust accuracy, {symbol}"),
        None => "robust accuracy".to_owned(),
    }];
    let epsilons = || a.curve.iter().filter_map(|p| p.epsilon);
    head.extend(epsilons().map(|e| format!("ε = {}", number::significant(e, 4))));
    if a.methods.iter().any(|m| m.norm.is_none()) {
        head.push("without ε".to_owned());
    }
    head.extend(["median ε", "gradients", "queries", "seconds"].map(str::to_owned));
    let width = epsilons().count();
    let cells = |curve: &[RobustAccuracy]| {
        let percent = |p: &RobustAccuracy| number::percent(p.robust_accuracy, 1);
        let mut cells = vec!["–".to_owned(); head.len() - 5];
        for (i, p) in curve.iter().enumerate() {
            cells[if p.epsilon.is_some() { i } else { width }] = percent(p);
        }
        cells
    };
    let each = |total: usize, m: &MethodResult| {
        let attacked = m.images.iter().filter(|i| i.label == i.predicted).count();
        number::fixed(total as f64 / attacked.max(1) as f64, 1)
    };
    let median = |m: Option<f64>| m.map_or("–".to_owned(), |m| number::significant(m, 3));
    let mut rows: Vec<Vec<String>> = Vec::new();
    for m in &a.methods {
        let mut row = vec![m.method.to_owned()];
        row.extend(cells(&m.curve));
        row.push(median(m.nearest.median));
        row.extend([each(m.gradients, m), each(m.queries, m), number::fixed(m.seconds, 1)]);
        rows.push(row);
    }
    if a.methods.len() > 1 {
        let mut row = vec!["worst case".to_owned()];
        row.extend(cells(&a.curve));
        row.push(median(a.nearest.median));
        row.extend(["", "", ""].map(str::to_owned));
        rows.push(row);
    }
    (head, rows)
}

fn of_samples(model: &Model, measured: &Measured) -> String {
    let mut text = String::new();
    for (i, sample) in measured.samples.iter().enumerate() {
        let rows = measured.attacked.methods.iter();
        let rows: Vec<&AttackedImage> =
            rows.filter_map(|m| m.images.iter().find(|row| row.index == i)).collect();
        let Some(first) = rows.first() else {
            text += &format!("{}: it is of the target class\n", sample.source);
            continue;
        };
        text += &format!(
            "{}: {}, P = {}\n",
            sample.source,
            model.label(first.predicted),
            number::fixed(first.probability, 4)
        );
        if first.label != first.predicted {
            text += "  it is classified wrongly as it is, and left alone\n";
            continue;
        }
        let head = ["attack", "says", "P", "ε", "L∞", "L2", "pixels", "gradients", "queries"];
        let cells = measured.attacked.methods.iter().zip(&rows).map(|(m, r)| cells(model, m, r));
        text += &crate::commands::attack::columns(&head, &cells.collect::<Vec<_>>());
    }
    text + "\n"
}

fn cells(model: &Model, method: &MethodResult, row: &AttackedImage) -> Vec<String> {
    let dash = || "–".to_owned();
    let size = |value: Option<f64>| value.map_or_else(dash, |v| number::significant(v, 3));
    vec![
        method.method.to_owned(),
        row.adversarial.map_or("not fooled".to_owned(), |class| model.label(class)),
        row.adversarial_probability.map_or_else(dash, |p| number::fixed(p, 4)),
        size(row.epsilon),
        size(row.linf),
        size(row.l2),
        row.l0.map_or_else(dash, |n| n.to_string()),
        row.gradients.to_string(),
        row.queries.to_string(),
    ]
}

/// What the numbers say.
pub(crate) fn sentences(model: &Model, measured: &Measured) -> Vec<String> {
    let a = &measured.attacked;
    if !measured.samples.is_empty() {
        return measured.certificate.iter().map(certificate).collect();
    }
    let mut sentences = Vec::new();
    let percent = |x: f64| number::percent(x, 1);
    let what = match a.target {
        Some(target) => format!("made to say ‘{}’", model.label(target)),
        None => "made to err".to_owned(),
    };
    let counted = a.methods.iter().filter(|m| m.norm.is_some() || a.norm.is_none());
    let by = match &counted.collect::<Vec<_>>()[..] {
        [one] => one.method.to_owned(),
        several => format!("at least one of {} attacks", several.len()),
    };
    let last = a.curve.last().expect("at least one point");
    let fooled = a.clean_correct - last.robust;
    let within = last.epsilon.map_or(String::new(), |e| {
        let norm = a.norm.map_or("", |norm| norm.symbol());
        format!(" within {norm} ε = {}", number::significant(e, 4))
    });
    sentences.push(format!(
        "Of {} images that are right as they are {} are {what}{within} by {by}; robust accuracy {} \
         (95 % interval {} to {}).",
        number::count(a.clean_correct as u64),
        number::count(fooled as u64),
        percent(last.robust_accuracy),
        percent(last.interval.0),
        percent(last.interval.1)
    ));
    for m in a.methods.iter().filter(|m| m.norm.is_none() && a.norm.is_some()) {
        let robust = m.curve[0].robust_accuracy;
        sentences.push(format!("Under {} {} stay right.", m.method, percent(robust)));
    }
    sentences.extend(measured.certificate.as_ref().map(certificate));
    if let Some(median) = a.nearest.median {
        sentences.push(format!(
            "Half of them need a perturbation of no more than {}.",
            number::significant(median, 3)
        ));
    }
    sentences
}

/// What is certified, and at what price.
fn certificate(c: &Certificate) -> String {
    let percent = |x: f64| number::percent(x, 1);
    let (height, width) = c.mask_set.size;
    format!(
        "Against every patch of {side}×{side} pixels {certified} of {count} images are certified \
         ({share}, 95 % interval {low} to {high}) for double masking with {masks} masks of \
         {height}×{width}, which is right on {defended} of the images without a patch; the network \
         alone on {clean}.",
        side = c.settings.patch,
        certified = number::count(c.certified as u64),
        count = number::count(c.count as u64),
        share = percent(c.certified_accuracy),
        low = percent(c.interval.0),
        high = percent(c.interval.1),
        masks = c.mask_set.len(),
        defended = percent(c.defended_accuracy),
        clean = percent(c.clean_accuracy),
    )
}

/// The chapter.
pub(crate) fn chapter(model: &Model, measured: &Measured, command: &str) -> Result<Chapter> {
    let a = &measured.attacked;
    let (head, rows) = table(a);
    let head: Vec<&str> = head.iter().map(String::as_str).collect();
    let mut chapter = Chapter::new("Adversarial attacks")
        .text(&format!(
            "Changes of the image that are small in every pixel, made to fool the network: one step \
             along the signs of the gradient (FGSM, Goodfellow et al. 2015), or 40 (PGD, Madry et \
             al. 2018). ε bounds the change of each pixel value, which are from 0 to 1. {}",
            sentences(model, measured).join(" ")
        ))
        .figure(
            &figures::robust_accuracy(measured)?,
            &format!(
                "Share of the first {} test images that are classified correctly whatever the \
                 attack does within ε; the band is the 95 % confidence interval of the worst case.",
                number::count(a.count as u64)
            ),
            command,
        )
        .table(&head, &rows);
    let examples = figures::examples(measured);
    if !examples.is_empty() {
        chapter = chapter
            .figure(
                &figures::example_images(model, measured, &examples)?,
                "The first images that were fooled, as they are and attacked, with what the network \
                 says of each and the ε at which it was fooled.",
                command,
            )
            .figure(
                &figures::perturbations(model, measured, &examples)?,
                "The change of each pixel value, on one scale around 0.",
                command,
            );
    }
    Ok(chapter)
}
