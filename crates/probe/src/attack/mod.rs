//! Adversarial attacks: the smallest change of an image that makes a network say something else.
//!
//! Images are in pixel values from 0 to 1, whatever the network's preprocessing: gradients pass
//! through it, so that an ε means the same for every network. Each attack is a struct of its
//! parameters; [`attack()`] runs several over many images. A success is one only after the final
//! image, brought back into its ball and into 0 to 1 (and rounded to 8 bits on request), has been
//! shown to the network afresh.
//!
//! What is random is a function of the seed, the attack and the place of the image in the data set:
//! the same on any number of threads, and whichever other images are attacked.
//!
//! | [`Attack`] | what it uses | what bounds it |
//! |---|---|---|
//! | [`Fgsm`] | one gradient | L∞ or L2 |
//! | [`Pgd`], [`Momentum`], [`AutoPgd`] | many gradients | L∞ or L2 |
//! | [`DeepFool`], [`Fab`] | many gradients | nothing: they look for the nearest in L∞ or L2 |
//! | [`CarliniWagner`] | many gradients | nothing: it looks for the nearest in L2 |
//! | [`Square`] | answers only | L∞ or L2 |
//! | [`OnePixel`] | answers only | number of pixels |
//! | [`Spatial`] | answers only | shifts and turns |
//! | [`Patch`] | gradients of other images | size of the patch |
//! | [`TransplantAttack`] | answers only | size of the window |
//!
//! The other side is [`certify()`]: that no patch of a size changes the answer of a defended network.

mod apgd;
mod carlini_wagner;
mod certificate;
mod deepfool;
mod fab;
mod hyperplane;
mod loss;
mod norm;
mod one_pixel;
mod patch;
mod pgd;
mod result;
mod run;
mod session;
mod spatial;
mod square;
mod sweep;
mod transplant;
mod victim;

use cutaway_data::Images;
use cutaway_engine::Engine;
use serde::Serialize;

use crate::{Error, Progress, Result};

pub use apgd::AutoPgd;
pub use carlini_wagner::CarliniWagner;
pub use certificate::{Certificate, CertificateSettings, CertifiedImage, MaskSet, certify};
pub use deepfool::DeepFool;
pub use fab::Fab;
pub use loss::Loss;
pub use norm::{Norm, changed_pixels, parse_epsilon};
pub use one_pixel::OnePixel;
pub use patch::Patch;
pub use pgd::{Fgsm, Momentum, Pgd};
pub use result::{Attacked, AttackedImage, MethodResult, Nearest, RobustAccuracy, wilson};
pub use run::{AttackSettings, attack};
pub use spatial::Spatial;
pub use square::Square;
pub use transplant::TransplantAttack;

use session::Session;

/// An attack with its parameters.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Attack {
    /// `fgsm`
    Fgsm(Fgsm),
    /// `pgd`
    Pgd(Pgd),
    /// `mi-fgsm`
    Momentum(Momentum),
    /// `apgd-ce`, `apgd-dlr`, `apgd-t`
    AutoPgd(AutoPgd),
    /// `deepfool`
    DeepFool(DeepFool),
    /// `fab`, `fab-t`
    Fab(Fab),
    /// `cw`
    CarliniWagner(CarliniWagner),
    /// `square`
    Square(Square),
    /// `one-pixel`
    OnePixel(OnePixel),
    /// `spatial`
    Spatial(Spatial),
    /// `patch`; train it first, see [`Attack::prepare`]
    Patch(Patch),
    /// `transplant`; find donors first, see [`Attack::prepare`]
    Transplant(TransplantAttack),
}

/// A parameter that several attacks have.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Parameter {
    /// Steps that are taken.
    Steps(usize),
    /// How long they are.
    StepSize(f64),
    /// How often an attack begins anew.
    Restarts(usize),
    /// Questions asked about an image.
    Queries(usize),
    /// Side of a patch.
    Side(usize),
}

/// What bounds an attack's perturbations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Threat {
    /// A ball of radius ε: the attack takes any place in it.
    Ball(Norm),
    /// Nothing: the attack looks for the nearest image in this norm.
    Nearest(Norm),
    /// The attack's own parameters: there is no ε.
    Own,
}

impl Threat {
    /// The norm in which ε is measured, if there is one.
    pub fn norm(self) -> Option<Norm> {
        match self {
            Threat::Ball(norm) | Threat::Nearest(norm) => Some(norm),
            Threat::Own => None,
        }
    }
}

impl Attack {
    /// The names that [`Attack::named`] takes.
    pub const NAMES: [&str; 15] = [
        "fgsm",
        "pgd",
        "mi-fgsm",
        "apgd-ce",
        "apgd-dlr",
        "apgd-t",
        "deepfool",
        "fab",
        "fab-t",
        "cw",
        "square",
        "one-pixel",
        "spatial",
        "patch",
        "transplant",
    ];

    /// AutoAttack, the standard ensemble (Croce and Hein 2020, section 6), as in its version 1.0: APGD with
    /// cross-entropy, APGD and FAB at nine classes each, Square with 5,000 queries.
    pub fn autoattack(norm: Norm) -> Vec<Attack> {
        let auto =
            |loss, targets| Attack::AutoPgd(AutoPgd { norm, loss, targets, ..AutoPgd::default() });
        vec![
            auto(Loss::CrossEntropy, 0),
            auto(Loss::Dlr, 9),
            Attack::Fab(Fab { norm, targets: 9, ..Fab::default() }),
            Attack::Square(Square { norm, queries: 5000, ..Square::default() }),
        ]
    }

    /// An attack by its name with its usual parameters, in balls of a norm where it knows several.
    ///
    /// # Errors
    /// [`Error::Setting`] where no attack has this name.
    pub fn named(name: &str, norm: Norm) -> Result<Attack> {
        let auto =
            |loss, targets| Attack::AutoPgd(AutoPgd { norm, loss, targets, ..AutoPgd::default() });
        Ok(match name {
            "fgsm" => Attack::Fgsm(Fgsm { norm }),
            "pgd" => Attack::Pgd(Pgd { norm, ..Pgd::default() }),
            "mi-fgsm" => Attack::Momentum(Momentum { norm, ..Momentum::default() }),
            "apgd-ce" => auto(Loss::CrossEntropy, 0),
            "apgd-dlr" => auto(Loss::Dlr, 0),
            "apgd-t" => auto(Loss::Dlr, 9),
            "deepfool" => Attack::DeepFool(DeepFool { norm, ..DeepFool::default() }),
            "fab" => Attack::Fab(Fab { norm, ..Fab::default() }),
            "fab-t" => Attack::Fab(Fab { norm, targets: 9, ..Fab::default() }),
            "cw" => Attack::CarliniWagner(CarliniWagner::default()),
            "square" => Attack::Square(Square { norm, ..Square::default() }),
            "one-pixel" => Attack::OnePixel(OnePixel::default()),
            "spatial" => Attack::Spatial(Spatial::default()),
            "patch" => Attack::Patch(Patch::default()),
            "transplant" => Attack::Transplant(TransplantAttack::default()),
            _ => {
                return Err(Error::Setting(format!(
                    "there is no attack '{name}'; take {}",
                    Attack::NAMES.join(", ")
                )));
            }
        })
    }

    /// Changes one of its parameters; false where it has no such parameter.
    pub fn set(&mut self, parameter: Parameter) -> bool {
        use Parameter::{Queries, Restarts, Side, StepSize, Steps};
        match (self, parameter) {
            (Attack::Pgd(a), Steps(n)) => a.steps = n,
            (Attack::Pgd(a), StepSize(x)) => a.step_size = Some(x),
            (Attack::Pgd(a), Restarts(n)) => a.restarts = n,
            (Attack::Momentum(a), Steps(n)) => a.steps = n,
            (Attack::Momentum(a), StepSize(x)) => a.step_size = Some(x),
            (Attack::AutoPgd(a), Steps(n)) => a.steps = n,
            (Attack::AutoPgd(a), Restarts(n)) => a.restarts = n,
            (Attack::DeepFool(a), Steps(n)) => a.steps = n,
            (Attack::Fab(a), Steps(n)) => a.steps = n,
            (Attack::Fab(a), Restarts(n)) => a.restarts = n,
            (Attack::CarliniWagner(a), Steps(n)) => a.steps = n,
            (Attack::CarliniWagner(a), StepSize(x)) => a.step_size = x,
            (Attack::Square(a), Queries(n)) => a.queries = n,
            (Attack::Patch(a), Steps(n)) => a.steps = n,
            (Attack::Patch(a), Side(n)) => a.side = n,
            _ => return false,
        }
        true
    }

    /// Its name.
    pub fn name(&self) -> &'static str {
        match self {
            Attack::Fgsm(_) => "fgsm",
            Attack::Pgd(_) => "pgd",
            Attack::Momentum(_) => "mi-fgsm",
            Attack::AutoPgd(AutoPgd { targets: 1.., .. }) => "apgd-t",
            Attack::AutoPgd(AutoPgd { loss: Loss::CrossEntropy, .. }) => "apgd-ce",
            Attack::AutoPgd(AutoPgd { loss: Loss::Dlr, .. }) => "apgd-dlr",
            Attack::DeepFool(_) => "deepfool",
            Attack::Fab(Fab { targets: 1.., .. }) => "fab-t",
            Attack::Fab(_) => "fab",
            Attack::CarliniWagner(_) => "cw",
            Attack::Square(_) => "square",
            Attack::OnePixel(_) => "one-pixel",
            Attack::Spatial(_) => "spatial",
            Attack::Patch(_) => "patch",
            Attack::Transplant(_) => "transplant",
        }
    }

    /// What bounds it.
    pub fn threat(&self) -> Threat {
        match self {
            Attack::Fgsm(a) => Threat::Ball(a.norm),
            Attack::Pgd(a) => Threat::Ball(a.norm),
            Attack::Momentum(a) => Threat::Ball(a.norm),
            Attack::AutoPgd(a) => Threat::Ball(a.norm),
            Attack::Square(a) => Threat::Ball(a.norm),
            Attack::DeepFool(a) => Threat::Nearest(a.norm),
            Attack::Fab(a) => Threat::Nearest(a.norm),
            Attack::CarliniWagner(_) => Threat::Nearest(CarliniWagner::NORM),
            Attack::OnePixel(_) | Attack::Spatial(_) | Attack::Patch(_) | Attack::Transplant(_) => {
                Threat::Own
            }
        }
    }

    /// The norm that an attack of this name is taken in where none is asked for: of those that look for the nearest
    /// image by their authors in L2, that; none where any will do.
    pub fn usual_norm(name: &str) -> Option<Norm> {
        matches!(name, "deepfool" | "cw").then_some(Norm::L2)
    }

    /// Whether it can be told which class the network is to say.
    pub fn can_aim(&self) -> bool {
        !matches!(self, Attack::DeepFool(_))
    }

    /// Classes that a network must have for it.
    fn classes(&self, targeted: bool) -> usize {
        match self {
            Attack::AutoPgd(a) => a.loss.classes(targeted || a.targets > 0),
            _ => 2,
        }
    }

    /// Refuses parameters out of their ranges.
    ///
    /// # Errors
    /// [`Error::Setting`], naming the range.
    pub fn check(&self) -> Result<()> {
        self.parameters().check()
    }

    /// Trains a patch and finds donors on images other than those that are attacked; other attacks
    /// need nothing.
    ///
    /// # Errors
    /// As [`Patch::train`] and [`TransplantAttack::find_donors`].
    pub fn prepare(
        &mut self,
        engine: &Engine,
        others: &Images,
        target: Option<usize>,
        seed: u64,
        progress: Progress<'_>,
    ) -> Result<()> {
        match self {
            Attack::Patch(patch) => patch.train(engine, others, target, seed, progress),
            Attack::Transplant(transplant) => transplant.find_donors(engine, others),
            _ => Ok(()),
        }
    }

    /// Whether it must be prepared.
    pub fn needs_others(&self) -> bool {
        matches!(self, Attack::Patch(_) | Attack::Transplant(_))
    }

    fn parameters(&self) -> &dyn Check {
        match self {
            Attack::Fgsm(a) => a,
            Attack::Pgd(a) => a,
            Attack::Momentum(a) => a,
            Attack::AutoPgd(a) => a,
            Attack::DeepFool(a) => a,
            Attack::Fab(a) => a,
            Attack::CarliniWagner(a) => a,
            Attack::Square(a) => a,
            Attack::OnePixel(a) => a,
            Attack::Spatial(a) => a,
            Attack::Patch(a) => a,
            Attack::Transplant(a) => a,
        }
    }

    /// The images that it makes of a batch.
    fn run(&self, session: &mut Session<'_>) -> Result<Vec<f32>> {
        match self {
            Attack::Fgsm(a) => a.run(session),
            Attack::Pgd(a) => a.run(session),
            Attack::Momentum(a) => a.run(session),
            Attack::AutoPgd(a) => a.run(session),
            Attack::DeepFool(a) => a.run(session),
            Attack::Fab(a) => a.run(session),
            Attack::CarliniWagner(a) => a.run(session),
            Attack::Square(a) => a.run(session),
            Attack::OnePixel(a) => a.run(session),
            Attack::Spatial(a) => a.run(session),
            Attack::Patch(a) => a.run(session),
            Attack::Transplant(a) => a.run(session),
        }
    }
}

/// Parameters that have ranges.
trait Check {
    fn check(&self) -> Result<()>;
}

/// Refuses a parameter out of its range.
fn in_range(what: &str, value: f64, low: f64, high: f64) -> Result<()> {
    match (low..=high).contains(&value) {
        true => Ok(()),
        false => {
            Err(Error::Setting(format!("{what} of {value} is out of range: give {low} to {high}")))
        }
    }
}
