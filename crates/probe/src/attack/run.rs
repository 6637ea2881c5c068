//! Several attacks over many images, against each ε, every success verified.

use std::time::Instant;

use cutaway_data::Images;
use cutaway_engine::Engine;

use super::loss::Aim;
use super::norm::{Norm, changed_pixels};
use super::result::{Attacked, AttackedImage, MethodResult, Nearest, RobustAccuracy};
use super::session::{Batch, Session};
use super::victim::{Victim, softmax};
use super::{Attack, Threat};
use crate::shift::check_labels;
use crate::{Error, Progress, Result, best};

/// Progress of one attack is told in so many parts.
const PARTS: usize = 1000;

/// What is asked of attacks.
#[derive(Clone, Debug, PartialEq)]
pub struct AttackSettings {
    /// Sizes of perturbations in the norm of the attacks, each above 0, in any order.
    pub epsilons: Vec<f64>,
    /// The class that the network is to say; images of that class are left out.
    pub target: Option<usize>,
    /// Whether an adversarial image is rounded to 8 bits before it is judged, each change towards
    /// the image as it is.
    pub rounded: bool,
    /// How often the interval between the largest ε that failed and the smallest that did not is
    /// halved for each image, to find the smallest perturbation. 0 to 30.
    pub bisections: usize,
    /// Whether the adversarial images are kept.
    pub keep: bool,
    /// Seed of everything random.
    pub seed: u64,
}

impl Default for AttackSettings {
    fn default() -> AttackSettings {
        AttackSettings {
            epsilons: vec![0.1, 0.2, 0.3],
            target: None,
            rounded: false,
            bisections: 0,
            keep: false,
            seed: 1,
        }
    }
}

/// Attacks the images at the places `which` with each of the attacks, at each ε from the smallest up; an image that
/// was fooled is not attacked at a larger ε, whose ball holds the smaller one. Images that are
/// classified wrongly as they are count as not robust and are left alone. `progress` hears how much
/// is done, of how much.
///
/// ```
/// use cutaway_data::{OpenOptions, open};
/// use cutaway_engine::{Engine, Options};
/// use cutaway_probe::attack::{Attack, AttackSettings, Fgsm, attack};
///
/// let options = OpenOptions { strokes_train: 1, strokes_test: 20, ..Default::default() };
/// let digits = open("strokes", &options)?.test;
/// let network = cutaway_net::presets::reference_cnn(1);
/// let engine = Engine::compile(&network, &Options::default())?;
///
/// let fgsm = Attack::Fgsm(Fgsm::default());
/// let settings = AttackSettings { epsilons: vec![8.0 / 255.0], ..Default::default() };
/// let all: Vec<usize> = (0..digits.len()).collect();
/// let found = attack(&engine, &digits, &all, &[fgsm], &settings, &|_, _| ())?;
/// assert!(found.curve[0].robust_accuracy <= found.clean_accuracy);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// [`Error::Setting`] where a setting is out of range, attacks with an ε do not measure it in one
/// norm, an attack cannot be aimed, or the images do not suit the network; [`Error::NotFinite`]; the
/// engine's.
pub fn attack(
    engine: &Engine,
    images: &Images,
    which: &[usize],
    attacks: &[Attack],
    settings: &AttackSettings,
    progress: Progress<'_>,
) -> Result<Attacked> {
    check_labels(engine, images)?;
    let norm = check(engine, attacks, settings)?;
    let mut epsilons = settings.epsilons.clone();
    epsilons.sort_by(f64::total_cmp);
    epsilons.dedup();
    let victim = Victim::new(engine, images)?;
    let subjects = subjects(&victim, images, which, settings)?;
    let run = Run { victim: &victim, images, settings, epsilons: &epsilons };
    let mut methods = Vec::new();
    for (m, attack) in attacks.iter().enumerate() {
        let tell = |share: f64| {
            let part = (share.clamp(0.0, 1.0) * PARTS as f64) as usize;
            progress(m * PARTS + part, attacks.len() * PARTS);
        };
        methods.push(run.method(attack, &subjects, &tell)?);
    }
    Ok(together(&subjects, methods, norm, &epsilons, settings))
}

/// Refuses what makes no sense and finds the norm that ε is measured in.
fn check(engine: &Engine, attacks: &[Attack], settings: &AttackSettings) -> Result<Option<Norm>> {
    let fail = |text: String| Err(Error::Setting(text));
    let classes = engine.network().classes();
    if attacks.is_empty() {
        return fail("no attack was named".to_owned());
    }
    if let Some(target) = settings.target.filter(|&target| target >= classes) {
        return fail(format!(
            "a target of {target} is out of range: the network has classes 0 to {}",
            classes - 1
        ));
    }
    if settings.bisections > 30 {
        return fail(format!("{} bisections are too many: give 0 to 30", settings.bisections));
    }
    for attack in attacks {
        attack.check()?;
        if settings.target.is_some() && !attack.can_aim() {
            return fail(format!(
                "{} cannot be told which class the network is to say: leave the target out",
                attack.name()
            ));
        }
        let needed = attack.classes(settings.target.is_some());
        if classes < needed {
            return fail(format!(
                "{} needs a network of at least {needed} classes; this one has {classes}",
                attack.name()
            ));
        }
    }
    let mut norms = attacks.iter().filter_map(|a| Some((a.name(), a.threat().norm()?)));
    let Some((first, norm)) = norms.next() else { return Ok(None) };
    if let Some((name, other)) = norms.find(|(_, other)| *other != norm) {
        return fail(format!(
            "{first} measures ε in {}, {name} in {}: take attacks of one norm at a time",
            norm.symbol(),
            other.symbol()
        ));
    }
    let bad = settings.epsilons.iter().find(|e| !(e.is_finite() && **e > 0.0 && **e <= 1e4));
    match (bad, settings.epsilons.is_empty()) {
        (Some(bad), _) => fail(format!("an ε of {bad} is out of range: give more than 0")),
        (None, true) => fail("no ε was given".to_owned()),
        (None, false) => Ok(Some(norm)),
    }
}

/// Every image as it is.
fn subjects(
    victim: &Victim<'_>,
    images: &Images,
    which: &[usize],
    settings: &AttackSettings,
) -> Result<Vec<AttackedImage>> {
    if let Some(index) = which.iter().find(|&&i| i >= images.len()) {
        let count = images.len();
        return Err(Error::Setting(format!("there is no image {index}: there are {count}")));
    }
    if which.is_empty() {
        return Err(Error::Setting("there are no images to attack".to_owned()));
    }
    let wanted = |i: &usize| settings.target != Some(images.label(*i));
    let all: Vec<usize> = which.iter().copied().filter(wanted).collect();
    if all.is_empty() {
        return Err(Error::Setting("every image is of the target class already".to_owned()));
    }
    let mut subjects = Vec::with_capacity(all.len());
    for batch in all.chunks(victim.batch()) {
        let pixels: Vec<f32> = batch.iter().flat_map(|&i| victim.pixels(images, i)).collect();
        let logits = victim.logits(&pixels)?;
        for (&index, logits) in batch.iter().zip(logits.chunks_exact(victim.classes)) {
            let predicted = best(logits).0;
            subjects.push(AttackedImage {
                index,
                label: images.label(index),
                predicted,
                probability: softmax(logits)[predicted],
                success: false,
                method: None,
                epsilon: None,
                adversarial: None,
                adversarial_probability: None,
                linf: None,
                l2: None,
                l0: None,
                gradients: 0,
                queries: 0,
                pixels: None,
            });
        }
    }
    Ok(subjects)
}

struct Run<'a> {
    victim: &'a Victim<'a>,
    images: &'a Images,
    settings: &'a AttackSettings,
    /// Ascending.
    epsilons: &'a [f64],
}

impl Run<'_> {
    fn method(
        &self,
        attack: &Attack,
        subjects: &[AttackedImage],
        tell: &dyn Fn(f64),
    ) -> Result<MethodResult> {
        let start = Instant::now();
        let mut rows = subjects.to_vec();
        match attack.threat() {
            Threat::Ball(_) => self.balls(attack, &mut rows, tell)?,
            Threat::Nearest(_) | Threat::Own => {
                let todo = (0..rows.len()).map(|row| (row, f64::INFINITY)).collect();
                self.stage(attack, &mut rows, todo, tell)?;
            }
        }
        tell(1.0);
        let norm = attack.threat().norm();
        Ok(MethodResult {
            method: attack.name(),
            parameters: attack.clone(),
            norm,
            curve: RobustAccuracy::curve(&rows, norm.map(|_| self.epsilons)),
            nearest: if norm.is_some() { Nearest::of(&rows) } else { Nearest::default() },
            gradients: rows.iter().map(|row| row.gradients).sum(),
            queries: rows.iter().map(|row| row.queries).sum(),
            seconds: start.elapsed().as_secs_f64(),
            images: rows,
        })
    }

    /// Each ε in turn, then between the last that failed and the first that did not.
    fn balls(&self, attack: &Attack, rows: &mut [AttackedImage], tell: &dyn Fn(f64)) -> Result<()> {
        let stages = (self.epsilons.len() + self.settings.bisections) as f64;
        let mut failed = vec![0.0_f64; rows.len()];
        for (stage, &epsilon) in self.epsilons.iter().enumerate() {
            let todo = (0..rows.len()).filter(|&row| !rows[row].success);
            let todo = todo.map(|row| (row, epsilon)).collect();
            self.stage(attack, rows, todo, &|share| tell((stage as f64 + share) / stages))?;
            let still = rows.iter().zip(&mut failed).filter(|(row, _)| !row.success);
            still.for_each(|(_, failed)| *failed = epsilon);
        }
        for stage in self.epsilons.len()..self.epsilons.len() + self.settings.bisections {
            let found = |&row: &usize| rows[row].success;
            let half = |row: usize| rows[row].epsilon.map(|e| (row, (e + failed[row]) / 2.0));
            let todo: Vec<(usize, f64)> = (0..rows.len()).filter(found).filter_map(half).collect();
            let tell = |share: f64| tell((stage as f64 + share) / stages);
            self.stage(attack, rows, todo.clone(), &tell)?;
            for (row, epsilon) in todo {
                if rows[row].epsilon.is_none_or(|e| e > epsilon) {
                    failed[row] = epsilon;
                }
            }
        }
        Ok(())
    }

    /// Attacks rows within an ε each, in batches.
    fn stage(
        &self,
        attack: &Attack,
        rows: &mut [AttackedImage],
        mut todo: Vec<(usize, f64)>,
        tell: &dyn Fn(f64),
    ) -> Result<()> {
        todo.retain(|&(row, _)| rows[row].predicted == rows[row].label);
        let all = todo.len() as f64;
        let mut done = 0.0;
        for batch in todo.chunks(self.victim.batch()) {
            let tell = |share: f64| tell((done + share * batch.len() as f64) / all);
            self.batch(attack, rows, batch, &tell)?;
            done += batch.len() as f64;
        }
        Ok(())
    }

    fn batch(
        &self,
        attack: &Attack,
        rows: &mut [AttackedImage],
        batch: &[(usize, f64)],
        tell: &dyn Fn(f64),
    ) -> Result<()> {
        let indices: Vec<usize> = batch.iter().map(|&(row, _)| rows[row].index).collect();
        let clean: Vec<f32> =
            indices.iter().flat_map(|&i| self.victim.pixels(self.images, i)).collect();
        let aim =
            |&(row, _): &(usize, f64)| Aim { label: rows[row].label, target: self.settings.target };
        let aims: Vec<Aim> = batch.iter().map(aim).collect();
        let epsilons: Vec<f64> = batch.iter().map(|&(_, epsilon)| epsilon).collect();
        let subjects = Batch {
            victim: self.victim,
            clean: &clean,
            aims: &aims,
            indices: &indices,
            epsilons: &epsilons,
            seed: self.settings.seed,
        };
        let mut session = Session {
            batch: subjects,
            progress: tell,
            queries: vec![0; batch.len()],
            gradients: vec![0; batch.len()],
        };
        let mut images = attack.run(&mut session)?;
        for (i, &(row, _)) in batch.iter().enumerate() {
            rows[row].queries += session.queries[i];
            rows[row].gradients += session.gradients[i];
        }
        self.confine(attack.threat(), &clean, &epsilons, &mut images);
        self.judge(attack, rows, batch, &clean, &aims, &images)
    }

    /// Whatever an attack made: within its ball, within 0 to 1, and of 8 bits where asked.
    fn confine(&self, threat: Threat, clean: &[f32], epsilons: &[f64], images: &mut [f32]) {
        let len = self.victim.len();
        self.victim.each(images, |i, image| {
            let clean = &clean[i * len..(i + 1) * len];
            match threat {
                Threat::Ball(norm) => norm.project(image, clean, epsilons[i] as f32),
                _ => image.iter_mut().for_each(|v| *v = v.clamp(0.0, 1.0)),
            }
            if self.settings.rounded {
                image.iter_mut().zip(clean).for_each(|(v, c)| *v = rounded(*v, *c));
            }
        });
    }

    /// Shows the final images to the network and takes note of those that fool it.
    fn judge(
        &self,
        attack: &Attack,
        rows: &mut [AttackedImage],
        batch: &[(usize, f64)],
        clean: &[f32],
        aims: &[Aim],
        images: &[f32],
    ) -> Result<()> {
        let (len, threat) = (self.victim.len(), attack.threat());
        let logits = self.victim.logits(images)?;
        for (i, &(row, epsilon)) in batch.iter().enumerate() {
            let (image, clean) = (&images[i * len..(i + 1) * len], &clean[i * len..(i + 1) * len]);
            let logits = &logits[i * self.victim.classes..(i + 1) * self.victim.classes];
            let said = best(logits).0;
            let row = &mut rows[row];
            let fooled = aims[i].is_met(said);
            if row.success && !fooled {
                continue;
            }
            if self.settings.keep {
                row.pixels = Some(image.to_vec());
            }
            if !fooled {
                continue;
            }
            row.success = true;
            row.method = Some(attack.name());
            row.epsilon = match threat {
                Threat::Ball(_) => Some(epsilon),
                Threat::Nearest(norm) => Some(norm.distance(image, clean)),
                Threat::Own => None,
            };
            row.adversarial = Some(said);
            row.adversarial_probability = Some(softmax(logits)[said]);
            row.linf = Some(Norm::Linf.distance(image, clean));
            row.l2 = Some(Norm::L2.distance(image, clean));
            row.l0 = Some(changed_pixels(image, clean, self.victim.plane()));
        }
        Ok(())
    }
}

/// A value as one of 256 levels: its change from `clean`, which is one, rounded towards 0, so that
/// no norm grows.
fn rounded(value: f32, clean: f32) -> f32 {
    let level = (clean * 255.0).round();
    let change = value * 255.0 - level;
    // What is a whole level but for rounding stays one.
    let whole = (change + change.signum() * 1e-3).trunc();
    (level + whole) / 255.0
}

/// The worst case over the methods.
fn together(
    subjects: &[AttackedImage],
    methods: Vec<MethodResult>,
    norm: Option<Norm>,
    epsilons: &[f64],
    settings: &AttackSettings,
) -> Attacked {
    let counted: Vec<&MethodResult> =
        methods.iter().filter(|m| norm.is_none() || m.norm.is_some()).collect();
    let mut images = subjects.to_vec();
    for (i, image) in images.iter_mut().enumerate() {
        let rows = counted.iter().map(|m| &m.images[i]);
        let size = |row: &&AttackedImage| row.epsilon.or(row.l2).unwrap_or(f64::INFINITY);
        let smallest =
            rows.clone().filter(|row| row.success).min_by(|a, b| size(a).total_cmp(&size(b)));
        if let Some(row) = smallest.or(rows.clone().next()) {
            *image = row.clone();
        }
        image.gradients = rows.clone().map(|row| row.gradients).sum();
        image.queries = rows.map(|row| row.queries).sum();
    }
    let correct = subjects.iter().filter(|s| s.label == s.predicted).count();
    Attacked {
        count: subjects.len(),
        clean_correct: correct,
        clean_accuracy: correct as f64 / subjects.len() as f64,
        target: settings.target,
        norm,
        rounded: settings.rounded,
        curve: RobustAccuracy::curve(&images, norm.map(|_| epsilons)),
        nearest: if norm.is_some() { Nearest::of(&images) } else { Nearest::default() },
        images,
        methods,
    }
}

#[cfg(test)]
mod tests {
    use super::rounded;

    #[test]
    fn rounding_to_8_bits_never_takes_a_value_farther_from_the_image() {
        for level in [0.0_f32, 17.0, 100.0, 255.0] {
            let clean = level / 255.0;
            for change in [-8.0_f32, -7.4, -0.2, 0.0, 0.9, 1.0, 5.5] {
                let value = ((level + change) / 255.0).clamp(0.0, 1.0);
                let made = rounded(value, clean);
                assert!((made * 255.0 - (made * 255.0).round()).abs() < 1e-4);
                assert!((made - clean).abs() <= (value - clean).abs() + 1e-6, "{level} {change}");
                let whole = (value * 255.0).round();
                if (value * 255.0 - whole).abs() < 1e-4 {
                    assert_eq!((made * 255.0).round(), whole);
                }
            }
        }
    }
}
