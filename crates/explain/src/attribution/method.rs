//! The methods by name.

use serde::{Deserialize, Serialize};

use super::{
    Attribute, Cam, CamKind, Deconvolution, DeepLift, ExpectedGradients, Gradient, GuidedBackprop,
    InputXGradient, IntegratedGradients, KernelShap, Lime, Lrp, LrpRule, Occlusion, Rise, ScoreCam,
    SmoothGrad,
};

/// A method of attribution with its parameters.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "family", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Method {
    /// [`Gradient`].
    Gradient(Gradient),
    /// [`InputXGradient`].
    InputXGradient(InputXGradient),
    /// [`SmoothGrad`].
    SmoothGrad(SmoothGrad),
    /// [`IntegratedGradients`].
    IntegratedGradients(IntegratedGradients),
    /// [`ExpectedGradients`].
    ExpectedGradients(ExpectedGradients),
    /// [`GuidedBackprop`].
    GuidedBackprop(GuidedBackprop),
    /// [`Deconvolution`].
    Deconvolution(Deconvolution),
    /// [`Lrp`].
    Lrp(Lrp),
    /// [`DeepLift`].
    DeepLift(DeepLift),
    /// [`Cam`].
    Cam(Cam),
    /// [`ScoreCam`].
    ScoreCam(ScoreCam),
    /// [`Occlusion`].
    Occlusion(Occlusion),
    /// [`Rise`].
    Rise(Rise),
    /// [`Lime`].
    Lime(Lime),
    /// [`KernelShap`].
    KernelShap(KernelShap),
}

impl Method {
    /// Every name, in the order of a comparison.
    pub const NAMES: &[&str] = &[
        "gradient",
        "input-x-gradient",
        "smooth-grad",
        "integrated-gradients",
        "expected-gradients",
        "guided-backprop",
        "deconvolution",
        "lrp-epsilon",
        "lrp-gamma",
        "lrp-alpha-beta",
        "lrp-z-plus",
        "lrp-epsilon-plus-flat",
        "lrp-epsilon-gamma-box",
        "deeplift",
        "grad-cam",
        "grad-cam++",
        "hires-cam",
        "layer-cam",
        "score-cam",
        "occlusion",
        "rise",
        "lime",
        "kernel-shap",
    ];

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Method::Gradient(_) => "gradient",
            Method::InputXGradient(_) => "input-x-gradient",
            Method::SmoothGrad(_) => "smooth-grad",
            Method::IntegratedGradients(_) => "integrated-gradients",
            Method::ExpectedGradients(_) => "expected-gradients",
            Method::GuidedBackprop(_) => "guided-backprop",
            Method::Deconvolution(_) => "deconvolution",
            Method::Lrp(lrp) => match lrp.rule {
                LrpRule::Epsilon => "lrp-epsilon",
                LrpRule::Gamma => "lrp-gamma",
                LrpRule::AlphaBeta => "lrp-alpha-beta",
                LrpRule::ZPlus => "lrp-z-plus",
                LrpRule::EpsilonPlusFlat => "lrp-epsilon-plus-flat",
                LrpRule::EpsilonGammaBox => "lrp-epsilon-gamma-box",
            },
            Method::DeepLift(_) => "deeplift",
            Method::Cam(cam) => match cam.kind {
                CamKind::GradCam => "grad-cam",
                CamKind::GradCamPlusPlus => "grad-cam++",
                CamKind::HiResCam => "hires-cam",
                CamKind::LayerCam => "layer-cam",
            },
            Method::ScoreCam(_) => "score-cam",
            Method::Occlusion(_) => "occlusion",
            Method::Rise(_) => "rise",
            Method::Lime(_) => "lime",
            Method::KernelShap(_) => "kernel-shap",
        }
    }

    /// Whether its values are slopes, to be multiplied by a change of the input, and no
    /// contributions, which are so already.
    #[must_use]
    pub fn is_slope(&self) -> bool {
        matches!(
            self,
            Method::Gradient(_)
                | Method::SmoothGrad(_)
                | Method::GuidedBackprop(_)
                | Method::Deconvolution(_)
        )
    }

    pub(crate) fn attribute(&self) -> &dyn Attribute {
        match self {
            Method::Gradient(method) => method,
            Method::InputXGradient(method) => method,
            Method::SmoothGrad(method) => method,
            Method::IntegratedGradients(method) => method,
            Method::ExpectedGradients(method) => method,
            Method::GuidedBackprop(method) => method,
            Method::Deconvolution(method) => method,
            Method::Lrp(method) => method,
            Method::DeepLift(method) => method,
            Method::Cam(method) => method,
            Method::ScoreCam(method) => method,
            Method::Occlusion(method) => method,
            Method::Rise(method) => method,
            Method::Lime(method) => method,
            Method::KernelShap(method) => method,
        }
    }
}

impl std::str::FromStr for Method {
    type Err = String;

    /// The method of a name, with its default parameters.
    fn from_str(name: &str) -> Result<Self, String> {
        Ok(match name {
            "gradient" => Method::Gradient(Gradient::default()),
            "input-x-gradient" => Method::InputXGradient(InputXGradient::default()),
            "smooth-grad" => Method::SmoothGrad(SmoothGrad::default()),
            "integrated-gradients" => Method::IntegratedGradients(IntegratedGradients::default()),
            "expected-gradients" => Method::ExpectedGradients(ExpectedGradients::default()),
            "guided-backprop" => Method::GuidedBackprop(GuidedBackprop::default()),
            "deconvolution" => Method::Deconvolution(Deconvolution::default()),
            "lrp-epsilon" => Method::Lrp(Lrp::new(LrpRule::Epsilon)),
            "lrp-gamma" => Method::Lrp(Lrp::new(LrpRule::Gamma)),
            "lrp-alpha-beta" => Method::Lrp(Lrp::new(LrpRule::AlphaBeta)),
            "lrp-z-plus" => Method::Lrp(Lrp::new(LrpRule::ZPlus)),
            "lrp" | "lrp-epsilon-plus-flat" => Method::Lrp(Lrp::new(LrpRule::EpsilonPlusFlat)),
            "lrp-epsilon-gamma-box" => Method::Lrp(Lrp::new(LrpRule::EpsilonGammaBox)),
            "deeplift" => Method::DeepLift(DeepLift::default()),
            "grad-cam" => Method::Cam(Cam::new(CamKind::GradCam)),
            "grad-cam++" => Method::Cam(Cam::new(CamKind::GradCamPlusPlus)),
            "hires-cam" => Method::Cam(Cam::new(CamKind::HiResCam)),
            "layer-cam" => Method::Cam(Cam::new(CamKind::LayerCam)),
            "score-cam" => Method::ScoreCam(ScoreCam::default()),
            "occlusion" => Method::Occlusion(Occlusion::default()),
            "rise" => Method::Rise(Rise::default()),
            "lime" => Method::Lime(Lime::default()),
            "kernel-shap" => Method::KernelShap(KernelShap::default()),
            _ => {
                return Err(format!(
                    "unknown method '{name}': expected all or one of {}",
                    Method::NAMES.join(", ")
                ));
            }
        })
    }
}

/// Parameters by the names that they have on the command line; each says whether the method has it.
impl Method {
    /// The layer of a class activation map.
    pub fn set_layer(&mut self, layer: &str) -> bool {
        let own = match self {
            Method::Cam(method) => &mut method.layer,
            Method::ScoreCam(method) => &mut method.layer,
            _ => return false,
        };
        *own = Some(layer.to_owned());
        true
    }

    /// Points of an integral.
    pub fn set_steps(&mut self, steps: usize) -> bool {
        let Method::IntegratedGradients(method) = self else { return false };
        method.steps = steps;
        true
    }

    /// Samples that are drawn.
    pub fn set_samples(&mut self, samples: usize) -> bool {
        let own = match self {
            Method::SmoothGrad(method) => &mut method.samples,
            Method::ExpectedGradients(method) => &mut method.samples,
            Method::Rise(method) => &mut method.samples,
            Method::Lime(method) => &mut method.samples,
            Method::KernelShap(method) => &mut method.samples,
            _ => return false,
        };
        *own = samples;
        true
    }

    /// Maps that are asked.
    pub fn set_maps(&mut self, maps: usize) -> bool {
        let Method::ScoreCam(method) = self else { return false };
        method.maps = Some(maps);
        true
    }

    /// What stands for nothing.
    pub fn set_baseline(&mut self, baseline: &super::Baseline) -> bool {
        let own = match self {
            Method::IntegratedGradients(method) => &mut method.baseline,
            Method::DeepLift(method) => &mut method.baseline,
            Method::Occlusion(method) => &mut method.baseline,
            Method::Rise(method) => &mut method.baseline,
            Method::Lime(method) => &mut method.baseline,
            Method::KernelShap(method) => &mut method.baseline,
            _ => return false,
        };
        own.clone_from(baseline);
        true
    }

    /// What becomes of the relevance of biases.
    pub fn set_biases(&mut self, biases: super::LrpBiases) -> bool {
        let Method::Lrp(method) = self else { return false };
        method.biases = biases;
        true
    }

    /// How factors share the relevance of their product.
    pub fn set_products(&mut self, products: super::LrpProducts) -> bool {
        let Method::Lrp(method) = self else { return false };
        method.products = products;
        true
    }

    /// How the image is cut up.
    pub fn set_segments(&mut self, segments: super::Segments) -> bool {
        let own = match self {
            Method::Lime(method) => &mut method.segments,
            Method::KernelShap(method) => &mut method.segments,
            _ => return false,
        };
        *own = segments;
        true
    }

    /// The window that slides: its side and its stride, in pixels.
    pub fn set_window(&mut self, window: Option<usize>, stride: Option<usize>) -> bool {
        let Method::Occlusion(method) = self else { return false };
        (method.window, method.stride) = (window, stride);
        true
    }

    /// Standard deviation of noise, as a share of the image's range.
    pub fn set_noise(&mut self, noise: f64) -> bool {
        let Method::SmoothGrad(method) = self else { return false };
        method.noise = noise;
        true
    }
}
