//! Bad questions get an answer that names the place, what was expected and what came.

use cutaway_engine::{Edit, Engine, Error, Fill, Isa, Options, Trainer};
use cutaway_net::{NodeId, presets};
use ndarray::{Array2, Array3, Array4, ArrayD, IxDyn};

use crate::common::{compile, options};

fn engine() -> Engine {
    compile(&presets::reference_cnn(1), Isa::detect())
}

/// The message, which must hold all of these.
fn says<T>(result: Result<T, Error>, parts: &[&str]) {
    let message = match result {
        Ok(_) => panic!("no error, expected one with {parts:?}"),
        Err(error) => error.to_string(),
    };
    for part in parts {
        assert!(message.contains(part), "{message:?} lacks {part:?}");
    }
}

#[test]
fn a_batch_of_another_shape_is_refused() {
    let engine = engine();
    let expected = "[N, 1, 28, 28]";
    says(engine.predict(Array4::zeros((2, 1, 27, 28)).view()), &[expected, "[2, 1, 27, 28]"]);
    says(engine.predict(Array4::zeros((2, 3, 28, 28)).view()), &[expected, "[2, 3, 28, 28]"]);
    says(engine.predict(Array3::zeros((1, 28, 28)).view()), &[expected, "[1, 28, 28]"]);
    says(engine.predict(Array2::zeros((2, 784)).view()), &[expected, "[2, 784]"]);
    says(engine.forward(Array2::zeros((2, 784)).view(), &[]), &[expected]);
    says(engine.backward(Array2::zeros((2, 784)).view(), &[], &[], true), &[expected]);
}

#[test]
fn a_node_that_does_not_exist_is_refused() {
    let engine = engine();
    let batch = Array4::zeros((1, 1, 28, 28));
    let wrong = NodeId(16);
    let parts = ["16", "reference-cnn"];
    says(engine.forward(batch.view(), &[NodeId(0), wrong]), &parts);
    says(engine.backward(batch.view(), &[], &[wrong], false), &parts);
    let seed = ArrayD::zeros(IxDyn(&[1, 10]));
    says(engine.backward(batch.view(), &[(wrong, seed)], &[], false), &parts);
}

#[test]
fn a_seed_of_another_shape_is_refused() {
    let engine = engine();
    let batch = Array4::zeros((2, 1, 28, 28));
    let logits = engine.network().logits();
    for shape in [&[2, 9][..], &[1, 10], &[10], &[2, 10, 1], &[]] {
        let seed = ArrayD::zeros(IxDyn(shape));
        let found = format!("{shape:?}");
        says(
            engine.backward(batch.view(), &[(logits, seed)], &[], true),
            &["logits", "[2, 10]", &found],
        );
    }
}

#[test]
fn an_empty_batch_gets_an_empty_answer() {
    let engine = engine();
    let batch = Array4::zeros((0, 1, 28, 28));
    assert_eq!(engine.predict(batch.view()).unwrap().dim(), (0, 10));
    let relu1 = engine.network().find("relu1").unwrap();
    let activations = engine.forward(batch.view(), &[relu1]).unwrap();
    assert_eq!(activations.get(relu1).unwrap().shape(), [0, 32, 24, 24]);
    let logits = engine.network().logits();
    let seeds = [(logits, ArrayD::zeros(IxDyn(&[0, 10])))];
    let gradients = engine.backward(batch.view(), &seeds, &[relu1], true).unwrap();
    assert_eq!(gradients.node(relu1).unwrap().shape(), [0, 32, 24, 24]);
    assert_eq!(gradients.params().len(), engine.network().params().len());
    assert!(gradients.params().iter().flatten().all(|&value| value == 0.0));
}

#[test]
fn what_was_not_asked_for_is_not_there() {
    let engine = engine();
    let batch = Array4::zeros((1, 1, 28, 28));
    let (relu1, logits) = (engine.network().find("relu1").unwrap(), engine.network().logits());
    let activations = engine.forward(batch.view(), &[relu1, relu1]).unwrap();
    assert!(activations.get(logits).is_none());
    assert_eq!(activations.iter().count(), 1);
    assert_eq!(engine.forward(batch.view(), &[]).unwrap().iter().count(), 0);
    let seeds = [(logits, ArrayD::ones(IxDyn(&[1, 10])))];
    let gradients = engine.backward(batch.view(), &seeds, &[relu1], false).unwrap();
    assert!(gradients.node(logits).is_none());
    assert!(gradients.params().is_empty());
    // Nothing flows without a seed, and nothing flows upwards from one.
    let gradients = engine.backward(batch.view(), &[], &[logits], true).unwrap();
    assert!(gradients.node(logits).unwrap().iter().all(|&value| value == 0.0));
    let seeds = [(relu1, ArrayD::ones(IxDyn(&[1, 32, 24, 24])))];
    let gradients = engine.backward(batch.view(), &seeds, &[logits], false).unwrap();
    assert!(gradients.node(logits).unwrap().iter().all(|&value| value == 0.0));
}

#[test]
fn an_edit_outside_the_image_is_refused() {
    let engine = engine();
    let base = Array3::zeros((1, 28, 28));
    let edit = |row, col, height, width, fill| Edit { row, col, height, width, fill };
    let fine = edit(0, 0, 28, 28, Fill::Value(0.0));
    let patch = |h, w| Fill::Patch(Array3::zeros((1, h, w)));
    let bad = [
        edit(0, 0, 29, 1, Fill::Value(0.0)),
        edit(27, 0, 2, 1, Fill::Value(0.0)),
        edit(0, 28, 1, 1, Fill::Value(0.0)),
        edit(usize::MAX, 0, 2, 1, Fill::Value(0.0)),
        edit(0, 0, 0, 1, Fill::Value(0.0)),
        edit(0, 0, 1, 0, Fill::Value(0.0)),
        edit(0, 0, 2, 2, patch(2, 3)),
        edit(0, 0, 2, 2, Fill::Channels(vec![0.0; 2])),
    ];
    for wrong in bad {
        says(engine.sweep(base.view(), &[fine.clone(), wrong]), &["edit 1"]);
    }
    says(engine.sweep(Array3::zeros((3, 28, 28)).view(), &[fine]), &["[1, 28, 28]", "[3, 28, 28]"]);
}

#[test]
fn a_step_of_the_wrong_size_is_refused_and_the_trainer_goes_on() {
    let network = presets::reference_cnn(1);
    let refused = Trainer::new(&network, 0, &options(Isa::detect()));
    says(refused.map(|_| ()), &["at least 1"]);
    let mut trainer = Trainer::new(&network, 4, &options(Isa::detect())).unwrap();
    let loss = |_: usize, _: &[f32], d: &mut [f32]| {
        d.fill(1.0);
        1.0
    };
    let images = vec![0.5; 5 * 784];
    says(trainer.step(&[], 0, 0, &loss), &["1 to 4", "0"]);
    says(trainer.step(&images, 5, 0, &loss), &["1 to 4", "5"]);
    says(trainer.step(&images, 4, 0, &loss), &["4 samples of 784", "3920"]);
    says(trainer.step(&images[..783], 1, 0, &loss), &["783"]);
    assert_eq!(trainer.step(&images[..4 * 784], 4, 0, &loss).unwrap(), 4.0);
}

#[test]
fn parameters_of_another_network_are_refused() {
    let network = presets::reference_cnn(1);
    let mut other = cutaway_net::NetworkBuilder::new("other");
    let other = other.input("x", &[3]).dense("y", 2).build(1).unwrap();
    let mut trainer = Trainer::new(&network, 4, &options(Isa::detect())).unwrap();
    says(trainer.load(&other), &["[6, 2]"]);
}

#[test]
fn an_instruction_set_that_the_machine_lacks_is_refused() {
    let network = presets::reference_cnn(1);
    let all = [Isa::Scalar, Isa::Portable, Isa::Avx2, Isa::Avx512];
    for isa in all {
        let options = Options { isa: Some(isa), ..Options::default() };
        if isa.is_available() {
            assert_eq!(Engine::compile(&network, &options).unwrap().isa(), isa);
        } else {
            says(Engine::compile(&network, &options).map(|_| ()), &[&isa.to_string(), "portable"]);
            says(Trainer::new(&network, 1, &options).map(|_| ()), &[&isa.to_string(), "portable"]);
        }
    }
    let best = *Isa::available().last().unwrap();
    assert_eq!(Engine::compile(&network, &Options::default()).unwrap().isa(), best);
}

#[test]
fn an_instruction_set_is_read_from_its_name() {
    for isa in [Isa::Scalar, Isa::Portable, Isa::Avx2, Isa::Avx512] {
        assert_eq!(isa.to_string().parse(), Ok(isa));
    }
    assert_eq!("auto".parse(), Ok(Isa::detect()));
    let problem = "sse9".parse::<Isa>().unwrap_err();
    assert!(problem.contains("sse9") && problem.contains("avx2"), "{problem}");
}
