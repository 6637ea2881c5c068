//! Visualisations of whole networks.

use cutaway_data::Images;
use cutaway_engine::{Engine, Options};
use cutaway_net::{ConvSpec, Network, NetworkBuilder, presets};
use ndarray::{Array4, Axis};

use super::*;
use crate::attribution::random::{Purpose, Random};

fn engine(network: &Network, threads: usize) -> Engine {
    Engine::compile(network, &Options { threads, ..Options::default() }).unwrap()
}

fn silent() -> &'static dyn Fn(usize, usize) {
    &|_, _| ()
}

/// Images of noise, as the reference CNN takes them.
fn noise(count: usize) -> Array4<f32> {
    let mut random = Random::new(3, Purpose::Visualise, 99);
    Array4::from_shape_fn((count, 1, 28, 28), |_| random.unit() as f32)
}

#[test]
fn what_is_made_drives_its_target_further_than_the_best_of_random_images() {
    let network = presets::reference_cnn(1);
    let engine = engine(&network, 2);
    let relu3 = network.find("relu3").unwrap();
    let unit = Target::Unit { channel: 7, row: 3, col: 4 };
    let direction =
        Target::Direction((0..64).map(|c| if c % 5 == 0 { 1.0 } else { -0.2 }).collect());
    let targets = [Target::Channel(2), unit, direction];
    let mut survey = Survey::new(&network, relu3, &targets).unwrap();
    survey.add(&engine, noise(100).view()).unwrap();
    let random = survey.finish(1);
    for kind in [Parametrisation::Fourier, Parametrisation::Pixel, Parametrisation::Maco] {
        let settings = Settings { parametrisation: kind, steps: 60, ..Settings::default() };
        let made = visualise(&engine, relu3, &targets, &settings, silent()).unwrap();
        for (made, random) in made.iter().zip(&random) {
            let (found, best) = (made.images[0].activation, random.most[0].value);
            assert!(found > best, "{kind} {:?}: {found} against {best}", made.target);
            assert_eq!(made.images[0].curve.len(), 60);
        }
    }
}

#[test]
fn minimising_goes_below_the_least_of_random_images() {
    let network = presets::reference_cnn(1);
    let engine = engine(&network, 2);
    let logits = network.logits();
    let mut survey = Survey::new(&network, logits, &[Target::Channel(4)]).unwrap();
    survey.add(&engine, noise(100).view()).unwrap();
    let least = survey.finish(1)[0].least[0].value;
    let settings = Settings { steps: 40, minimise: true, ..Settings::default() };
    let made = visualise(&engine, logits, &[Target::Channel(4)], &settings, silent()).unwrap();
    assert!(made[0].images[0].activation < least);
}

#[test]
fn the_same_seed_gives_the_same_bits_on_any_number_of_threads_and_beside_any_targets() {
    let network = presets::reference_cnn(1);
    let settings = Settings { steps: 5, images: 2, ..Settings::default() };
    let layer = network.find("relu3").unwrap();
    let make = |threads: usize, channels: &[usize], seed: u64| {
        let targets: Vec<Target> = channels.iter().map(|&c| Target::Channel(c)).collect();
        let settings = Settings { seed, ..settings.clone() };
        visualise(&engine(&network, threads), layer, &targets, &settings, silent()).unwrap()
    };
    let alone = make(1, &[9], 1);
    assert_eq!(alone[0], make(3, &[4, 9], 1)[1]);
    assert_ne!(alone, make(1, &[9], 2));
    assert_ne!(alone[0].images[0], alone[0].images[1]);
}

#[test]
fn the_weight_of_diversity_makes_images_less_alike() {
    let network = presets::reference_cnn(1);
    let engine = engine(&network, 2);
    let layer = network.find("relu3").unwrap();
    let alike = |diversity: f64| {
        let settings = Settings { steps: 40, images: 3, diversity, ..Settings::default() };
        let made = visualise(&engine, layer, &[Target::Channel(5)], &settings, silent()).unwrap();
        made[0].likeness.unwrap()
    };
    let (little, much) = (alike(1e-9), alike(5.0));
    assert!(much < little, "{much} against {little}");
}

/// The whole chain with colours, preprocessing and a canvas of another size, by steps so small that each
/// must go the right way.
#[test]
fn every_small_step_goes_uphill_or_downhill() {
    let mut builder = NetworkBuilder::new("linear");
    builder.input("x", &[3, 9, 11]).conv("maps", ConvSpec::new(4, 3));
    let network = builder.build(3).unwrap();
    let mut metadata = network.metadata().clone();
    metadata.preprocessing.mean = vec![0.4, 0.5, 0.3];
    metadata.preprocessing.std = vec![0.2, 0.3, 0.25];
    let network = network.with_metadata(metadata);
    let engine = engine(&network, 1);
    for size in [None, Some(16), Some(8)] {
        for minimise in [false, true] {
            let settings =
                Settings { steps: 3, size, minimise, rate: Some(1e-3), ..Settings::default() };
            let layer = network.find("maps").unwrap();
            let settings = Settings { transforms: None, ..settings };
            let made = visualise(&engine, layer, &[Target::Channel(1)], &settings, silent());
            let made = &made.unwrap()[0].images[0];
            let rises = made.curve.windows(2).all(|pair| (pair[1] > pair[0]) != minimise);
            assert!(rises && (made.activation > made.curve[2]) != minimise, "{:?}", made.curve);
            if let Some(size) = size {
                assert_eq!(made.shape[2], size);
            }
        }
    }
}

#[test]
fn examples_are_ranked_by_what_the_network_says_of_each_image() {
    let network = presets::reference_cnn(1);
    let engine = engine(&network, 2);
    let mut random = Random::new(8, Purpose::Visualise, 1);
    let pixels: Vec<u8> = (0..40 * 784).map(|_| random.below(256) as u8).collect();
    let images = Images::new(28, 28, 1, pixels, vec![0; 40]).unwrap();
    let layer = network.find("relu4").unwrap();
    let found = examples(&engine, &images, layer, &[Target::Channel(6)], 3, silent()).unwrap();
    let values: Vec<f64> = (0..40)
        .map(|i| {
            let input = crate::units::input(&network, &images, &[i]).unwrap();
            let maps = engine.forward(input.view(), &[layer]).unwrap();
            let maps = maps.get(layer).unwrap().index_axis(Axis(1), 6).to_owned();
            maps.iter().map(|&v| f64::from(v)).sum::<f64>() / maps.len() as f64
        })
        .collect();
    let best = (0..40).max_by(|&a, &b| values[a].total_cmp(&values[b])).unwrap();
    assert_eq!(found[0].most[0].sample, best);
    assert!((found[0].most[0].value - values[best]).abs() < 1e-6);
    assert_eq!((found[0].images, found[0].most.len(), found[0].least.len()), (40, 3, 3));
}

#[test]
fn the_channel_that_varies_is_the_most_interesting() {
    let mut builder = NetworkBuilder::new("three");
    builder.input("x", &[3, 2, 2]);
    let network = builder.relu("y").build(1).unwrap();
    let engine = engine(&network, 1);
    let batch = Array4::from_shape_fn((4, 3, 2, 2), |(n, c, _, _)| match c {
        0 => 100.0,
        1 => n as f32,
        _ => 0.5 * n as f32,
    });
    let layer = network.find("y").unwrap();
    let order = interesting(&engine, layer, [Ok(batch)].into_iter()).unwrap();
    assert_eq!(order, [1, 2, 0]);
}

#[test]
fn settings_that_make_no_sense_are_refused() {
    let network = presets::reference_cnn(1);
    let engine = engine(&network, 1);
    let refused = |settings: Settings| {
        let targets = [Target::Channel(0)];
        let made = visualise(&engine, network.logits(), &targets, &settings, silent());
        made.unwrap_err().to_string()
    };
    let usual = Settings::default;
    assert!(refused(Settings { steps: 0, ..usual() }).contains("1 to 100000"));
    assert!(refused(Settings { images: 17, ..usual() }).contains("1 to 16"));
    assert!(refused(Settings { size: Some(4000), ..usual() }).contains("8 to 2048"));
    assert!(refused(Settings { rate: Some(f64::NAN), ..usual() }).contains("above 0"));
    assert!(refused(Settings { diversity: -1.0, ..usual() }).contains("0 or more"));
    assert!(
        refused(Settings { ground: Some(vec![0.5; 3]), ..usual() }).contains("expected 1 value")
    );
}
