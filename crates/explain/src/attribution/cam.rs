//! Class activation maps by gradients: Grad-CAM, Grad-CAM++, HiResCAM, LayerCAM.
//!
//! With `A` the maps of a layer `[K, h, w]` and `G = ∂f/∂A`, each is a sum over the maps:
//!
//! | method | map |
//! |---|---|
//! | Grad-CAM | `Σ_k mean(G_k) A_k` |
//! | Grad-CAM++ | `Σ_k (Σ_ij α_k,ij max(G_k,ij, 0)) A_k`, `α = G² / (2 G² + (Σ A_k) G³)` |
//! | HiResCAM | `Σ_k G_k ∘ A_k` |
//! | LayerCAM | `Σ_k max(G_k, 0) ∘ A_k` |

use cutaway_net::{Network, NodeId, Op};
use ndarray::{ArrayD, ArrayView4, Axis, Slice};
use serde::{Deserialize, Serialize};

use super::ask::Ask;
use super::memory::{INPUTS, within};
use super::resample::{Corners, bilinear};
use super::{Attribute, LayerMap, Raw};
use crate::Error;
use crate::layers::check_maps;

/// A weighted sum of a layer's maps, brought to the size of the image by bilinear interpolation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cam {
    /// How the maps are weighed.
    pub kind: CamKind,
    /// Name of the node; `None` for the last convolution that has more than one position, after
    /// the normalisation, sum and ReLU behind it.
    pub layer: Option<String>,
    /// Whether what speaks against the class is set to 0, as in the papers.
    pub relu: bool,
}

/// How the maps are weighed.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CamKind {
    /// Selvaraju et al. 2017, "Grad-CAM", equations 1 and 2.
    #[serde(rename = "grad-cam")]
    GradCam,
    /// Chattopadhay et al. 2018, "Grad-CAM++", equations 5 and 19.
    #[serde(rename = "grad-cam++")]
    GradCamPlusPlus,
    /// Draelos and Carin 2020, "Use HiResCAM instead of Grad-CAM".
    #[serde(rename = "hires-cam")]
    HiResCam,
    /// Jiang et al. 2021, "LayerCAM", equations 5 and 6.
    #[serde(rename = "layer-cam")]
    LayerCam,
}

impl Cam {
    /// The method on its default layer.
    #[must_use]
    pub fn new(kind: CamKind) -> Cam {
        Cam { kind, layer: None, relu: true }
    }

    fn map(&self, activations: &[f32], gradients: &[f32], area: usize) -> Vec<f32> {
        let mut map = vec![0.0_f64; area];
        for (a, g) in activations.chunks_exact(area).zip(gradients.chunks_exact(area)) {
            let weight = match self.kind {
                CamKind::GradCam => super::ask::sum(g) / area as f64,
                CamKind::GradCamPlusPlus => plus_plus(a, g),
                CamKind::HiResCam | CamKind::LayerCam => 1.0,
            };
            for ((map, &a), &g) in map.iter_mut().zip(a).zip(g) {
                let weight = match self.kind {
                    CamKind::HiResCam => f64::from(g),
                    CamKind::LayerCam => f64::from(g.max(0.0)),
                    _ => weight,
                };
                *map += weight * f64::from(a);
            }
        }
        let keep = |v: f64| if self.relu { v.max(0.0) } else { v };
        map.into_iter().map(|v| keep(v) as f32).collect()
    }
}

/// Weight of a map in Grad-CAM++, with the constant that keeps the quotient finite.
fn plus_plus(activations: &[f32], gradients: &[f32]) -> f64 {
    let total = super::ask::sum(activations);
    let term = |&g: &f32| {
        let g = f64::from(g);
        let alpha = g.powi(2) / (2.0 * g.powi(2) + total * g.powi(3) + 1e-6);
        if g == 0.0 { 0.0 } else { g.max(0.0) * alpha }
    };
    gradients.iter().map(term).sum()
}

/// The layer that a class activation map is made of, by name or the default.
pub(crate) fn cam_layer(network: &Network, name: Option<&str>) -> Result<NodeId, Error> {
    if let Some(name) = name {
        let id = network.find(name)?;
        check_maps(network, id)?;
        return Ok(id);
    }
    let convolutions = network.nodes().iter().enumerate().filter(|(i, node)| {
        let shape = network.shape(NodeId(*i));
        matches!(node.op, Op::Conv(_)) && shape[1..].iter().product::<usize>() > 1
    });
    let last = convolutions.max_by_key(|(i, _)| *i).ok_or_else(|| {
        Error::Setting(format!(
            "network '{}' has no convolution with more than one position; name a layer",
            network.name()
        ))
    })?;
    Ok(after(network, NodeId(last.0)))
}

/// Goes on from a convolution as long as one node takes it, through normalisations and sums, to the
/// ReLU behind; the convolution itself where there is none.
fn after(network: &Network, convolution: NodeId) -> NodeId {
    let mut last = convolution;
    loop {
        let all = network.nodes().iter().enumerate();
        let mut takers = all.filter(|(_, node)| node.inputs.contains(&last));
        match (takers.next(), takers.next()) {
            (Some((id, node)), None) => match node.op.kind() {
                "Relu" | "Clip" => return NodeId(id),
                "BatchNorm" | "Add" => last = NodeId(id),
                _ => return convolution,
            },
            _ => return convolution,
        }
    }
}

/// One image of a batch, row-major.
pub(crate) fn of_image(batch: &ArrayD<f32>, image: usize) -> Vec<f32> {
    batch.index_axis(Axis(0), image).iter().copied().collect()
}

impl Attribute for Cam {
    fn run(
        &self,
        ask: &Ask<'_>,
        images: ArrayView4<'_, f32>,
        classes: &[usize],
    ) -> Result<Vec<Raw>, Error> {
        let network = ask.network();
        let layer = cam_layer(network, self.layer.as_deref())?;
        let [_, height, width] = check_maps(network, layer)?;
        let [_, rows, cols] = ask.input;
        let few = within(INPUTS, network.shape(layer).iter().product());
        let mut results = Vec::new();
        for start in (0..images.shape()[0]).step_by(few) {
            let end = (start + few).min(images.shape()[0]);
            let images = images.slice_axis(Axis(0), Slice::from(start..end));
            let activations = ask.engine().forward(images, &[layer])?;
            let activations = activations.get(layer).expect("tapped");
            let gradients = ask.gradients(images, &classes[start..end], &[layer])?;
            let gradients = gradients.node(layer).expect("asked for");
            results.extend((0..end - start).map(|image| {
                let (a, g) = (of_image(activations, image), of_image(gradients, image));
                let map = self.map(&a, &g, height * width);
                let large = bilinear(&map, [height, width], [rows, cols], Corners::Cells);
                let name = network.node(layer).name.clone();
                let map = LayerMap { layer: name, shape: [height, width], values: map };
                Raw::map([rows, cols], large).with_layer(map)
            }));
        }
        Ok(results)
    }
}
