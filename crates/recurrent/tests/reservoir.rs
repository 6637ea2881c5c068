//! Echo state networks against ReservoirPy, NumPy and theory.

use cutaway_data::sequences::{Inputs, Sequences, Targets};
use cutaway_engine::Isa;
use cutaway_recurrent::metrics::Confusion;
use cutaway_recurrent::reservoir::{
    Activation, EchoStateCheck, EchoStateNetwork, FitOptions, Gram, Input, Map, MapOptions, Memory,
    MemoryCapacity, Outputs, Reading, Reservoir, Settings, Sparse, States, Verdict, Weights,
    effective_radius, largest_singular_value, spectral_radius,
};
use serde::Deserialize;

#[derive(Deserialize)]
struct Fixture {
    agreement: Agreement,
    weighted_ridge: WeightedRidge,
    spectra: Vec<Spectrum>,
}

#[derive(Deserialize)]
struct Agreement {
    leak: f64,
    w: Vec<Vec<f64>>,
    w_in: Vec<Vec<f64>>,
    bias: Vec<f64>,
    x: Vec<Vec<f64>>,
    states: Vec<Vec<f64>>,
    y: Vec<Vec<f64>>,
    ridge: f64,
    readout: Vec<Vec<f64>>,
    readout_bias: Vec<f64>,
}

#[derive(Deserialize)]
struct WeightedRidge {
    x: Vec<Vec<f64>>,
    y: Vec<Vec<f64>>,
    weights: Vec<f64>,
    ridge: f64,
    readout: Vec<Vec<f64>>,
    readout_bias: Vec<f64>,
}

#[derive(Deserialize)]
struct Spectrum {
    seed: u64,
    size: usize,
    density: f64,
    spectral_radius: f64,
    largest_singular_value: f64,
    effective_radius: f64,
}

fn fixture() -> Fixture {
    serde_json::from_str(include_str!("fixtures/reservoir.json")).unwrap()
}

fn near(found: &[f64], expected: &[f64], tolerance: f64, what: &str) {
    assert_eq!(found.len(), expected.len(), "{what}");
    for (i, (f, e)) in found.iter().zip(expected).enumerate() {
        assert!((f - e).abs() < tolerance, "{what}, place {i}: {f}, expected {e}");
    }
}

fn sparse(rows: &[Vec<f64>]) -> Sparse<f64> {
    Sparse::from_dense(rows.len(), rows[0].len(), &rows.concat()).unwrap()
}

#[test]
fn states_and_readout_are_those_of_reservoirpy_with_the_same_matrices() {
    let Agreement { leak, w, w_in, bias, x, states, y, ridge, readout, readout_bias } =
        fixture().agreement;
    let weights = Weights {
        input: sparse(&w_in),
        recurrent: sparse(&w),
        bias,
        leak,
        activation: Activation::Tanh,
    };
    for isa in Isa::available() {
        let reservoir = Reservoir::new(weights.clone(), isa).unwrap();
        let input = x.concat();
        let found = reservoir.states(Input::Values(&[&input]), &Reading::default()).unwrap();
        near(&found[0], &states.concat(), 1e-12, &format!("states, {isa}"));
        let mut gram = Gram::new(w.len(), readout.len());
        // In two parts, as samples come.
        let (half, outputs) = (50, readout.len());
        gram.add(&found[0][..half * w.len()], &y.concat()[..half * outputs], None);
        gram.add(&found[0][half * w.len()..], &y.concat()[half * outputs..], None);
        let solved = gram.solve(ridge).unwrap();
        near(&solved.weights, &readout.concat(), 1e-8, "readout");
        near(&solved.bias, &readout_bias, 1e-8, "bias of the readout");
    }
}

#[test]
fn weighted_ridge_regression_is_the_closed_form_with_a_column_of_ones() {
    let WeightedRidge { x, y, weights, ridge, readout, readout_bias } = fixture().weighted_ridge;
    let mut gram = Gram::new(x[0].len(), y[0].len());
    gram.add(&x.concat(), &y.concat(), Some(&weights));
    let found = gram.solve(ridge).unwrap();
    near(&found.weights, &readout.concat(), 1e-11, "weights");
    near(&found.bias, &readout_bias, 1e-11, "bias");
    let first: Vec<f64> = (0..2)
        .map(|o| readout_bias[o] + (0..5).map(|i| readout[o][i] * x[0][i]).sum::<f64>())
        .collect();
    near(&found.apply(&x[0]), &first, 1e-10, "applied");
}

/// As `spectrum` of make_reservoir.py.
fn made(of: &Spectrum) -> Sparse<f64> {
    let mut state = of.seed;
    let values: Vec<f64> = (0..of.size * of.size)
        .map(|_| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            let u = (state >> 11) as f64 / (1u64 << 52) as f64 - 1.0;
            if u.abs() < of.density { u } else { 0.0 }
        })
        .collect();
    Sparse::from_dense(of.size, of.size, &values).unwrap()
}

#[test]
fn largest_eigenvalues_and_singular_values_are_those_of_numpy() {
    for of in fixture().spectra {
        let matrix = made(&of);
        let what = format!("{} units", of.size);
        near(&[spectral_radius(&matrix).unwrap()], &[of.spectral_radius], 1e-10, &what);
        let found = largest_singular_value(&matrix).unwrap();
        near(&[found], &[of.largest_singular_value], 1e-10, &what);
        let weights = Weights {
            input: Sparse::from_dense(of.size, 1, &vec![1.0; of.size]).unwrap(),
            bias: vec![0.0; of.size],
            recurrent: matrix,
            leak: 0.3,
            activation: Activation::Tanh,
        };
        let found = effective_radius(&weights).unwrap();
        near(&[found], &[of.effective_radius], 1e-10, &format!("effective, {what}"));
    }
}

/// A line of units, each hearing the one before it; the last speaks to the first where it is a ring.
fn line(units: usize, ring: bool, activation: Activation) -> Weights<f64> {
    let row = |unit: usize| match unit {
        0 if ring => vec![(units - 1, 1.0)],
        0 => vec![],
        _ => vec![(unit - 1, 1.0)],
    };
    let mut input = vec![vec![]; units];
    input[0] = vec![(0, 1.0)];
    Weights {
        input: Sparse::new(1, input).unwrap(),
        recurrent: Sparse::new(units, (0..units).map(row).collect()).unwrap(),
        bias: vec![0.0; units],
        leak: 1.0,
        activation,
    }
}

#[test]
fn matrices_of_known_spectrum_have_it_exactly() {
    // Nilpotent: rounding alone would make 0.7 of its radius.
    assert_eq!(spectral_radius(&line(100, false, Activation::Tanh).recurrent).unwrap(), 0.0);
    let ring = line(100, true, Activation::Tanh).recurrent;
    near(&[spectral_radius(&ring).unwrap()], &[1.0], 1e-12, "a ring");
    near(&[largest_singular_value(&ring).unwrap()], &[1.0], 1e-12, "a ring");
    let two = Sparse::from_dense(2, 2, &[0.0, -2.0, 2.0, 0.0]).unwrap();
    near(&[spectral_radius(&two).unwrap()], &[2.0], 1e-12, "a complex pair");
}

#[test]
fn a_drawn_reservoir_has_the_radius_the_densities_and_the_bits_of_its_settings() {
    let settings = Settings {
        units: 200,
        spectral_radius: 0.85,
        density: 0.05,
        input_density: 0.3,
        bias_scaling: 0.2,
        seed: 7,
        ..Settings::default()
    };
    let weights = settings.weights(4).unwrap();
    near(&[spectral_radius(&weights.recurrent).unwrap()], &[0.85], 1e-11, "the spectral radius");
    assert!((0..200).all(|r| weights.recurrent.row(r).len() == 10), "10 of 200 in every row");
    assert_eq!(weights.input.nonzeros(), 4 * 60);
    assert!(weights.bias.iter().all(|b| b.abs() <= 0.2));
    assert_eq!(settings.weights(4).unwrap(), weights);
    let other = Settings { seed: 8, ..settings.clone() }.weights(4).unwrap();
    assert_ne!(other.recurrent, weights.recurrent);
    for (bad, message) in [
        (Settings { leak: 0.0, ..settings.clone() }, "leak of a reservoir: expected above 0"),
        (Settings { density: 1.5, ..settings.clone() }, "density of a reservoir: expected above 0"),
        (Settings { units: 0, ..settings.clone() }, "units of a reservoir: expected at least 1"),
        (Settings { units: 100_000, ..settings.clone() }, "more than the limit of 8000"),
        (Settings { spectral_radius: f64::NAN, ..settings }, "spectral radius of a reservoir"),
    ] {
        let error = bad.weights(4).unwrap_err().to_string();
        assert!(error.contains(message), "{error}");
    }
}

#[test]
fn a_linear_delay_line_remembers_as_many_inputs_as_it_has_units() {
    let memory = Memory { delays: Some(60), ..Memory::default() };
    let found = MemoryCapacity::of(&line(40, false, Activation::Linear), &memory).unwrap();
    for (delay, &share) in found.curve.iter().enumerate() {
        let expected = f64::from(u8::from(delay < 40));
        assert!((share - expected).abs() < 0.02, "delay {delay}: {share}");
    }
    // The input read last is no memory: one unit holds it.
    assert!((found.total - 39.0).abs() < 0.1, "{}", found.total);
    assert_eq!(found.bound, 40);
}

#[test]
fn memory_is_bounded_by_the_units_and_greater_without_the_tangent() {
    let settings = Settings {
        units: 40,
        density: 0.2,
        input_density: 1.0,
        input_scaling: 0.5,
        ..Settings::default()
    };
    let of = |activation| {
        let settings = Settings { activation, ..settings.clone() };
        let weights = settings.draw(1).unwrap().weights(0.95, 1.0);
        MemoryCapacity::of(&weights, &Memory::default()).unwrap()
    };
    let (tanh, linear) = (of(Activation::Tanh), of(Activation::Linear));
    assert!(tanh.total > 4.0 && tanh.total < linear.total, "{} {}", tanh.total, linear.total);
    assert!(linear.total < 40.5, "{}", linear.total);
    assert!(tanh.curve[0] > 0.99 && tanh.curve[79] < 0.01);
    let error = MemoryCapacity::of(&settings.weights(2).unwrap(), &Memory::default());
    assert!(error.unwrap_err().to_string().contains("this reservoir has 2"));
}

#[test]
fn starts_are_forgotten_where_theory_says_so_and_kept_where_the_network_is_wild() {
    let settings = Settings { units: 100, leak: 1.0, input_density: 1.0, ..Settings::default() };
    let silence = vec![0.0; 400];
    let check = |radius: f64, input: &[f64]| {
        let weights = settings.draw(1).unwrap().weights(radius, 1.0);
        EchoStateCheck::of(&weights, Input::Values(&[input]), 3, 1).unwrap()
    };
    let tame = check(0.3, &silence);
    assert!(tame.forgets_for_any_input && tame.contraction_bound < 1.0);
    assert_eq!(tame.verdict, Verdict::Forgets);
    assert!(tame.distances.windows(2).all(|d| d[1] <= d[0] * tame.contraction_bound + 1e-300));
    // Near zero the distance falls by the spectral radius a step.
    let usual = check(0.9, &silence);
    assert!(!usual.forgets_for_any_input && usual.forgets_near_zero);
    assert_eq!(usual.verdict, Verdict::Forgets);
    assert!((usual.rate - 0.9).abs() < 0.02, "{}", usual.rate);
    assert!((usual.half_life() - 6.58).abs() < 1.5, "{}", usual.half_life());
    let wild = check(2.0, &silence);
    assert_eq!(wild.verdict, Verdict::Remembers);
    assert!(!wild.forgets_near_zero);
    // A strong input drives the units to the ends of the tangent, where the same weights forget: a radius
    // below 1 is not necessary.
    let driven: Vec<f64> = (0..400).map(|t| if t % 2 == 0 { 60.0 } else { -60.0 }).collect();
    let driven = check(2.0, &driven);
    assert_eq!(driven.verdict, Verdict::Forgets);
    assert!(!driven.forgets_near_zero);
}

/// Sequences of two classes that differ in their first letter only.
fn first_letter(count: usize, length: usize, salt: usize) -> Sequences {
    let letter = |s: usize, t: usize| {
        let mixed = (s * 7919 + t * 104_729 + salt * 31) * 2_654_435_761;
        (mixed >> 16) % 4
    };
    let sequence = |s: usize| {
        let mut steps: Vec<u8> = (0..length + s % 5).map(|t| letter(s, t) as u8).collect();
        steps[0] = (s % 2) as u8;
        steps
    };
    Sequences {
        name: "first letter".to_owned(),
        ids: (0..count).map(|s| s.to_string()).collect(),
        inputs: Inputs::Symbols {
            alphabet: vec!['a', 'b', 'c', 'd'],
            sequences: (0..count).map(sequence).collect(),
        },
        targets: Targets::Classes {
            names: vec!["a first".to_owned(), "b first".to_owned()],
            labels: (0..count).map(|s| s % 2).collect(),
        },
    }
}

fn small() -> FitOptions {
    FitOptions {
        settings: Settings { units: 80, input_density: 0.5, ..Settings::default() },
        ..FitOptions::default()
    }
}

#[test]
fn what_stands_first_is_told_by_the_reader_that_reads_it_last_and_forgotten_by_the_other() {
    let parts = [first_letter(400, 150, 1), first_letter(200, 150, 2), first_letter(300, 150, 3)];
    let accuracy = |reversed: bool| {
        let options = FitOptions { reversed, states: States::Last, ..small() };
        let network = EchoStateNetwork::fit(&parts[0], &parts[1], &options).unwrap();
        let Targets::Classes { labels, .. } = &parts[2].targets else { unreachable!() };
        let predicted = network.predict(&parts[2]).unwrap();
        let accuracy = Confusion::new(labels, &predicted, 2).balanced_accuracy();
        assert_eq!(network.score(&parts[2]).unwrap(), accuracy);
        accuracy
    };
    assert!(accuracy(true) > 0.98, "{}", accuracy(true));
    assert!((accuracy(false) - 0.5).abs() < 0.1, "{}", accuracy(false));
}

#[test]
fn the_same_seed_gives_the_same_bits_on_any_number_of_threads() {
    let parts = [first_letter(300, 40, 1), first_letter(100, 40, 2)];
    let fit = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| EchoStateNetwork::fit(&parts[0], &parts[1], &small()).unwrap())
    };
    let (one, three) = (fit(1), fit(3));
    assert_eq!(one.readout(), three.readout());
    assert_eq!(one.values(&parts[1]).unwrap(), three.values(&parts[1]).unwrap());
    assert!(one.attempts().iter().any(|attempt| attempt.ridge == one.ridge()));
}

#[test]
fn a_number_a_sequence_and_a_class_a_step_are_fitted_as_well() {
    let mut all = first_letter(300, 20, 1);
    let Inputs::Symbols { sequences, .. } = &all.inputs else { unreachable!() };
    // How often the letter c occurs, and which letter came two steps before.
    let share = |s: &Vec<u8>| s.iter().filter(|&&x| x == 2).count() as f32 / s.len() as f32;
    let numbers = sequences.iter().map(share).collect();
    let before = |s: &Vec<u8>| {
        (0..s.len()).map(|t| (t >= 2 && t % 3 == 0).then(|| s[t - 2])).collect::<Vec<_>>()
    };
    let names = ["a", "b", "c", "d"].map(str::to_owned).to_vec();
    let steps = Targets::Steps { names, labels: sequences.iter().map(before).collect() };
    let half =
        |all: &Sequences, first: usize| all.select(&(first..first + 150).collect::<Vec<_>>());

    all.targets = Targets::Numbers(numbers);
    let network = EchoStateNetwork::fit(&half(&all, 0), &half(&all, 150), &small()).unwrap();
    assert_eq!(*network.outputs(), Outputs::Number);
    assert!(network.score(&half(&all, 150)).unwrap() < 2e-4, "the mean squared error");
    assert!(network.predict(&all).is_err());

    all.targets = steps;
    let mut options = small();
    options.settings.leak = 0.9;
    let network = EchoStateNetwork::fit(&half(&all, 0), &half(&all, 150), &options).unwrap();
    assert!(network.score(&half(&all, 150)).unwrap() > 0.95, "{:?}", network.attempts());
}

#[test]
fn a_rare_class_counts_as_much_as_a_frequent_one_where_classes_are_balanced() {
    // Nothing tells the classes apart but their share: unbalanced, all go to the frequent one.
    let mut all = first_letter(600, 10, 1);
    if let (Inputs::Symbols { sequences, .. }, Targets::Classes { labels, .. }) =
        (&mut all.inputs, &mut all.targets)
    {
        sequences.iter_mut().for_each(|s| s[0] = 0);
        labels.iter_mut().enumerate().for_each(|(s, label)| *label = usize::from(s % 10 == 0));
    }
    let parts =
        [(0..400).collect::<Vec<_>>(), (400..600).collect()].map(|which| all.select(&which));
    let rare = |balanced: bool| {
        let options = FitOptions { balanced, ridges: vec![1.0], ..small() };
        let network = EchoStateNetwork::fit(&parts[0], &parts[1], &options).unwrap();
        network.predict(&parts[1]).unwrap().iter().sum::<usize>()
    };
    assert_eq!(rare(false), 0);
    assert!((40..160).contains(&rare(true)), "{}", rare(true));
}

#[test]
fn what_cannot_be_fitted_is_named() {
    let good = first_letter(40, 10, 1);
    let refused =
        |train: &Sequences| EchoStateNetwork::fit(train, &good, &small()).unwrap_err().to_string();
    let mut one = good.clone();
    if let Targets::Classes { labels, .. } = &mut one.targets {
        labels.fill(0);
    }
    let error = refused(&one);
    assert!(error.contains("shows one class only (a first)"), "{error}");
    let error = refused(&good.select(&[]));
    assert!(error.contains("has no sequence"), "{error}");
    let mut other = good.clone();
    if let Inputs::Symbols { alphabet, .. } = &mut other.inputs {
        alphabet.push('e');
    }
    let error = refused(&other);
    assert!(error.contains("another alphabet"), "{error}");
    let mut values = good.clone();
    values.inputs = Inputs::Values { width: 1, sequences: vec![vec![f32::NAN; 3]; 40] };
    let error = refused(&values);
    assert!(error.contains("sequence '0' has values that are infinite"), "{error}");
}

#[test]
fn a_map_holds_at_each_place_what_is_measured_there_alone() {
    let parts = [first_letter(60, 12, 1), first_letter(40, 12, 2)];
    let memory = Memory { delays: Some(20), steps: Some(320), washout: 50, ..Memory::default() };
    let mut fit = small();
    fit.settings.units = 20;
    fit.settings.density = 0.3;
    let options = MapOptions {
        radii: vec![0.2, 0.9],
        leaks: vec![0.3, 1.0],
        memory: Some(memory.clone()),
        fit,
        ..MapOptions::default()
    };
    let map = Map::of(&options, Some((&parts[0], &parts[1]))).unwrap();
    let mut settings = options.fit.settings.clone();
    (settings.spectral_radius, settings.leak) = (0.9, 0.3);
    let alone = MemoryCapacity::of(&settings.weights(1).unwrap(), &memory).unwrap();
    assert_eq!(map.memory.as_ref().unwrap()[1][0], alone.total);
    let network = EchoStateNetwork::fit(
        &parts[0],
        &parts[1],
        &FitOptions { settings, ..options.fit.clone() },
    );
    assert_eq!(map.validation.as_ref().unwrap()[1][0], network.unwrap().score(&parts[1]).unwrap());

    let many =
        MapOptions { memory: Some(Memory { steps: Some(1 << 40), ..memory }), ..options.clone() };
    let error = Map::of(&many, None).unwrap_err().to_string();
    assert!(error.contains("take fewer units, delays, steps or places"), "{error}");
    let error =
        Map::of(&MapOptions { most_steps: 1000.0, ..options }, Some((&parts[0], &parts[1])));
    assert!(error.unwrap_err().to_string().contains("take fewer places or fewer sequences"));
}
