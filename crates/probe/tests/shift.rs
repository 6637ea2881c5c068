//! Experiments with moved and corrupted images against asking the engine directly.

use std::cell::RefCell;

use cutaway_data::{Images, OpenOptions, open};
use cutaway_engine::{Engine, Options};
use cutaway_net::{ConvSpec, Network, NetworkBuilder};
use cutaway_probe::{
    Corruption, Direction, Fill, FillMode, Parameter, Transform, Warp, corrupt, curve, shifts,
};
use ndarray::Array4;

fn network() -> Network {
    let mut builder = NetworkBuilder::new("small");
    builder.input("image", &[1, 28, 28]).conv("conv", ConvSpec::new(4, 5)).relu("relu");
    builder.max_pool("pool", 4).flatten("flat").dense("logits", 10).softmax("p");
    builder.build(3).unwrap()
}

fn engine(threads: usize) -> Engine {
    Engine::compile(&network(), &Options { threads, ..Options::default() }).unwrap()
}

fn digits() -> Images {
    let options = OpenOptions { strokes_train: 1, strokes_test: 40, ..Default::default() };
    open("strokes", &options).unwrap().test
}

/// What the engine says of one image of pixels 0 to 255.
fn direct(engine: &Engine, pixels: &[f32]) -> Vec<f32> {
    let input = pixels.iter().map(|p| p / 255.0).collect();
    let input = Array4::from_shape_vec((1, 1, 28, 28), input).unwrap();
    engine.predict(input.view()).unwrap().into_raw_vec_and_offset().0
}

fn moved(images: &Images, index: usize, transform: &Transform, fill: Fill) -> Vec<f32> {
    let mut out = vec![0.0; 784];
    Warp::new(transform, fill, 28, 28).unwrap().apply(images.image(index), 1, &mut out);
    out
}

fn silent(_: usize, _: usize) {}

#[test]
fn rows_and_grid_are_what_the_engine_says_of_each_moved_image() {
    let (engine, images) = (engine(2), digits());
    let fill = Fill { mode: FillMode::Constant, cval: 90.0 };
    let transforms = [Transform::shift(-3.0, 0.5), Transform::rotation(20.0)];
    let result = shifts(&engine, &images, 5, Some(4), &transforms, fill, 2).unwrap();
    assert_eq!((result.class, result.rows.len(), result.grid.len()), (4, 3, 25));
    assert!(result.rows[0].transform.is_identity());
    for row in &result.rows {
        let pixels = moved(&images, 5, &row.transform, fill);
        assert_eq!(pixels, row.pixels);
        let p = direct(&engine, &pixels);
        assert!((p[4] - row.p_true).abs() < 1e-6);
        assert!(p.iter().all(|&other| other <= p[row.predicted] + 1e-6));
        assert!((p[row.predicted] - row.probability).abs() < 1e-6);
    }
    assert_eq!(result.grid.dx, [-2, -1, 0, 1, 2]);
    for (r, &dy) in result.grid.dy.iter().enumerate() {
        for (c, &dx) in result.grid.dx.iter().enumerate() {
            let shift = Transform::shift(dx as f64, dy as f64);
            let p = direct(&engine, &moved(&images, 5, &shift, fill));
            assert!((p[4] - result.grid.p_true[r][c]).abs() < 1e-6, "dx {dx}, dy {dy}");
        }
    }
    assert_eq!(result.grid.p_true[2][2], result.rows[0].p_true, "the middle is the image itself");
}

#[test]
fn an_image_of_unknown_class_is_measured_by_what_it_was_taken_for() {
    let result = shifts(&engine(1), &digits(), 0, None, &[], Fill::default(), 1).unwrap();
    assert_eq!(result.class, result.rows[0].predicted);
    assert_eq!(result.rows[0].p_true, result.rows[0].probability);
}

#[test]
fn a_grid_says_how_many_shifts_keep_the_class_and_how_far_it_holds() {
    let mut result = shifts(&engine(1), &digits(), 0, Some(0), &[], Fill::default(), 2).unwrap();
    for row in &mut result.grid.predicted {
        row.fill(7);
    }
    result.grid.predicted[2][3] = 1; // one to the right
    result.grid.predicted[0][2] = 3; // two up
    assert_eq!(result.grid.kept(7), 23);
    assert_eq!(result.grid.first_lost(Direction::Right, 7), Some((1, 1)));
    assert_eq!(result.grid.first_lost(Direction::Up, 7), Some((2, 3)));
    assert_eq!(result.grid.first_lost(Direction::Left, 7), None);
    assert_eq!(result.grid.first_lost(Direction::Down, 7), None);
}

#[test]
fn a_curve_counts_the_images_that_stay_right() {
    let (engine, images) = (engine(2), digits());
    let values = [2.0, -1.5, 2.0, 0.0];
    let calls = RefCell::new(Vec::new());
    let progress = |done: usize, of: usize| calls.borrow_mut().push((done, of));
    let fill = Fill::from(FillMode::Reflect);
    let curve = curve(&engine, &images, Parameter::Dy, &values, fill, &progress).unwrap();
    assert_eq!(curve.points.iter().map(|p| p.value).collect::<Vec<_>>(), [-1.5, 0.0, 2.0]);
    for point in &curve.points {
        let shift = Transform::shift(0.0, point.value);
        let right = (0..images.len()).filter(|&i| {
            let p = direct(&engine, &moved(&images, i, &shift, fill));
            (0..10).all(|c| c == images.label(i) || p[c] < p[images.label(i)])
        });
        let right = right.count();
        assert_eq!((point.correct, point.accuracy), (right, right as f64 / 40.0));
    }
    assert_eq!(calls.borrow().len(), 120);
    assert_eq!(calls.borrow().last(), Some(&(120, 120)));
}

#[test]
fn a_curve_knows_where_it_holds_and_where_it_is_worst() {
    let engine = engine(1);
    let mut curve = curve(
        &engine,
        &digits(),
        Parameter::Scale,
        &Parameter::Scale.usual_values(),
        Fill::default(),
        &silent,
    )
    .unwrap();
    assert_eq!(curve.points.len(), 11);
    assert_eq!(curve.undisturbed().unwrap().value, 1.0);
    let accuracies = [0.1, 0.9, 0.3, 0.8, 0.9, 0.9, 0.8, 0.2, 0.9, 0.9, 0.0];
    for (point, accuracy) in curve.points.iter_mut().zip(accuracies) {
        (point.accuracy, point.correct) = (accuracy, (accuracy * 40.0) as usize);
    }
    assert_eq!(curve.holds(0.8), Some((0.8, 1.1)));
    assert_eq!(curve.holds(0.95), None);
    assert_eq!(curve.worst().unwrap().value, 1.5);
}

#[test]
fn accuracy_under_corruptions_is_that_of_the_corrupted_images() {
    let (engine, images) = (engine(2), digits());
    let which = [Corruption::Fog, Corruption::Zigzag, Corruption::Stripe];
    let result = corrupt(&engine, &images, &which, 9, &silent).unwrap();
    let right = |corruption: Option<Corruption>| -> Vec<bool> {
        let image = |i: usize| match corruption {
            Some(c) => c.apply(&images, i, 9).unwrap(),
            None => images.image(i).to_vec(),
        };
        let floats = |i: usize| image(i).iter().map(|&p| f32::from(p)).collect::<Vec<_>>();
        let is_right = |i: usize| {
            let p = direct(&engine, &floats(i));
            (0..10).all(|c| c == images.label(i) || p[c] < p[images.label(i)])
        };
        (0..images.len()).map(is_right).collect()
    };
    let count = |flags: &[bool]| flags.iter().filter(|&&f| f).count();
    let clean = right(None);
    assert_eq!(result.clean_accuracy, count(&clean) as f64 / 40.0);
    for (row, corruption) in result.rows.iter().zip(which) {
        let now = right(Some(corruption));
        assert_eq!((row.corruption, row.correct, row.count), (corruption, count(&now), 40));
        assert_eq!(row.accuracy, row.correct as f64 / 40.0);
        let lost = clean.iter().zip(&now).filter(|&(before, now)| *before && !now).count();
        assert_eq!(row.lost, lost);
        assert!(row.favourite.1 * 10 >= 40, "no class can be the favourite with less");
    }
    let mean = result.rows.iter().map(|r| r.accuracy).sum::<f64>() / 3.0;
    assert!((result.mean_accuracy - mean).abs() < 1e-12);
}

#[test]
fn one_thread_and_several_give_the_same_bits() {
    let images = digits();
    let both = [1, 3].map(|threads| {
        let engine = engine(threads);
        let fill = Fill::default();
        let shifted = shifts(&engine, &images, 1, None, &[Transform::shift(0.3, 2.0)], fill, 3);
        let corrupted = corrupt(&engine, &images, &Corruption::ALL, 4, &silent);
        (shifted.unwrap(), corrupted.unwrap())
    });
    assert_eq!(both[0], both[1]);
}

#[test]
fn what_does_not_fit_is_refused_with_the_reason() {
    let (engine, images) = (engine(1), digits());
    let fill = Fill::default();
    let refused = |images: &Images, index: usize, class: Option<usize>, range: usize| {
        shifts(&engine, images, index, class, &[], fill, range).unwrap_err().to_string()
    };
    assert!(refused(&images, 40, None, 1).contains("no image 40"));
    assert!(refused(&images, 0, Some(10), 1).contains("classes 0 to 9"));
    assert!(refused(&images, 0, None, 0).contains("1 to 50"));
    assert!(refused(&images, 0, None, 51).contains("1 to 50"));
    let wide = Images::new(28, 30, 1, vec![0; 840], vec![0]).unwrap();
    assert!(refused(&wide, 0, None, 1).contains("28×30"));
    let none = Images::new(28, 28, 1, vec![], vec![]).unwrap();
    let error = corrupt(&engine, &none, &Corruption::ALL, 1, &silent).unwrap_err().to_string();
    assert!(error.contains("no images"), "{error}");
    let alien = Images::new(28, 28, 1, vec![0; 784], vec![10]).unwrap();
    let error = curve(&engine, &alien, Parameter::Dx, &[1.0], fill, &silent).unwrap_err();
    assert!(error.to_string().contains("label 10"), "{error}");
    assert!(corrupt(&engine, &images, &[], 1, &silent).is_err());
}

#[test]
fn weights_that_are_not_numbers_are_an_error_and_no_result() {
    let network = network();
    let mut values: Vec<std::sync::Arc<[f32]>> =
        network.params().iter().map(|p| p.values.clone()).collect();
    values[0] = vec![f32::NAN; values[0].len()].into();
    let broken = network.with_values(values).unwrap();
    let engine = Engine::compile(&broken, &Options::default()).unwrap();
    let error = shifts(&engine, &digits(), 0, None, &[], Fill::default(), 1).unwrap_err();
    assert!(error.to_string().contains("not a number"), "{error}");
}
