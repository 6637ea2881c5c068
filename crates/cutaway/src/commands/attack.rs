//! `cutaway attack`.

use cutaway::Model;
use cutaway::data::{Dataset, Images};
use cutaway::probe::attack::{
    self, Attack, AttackSettings, Attacked, Certificate, CertificateSettings, Norm, Parameter,
    parse_epsilon,
};
use serde_json::{Value, json};

use crate::args::{self, Common};
use crate::chapters::attack as words;
use crate::error::{Error, Result};
use crate::figures::attack as figures;
use crate::meter::Meter;
use crate::samples::{self, Sample};
use crate::{chapters, console};

use super::classes;

/// Test images that a study attacks.
const STUDY_LIMIT: usize = 200;
/// The sizes of its perturbations.
const STUDY_EPSILONS: [f64; 6] = [0.05, 0.1, 0.15, 0.2, 0.25, 0.3];
/// How often intervals of ε are halved with `--minimal`: to a thousandth of the first.
const BISECTIONS: usize = 10;

/// What was found, with what it was found about.
pub(crate) struct Measured {
    pub(crate) attacked: Attacked,
    /// The images that were attacked stand in here, at the indices that the rows name.
    pub(crate) images: Images,
    /// The images that were named, in the order of the rows; empty for the test set's first.
    pub(crate) samples: Vec<Sample>,
    pub(crate) dataset: Option<String>,
    /// The certificate against patches, where one was asked for.
    pub(crate) certificate: Option<Certificate>,
}

pub(crate) fn run(verb: &args::Attack, common: &Common) -> Result<()> {
    let (mut attacks, norm) = attacks(verb)?;
    let mut settings = settings(verb, norm, common)?;
    let model = super::open_model_on(&verb.model, &verb.samples, common)?;
    let target = verb.target.as_deref();
    settings.target = target.map(|name| classes::named(&model, "--target", name)).transpose()?;
    let named = !verb.samples.sample.is_empty()
        || !verb.samples.digit.is_empty()
        || !verb.samples.image.is_empty();
    // Pictures alone, of no data set: a patch is trained on them, and donors are found among them.
    let themselves = !verb.samples.image.is_empty() && verb.samples.data.data == "auto";
    let chosen = {
        let others = attacks.iter().any(Attack::needs_others) && !themselves;
        samples::choose(&model, &verb.samples, common, &[], !named || others)?
    };
    let dataset = chosen.dataset;
    let (images, which) = match (&dataset, named) {
        (Some(dataset), false) => {
            let limit = super::check_limit(verb.limit.min(dataset.test.len()), dataset)?;
            (super::first_images(&dataset.test, limit), (0..limit).collect())
        }
        _ => stacked(&model, &chosen.samples)?,
    };
    if attacks.iter().any(Attack::needs_others) {
        let others = dataset.as_ref().map_or(&images, |dataset| &dataset.train);
        let (engine, target, seed) = (model.engine(), settings.target, common.seed);
        let meter = Meter::new("training the patch", common);
        for attack in &mut attacks {
            meter.watch(|p| attack.prepare(engine, others, target, seed, p))?;
        }
    }
    let meter = Meter::new("attacks", common);
    let attacked = meter.watch(|progress| {
        attack::attack(model.engine(), &images, &which, &attacks, &settings, progress)
    })?;
    drop(meter);
    let certificate = match verb.patch {
        None => None,
        Some(patch) => {
            let settings =
                CertificateSettings { patch, masks: verb.masks, fill: verb.mask_fill / 255.0 };
            let engine = model.engine();
            let meter = Meter::new("certificates", common);
            Some(meter.watch(|p| attack::certify(engine, &images, &which, &settings, p))?)
        }
    };
    let measured = Measured {
        attacked,
        images,
        samples: chosen.samples,
        dataset: dataset.as_ref().map(|d| d.name.clone()),
        certificate,
    };
    super::make_folder(&verb.out)?;
    let mut json = to_json(&model, dataset.as_ref(), &measured, common.seed);
    let mut pictures = Vec::new();
    for (name, figure) in figures::all(&model, &measured)? {
        pictures.push(super::save(&figure, &verb.out, name)?);
    }
    json["pictures"] = json!(pictures);
    if verb.npy {
        let path = verb.out.join("adversarial.npy");
        super::write(&path, &npy(&model, &measured.attacked))?;
        json["npy"] = json!(path);
    }
    if common.json {
        return console::print_json(&json);
    }
    let mut text = words::table_text(&model, &measured);
    words::sentences(&model, &measured).iter().for_each(|s| text += &format!("{s}\n"));
    pictures.iter().for_each(|p| text += &format!("  picture: {}\n", p.display()));
    console::print(&text)
}

/// The attacks that were named, with their parameters, and the norm that ε is measured in.
fn attacks(verb: &args::Attack) -> Result<(Vec<Attack>, Norm)> {
    let usage = |e: cutaway::probe::Error| Error::Usage(e.to_string());
    let default = if verb.patch.is_some() { &["patch"][..] } else { &["fgsm", "pgd"] };
    let named: Vec<&str> = match verb.method.is_empty() {
        true => default.to_vec(),
        false => verb.method.iter().map(String::as_str).collect(),
    };
    let usual = named.iter().find_map(|name| Attack::usual_norm(name));
    let norm = verb.norm.or(usual).unwrap_or_default();
    let mut attacks: Vec<Attack> = Vec::new();
    for name in named {
        let wanted = match name {
            "all" => Attack::NAMES.iter().map(|one| Attack::named(one, norm)).collect(),
            "autoattack" => Ok(Attack::autoattack(norm)),
            name => Attack::named(name, norm).map(|one| vec![one]),
        };
        for attack in wanted.map_err(usage)? {
            let fits = attack.threat().norm().is_none_or(|other| other == norm);
            let can_aim = verb.target.is_none() || attack.can_aim();
            if name == "all" && !(fits && can_aim) || attacks.contains(&attack) {
                continue;
            }
            attacks.push(attack);
        }
    }
    let flags = [
        ("--steps", verb.steps.map(Parameter::Steps)),
        ("--step-size", verb.step_size.map(Parameter::StepSize)),
        ("--restarts", verb.restarts.map(Parameter::Restarts)),
        ("--queries", verb.queries.map(Parameter::Queries)),
    ];
    for (flag, parameter) in flags {
        let Some(parameter) = parameter else { continue };
        let taken = attacks.iter_mut().map(|attack| attack.set(parameter));
        if taken.filter(|taken| *taken).count() == 0 {
            let names: Vec<&str> = attacks.iter().map(Attack::name).collect();
            return Err(Error::Usage(format!("{flag} means nothing to {}", names.join(", "))));
        }
    }
    if let Some(side) = verb.patch {
        attacks.iter_mut().for_each(|attack| {
            attack.set(Parameter::Side(side));
        });
    }
    attacks.iter().try_for_each(Attack::check).map_err(usage)?;
    Ok((attacks, norm))
}

fn settings(verb: &args::Attack, norm: Norm, common: &Common) -> Result<AttackSettings> {
    let given: std::result::Result<Vec<f64>, _> =
        verb.epsilon.iter().map(|text| parse_epsilon(text)).collect();
    let given = given.map_err(|e| Error::Usage(e.to_string()))?;
    let factor = if norm == Norm::L2 { 10.0 } else { 1.0 };
    let usual = STUDY_EPSILONS.map(|e| (e * factor * 1e6).round() / 1e6).to_vec();
    Ok(AttackSettings {
        epsilons: if given.is_empty() { usual } else { given },
        target: None,
        rounded: verb.eight_bit,
        bisections: if verb.minimal { BISECTIONS } else { 0 },
        keep: true,
        seed: common.seed,
    })
}

/// The images that were named as one set, each with the class that is held to be true.
fn stacked(model: &Model, samples: &[Sample]) -> Result<(Images, Vec<usize>)> {
    let first = samples.first().expect("images were named");
    let mut images = first.pixels.select(&[]);
    for sample in samples {
        images.pixels.extend_from_slice(sample.pixels.image(0));
        let truth = super::windows::truth(model, sample)?;
        images.labels.push(u16::try_from(truth).expect("data sets have fewer classes"));
    }
    let which = (0..images.len()).collect();
    Ok((images, which))
}

/// The documented object of `attack --json`.
fn to_json(model: &Model, dataset: Option<&Dataset>, measured: &Measured, seed: u64) -> Value {
    let attacked = &measured.attacked;
    let mut json = serde_json::to_value(attacked).expect("results serialise");
    let object = json.as_object_mut().expect("a struct");
    let labels: Vec<String> = (0..model.network().classes()).map(|c| model.label(c)).collect();
    let names: Vec<&str> = attacked.methods.iter().map(|m| m.method).collect();
    let last = attacked.curve.last().expect("at least one point");
    let sources: Vec<&String> = measured.samples.iter().map(|s| &s.source).collect();
    let one = match &measured.samples[..] {
        [sample] => Some(sample),
        _ => None,
    };
    let more = [
        ("model", json!(model.source())),
        ("model_hash", json!(model.network().hash())),
        ("preprocessing", json!(model.network().metadata().preprocessing)),
        ("answer", json!(super::answering_node(model))),
        ("dataset", json!(dataset.map(|d| &d.name))),
        ("dataset_hash", json!(dataset.map(|d| &d.hash))),
        ("labels", json!(labels)),
        ("seed", json!(seed)),
        ("sample", json!(one.and_then(|s| s.index))),
        ("label", json!(one.and_then(|s| s.label))),
        ("sources", json!(sources)),
        ("method", json!(names.join("+"))),
        ("epsilon", json!(last.epsilon)),
        ("robust", json!(last.robust)),
        ("robust_accuracy", json!(last.robust_accuracy)),
        ("interval", json!(last.interval)),
        ("certificate", json!(measured.certificate)),
        ("npy", Value::Null),
    ];
    object.extend(more.map(|(key, value)| (key.to_owned(), value)));
    json
}

/// The final image of every row as NumPy's format, version 1.0: `[N, C, H, W]`, little-endian f32. An
/// image that was not attacked, because it is classified wrongly as it is, is NaN.
fn npy(model: &Model, attacked: &Attacked) -> Vec<u8> {
    let p = &model.network().metadata().preprocessing;
    let (n, len) = (attacked.images.len(), p.channels * p.height * p.width);
    let shape = format!("({n}, {}, {}, {})", p.channels, p.height, p.width);
    let mut head = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}");
    // The header's length, with the ten bytes before it and the newline, is a multiple of 64.
    let pad = 63 - (10 + head.len()) % 64;
    head += &" ".repeat(pad);
    head.push('\n');
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend(u16::try_from(head.len()).expect("a short header").to_le_bytes());
    bytes.extend(head.as_bytes());
    for image in &attacked.images {
        match &image.pixels {
            Some(pixels) => bytes.extend(pixels.iter().flat_map(|v| v.to_le_bytes())),
            None => (0..len).for_each(|_| bytes.extend(f32::NAN.to_le_bytes())),
        }
    }
    bytes
}

/// What a study shows of it.
pub(crate) struct StudyAttacks {
    measured: Measured,
}

/// FGSM and PGD on the first test images.
pub(crate) fn for_study(model: &Model, dataset: &Dataset, common: &Common) -> Result<StudyAttacks> {
    let limit = dataset.test.len().min(STUDY_LIMIT);
    let images = super::first_images(&dataset.test, limit);
    let which: Vec<usize> = (0..limit).collect();
    let attacks = [Attack::named("fgsm", Norm::Linf)?, Attack::named("pgd", Norm::Linf)?];
    let settings = AttackSettings {
        epsilons: STUDY_EPSILONS.to_vec(),
        keep: true,
        seed: common.seed,
        ..AttackSettings::default()
    };
    let meter = Meter::new("attacks", common);
    let attacked = meter.watch(|progress| {
        attack::attack(model.engine(), &images, &which, &attacks, &settings, progress)
    })?;
    let dataset = Some(dataset.name.clone());
    let samples = Vec::new();
    let measured = Measured { attacked, images, samples, dataset, certificate: None };
    Ok(StudyAttacks { measured })
}

impl StudyAttacks {
    /// Its chapter; `ask` names model and data on a command line.
    pub(crate) fn chapter(&self, model: &Model, ask: &str) -> Result<cutaway::report::Chapter> {
        let command = format!("cutaway attack {ask} --limit {}", self.measured.attacked.count);
        chapters::attack::chapter(model, &self.measured, &command)
    }

    /// The raw numbers.
    pub(crate) fn results(&self, model: &Model, dataset: &Dataset, common: &Common) -> Value {
        to_json(model, Some(dataset), &self.measured, common.seed)
    }
}

/// Rows under their heads, the first column to the left, the others to the right.
pub(crate) fn columns(head: &[&str], rows: &[Vec<String>]) -> String {
    let width = |column: usize| {
        let cells = rows.iter().map(|row| row[column].chars().count());
        cells.chain([head[column].chars().count()]).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..head.len()).map(width).collect();
    let line = |cells: Vec<&str>| {
        let mut text = format!("  {:<w$}", cells[0], w = widths[0]);
        for (cell, w) in cells.iter().zip(&widths).skip(1) {
            text += &format!("  {cell:>w$}");
        }
        text.trim_end().to_owned() + "\n"
    };
    let rows = rows.iter().map(|row| line(row.iter().map(String::as_str).collect()));
    std::iter::once(line(head.to_vec())).chain(rows).collect()
}
