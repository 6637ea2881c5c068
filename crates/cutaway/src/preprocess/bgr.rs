//! Networks that take blue, green, red.

use std::sync::Arc;

use cutaway::net::{Metadata, Network, Op};

use crate::error::{Error, Result};

/// A network that takes blue, green, red as one that takes red, green, blue: the first convolution's
/// channels are exchanged, so that nothing else needs to know of the order.
pub(super) fn taking_rgb(network: &Network, metadata: &mut Metadata) -> Result<Network> {
    let input = network.input();
    let mut values: Vec<Arc<[f32]>> =
        network.params().iter().map(|param| param.values.clone()).collect();
    let takers = network.nodes().iter().filter(|node| node.inputs.contains(&input));
    for node in takers {
        let weight = node.params.first().map(|&id| (id, network.param(id)));
        let (id, weight) = match (&node.op, weight) {
            (Op::Conv { .. }, Some((id, weight))) if weight.shape.get(1) == Some(&3) => {
                (id, weight)
            }
            _ => {
                return Err(Error::Usage(format!(
                    "order=bgr is for networks of 3 channels that begin with a convolution; \
                     node '{}' takes the image, too",
                    node.name
                )));
            }
        };
        let area: usize = weight.shape[2..].iter().product();
        let mut exchanged = weight.values.to_vec();
        for filter in exchanged.chunks_exact_mut(3 * area) {
            let (first, rest) = filter.split_at_mut(2 * area);
            first[..area].swap_with_slice(rest);
        }
        values[id.0] = exchanged.into();
    }
    metadata.preprocessing.mean.reverse();
    metadata.preprocessing.std.reverse();
    Ok(network.with_values(values)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_for_bgr_says_the_same_of_the_colours_in_its_own_order() {
        use cutaway::engine::{Engine, Options};
        use cutaway::net::ConvSpec;
        let mut builder = cutaway::net::NetworkBuilder::new("colours");
        builder.input("image", &[3, 6, 6]).conv("conv", ConvSpec::new(4, 3));
        let bgr = builder.flatten("flat").dense("out", 2).build(1).unwrap();
        let mut metadata = bgr.metadata().clone();
        let rgb = taking_rgb(&bgr, &mut metadata).unwrap();
        let image = ndarray::Array4::from_shape_fn((1, 3, 6, 6), |(_, c, y, x)| {
            (c * 36 + y * 6 + x) as f32 / 100.0
        });
        let mut turned = image.clone();
        turned.invert_axis(ndarray::Axis(1));
        let ask = |network: &Network, image: &ndarray::Array4<f32>| {
            let engine = Engine::compile(network, &Options::default()).unwrap();
            engine.predict(image.view()).unwrap()
        };
        let difference = ask(&rgb, &image) - ask(&bgr, &turned);
        assert!(difference.iter().all(|d| d.abs() < 1e-6));
        assert!(ask(&bgr, &image) != ask(&bgr, &turned));
    }
}
