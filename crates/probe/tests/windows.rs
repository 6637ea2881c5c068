//! Occlusion and transplants against images edited by hand and predicted one by one.

use cutaway_data::Images;
use cutaway_engine::{Engine, Options};
use cutaway_net::{ConvSpec, NetworkBuilder};
use cutaway_probe::{
    Cover, Donor, Error, Occlusion, OcclusionSettings, Recipient, Size, Transplant, WindowSweep,
    accuracy_by_size, compare_donors, correct_samples, covered_image, occlude, occlude_many,
    transplant, transplant_matrix,
};
use ndarray::{Array3, Axis, s};

const SHAPE: (usize, usize, usize) = (2, 9, 11);
const TRUTH: usize = 1;

/// A small random network of three classes for images of two channels.
fn engine() -> Engine {
    let mut builder = NetworkBuilder::new("small");
    builder
        .input("image", &[SHAPE.0, SHAPE.1, SHAPE.2])
        .conv("conv", ConvSpec::new(6, 3))
        .relu("relu")
        .max_pool("pool", 2)
        .flatten("flatten")
        .dense("logits", 3)
        .output();
    Engine::compile(&builder.build(4).unwrap(), &Options::default()).unwrap()
}

fn image(phase: f32) -> Array3<f32> {
    Array3::from_shape_fn(SHAPE, |(c, y, x)| {
        0.5 + 0.5 * (phase + 1.3 * c as f32 + 0.9 * y as f32 * (1.0 + 0.1 * x as f32)).sin()
    })
}

fn predict(engine: &Engine, image: &Array3<f32>) -> Vec<f32> {
    engine.predict(image.view().insert_axis(Axis(0))).unwrap().row(0).to_vec()
}

/// Checks every row of a sweep against the image that `edited` makes for the window's place.
fn check(sweep: &WindowSweep, edited: impl Fn(usize, usize) -> Array3<f32>) {
    let (engine, base) = (engine(), image(0.0));
    let mut right = 0;
    for row in &sweep.rows {
        let changed = edited(row.row, row.col);
        let expected = predict(&engine, &changed);
        for (a, b) in row.probabilities.iter().zip(&expected) {
            assert!((a - b).abs() < 1e-5, "window at ({}, {})", row.row, row.col);
        }
        let change: f32 = (&changed - &base).iter().map(|d| d.abs()).sum::<f32>() / 2.0;
        assert!((row.change - change).abs() < 1e-3, "{} against {change}", row.change);
        assert_eq!(row.p_true, row.probabilities[TRUTH]);
        let largest = row.probabilities.iter().copied().fold(0.0, f32::max);
        assert_eq!(row.p_predicted, largest);
        assert_eq!(row.probabilities[row.predicted], largest);
        right += usize::from(row.predicted == TRUTH);
    }
    assert_eq!(sweep.windows, sweep.rows.len());
    assert_eq!(sweep.wrong, sweep.windows - right);
    assert!((sweep.accuracy - right as f64 / sweep.windows as f64).abs() < 1e-12);
    let counted: usize = sweep.predictions.iter().map(|c| c.windows).sum();
    assert_eq!(counted, sweep.windows);
    let clean = predict(&engine, &base);
    assert_eq!(sweep.clean.probabilities, clean);
}

fn settings(cover: Cover) -> OcclusionSettings {
    OcclusionSettings { window: Size { height: 3, width: 4 }, stride: 2, cover, seed: 5 }
}

fn covered(cover: Cover) -> Occlusion {
    cover_all(&image(0.0), TRUTH, &settings(cover)).unwrap()
}

fn cover_all(
    image: &Array3<f32>,
    truth: usize,
    settings: &OcclusionSettings,
) -> Result<Occlusion, Error> {
    occlude(&engine(), image.view(), truth, settings, &mut |_, _| ())
}

/// A donor at every place of an image.
fn put(
    image: &Array3<f32>,
    truth: usize,
    shown: &Array3<f32>,
    donor: Donor,
    window: Size,
) -> Result<Transplant, Error> {
    let recipient = Recipient { image: image.view(), truth, sample: None };
    let mut heard = (0, 0);
    let mut progress = |done, of| heard = (done, of);
    let place = (window, 1);
    let result = transplant(&engine(), recipient, (donor, shown.view()), place, &mut progress)?;
    assert_eq!(heard, (2 * result.sweep.windows, 2 * result.sweep.windows));
    Ok(result)
}

#[test]
fn a_black_or_a_grey_window_gives_what_the_edited_image_gives() {
    for value in [0.0, 51.0] {
        check(&covered(Cover::Value(value)).sweep, |row, col| {
            let mut edited = image(0.0);
            edited.slice_mut(s![.., row..row + 3, col..col + 4]).fill(value / 255.0);
            edited
        });
    }
}

#[test]
fn a_window_of_the_mean_gives_what_the_edited_image_gives() {
    check(&covered(Cover::Mean).sweep, |row, col| {
        let mut edited = image(0.0);
        for mut plane in edited.outer_iter_mut() {
            let mean = plane.mean().unwrap();
            plane.slice_mut(s![row..row + 3, col..col + 4]).fill(mean);
        }
        edited
    });
}

#[test]
fn the_image_shown_for_a_window_is_the_one_that_was_asked() {
    let covers = [Cover::Value(9.0), Cover::Mean, Cover::Blur, Cover::Noise, Cover::Inpaint];
    for cover in covers {
        let rows = covered(cover).sweep.rows;
        for (i, row) in rows.iter().enumerate() {
            let shown = covered_image(&engine(), image(0.0).view(), &settings(cover), i).unwrap();
            let expected = predict(&engine(), &shown);
            assert!((row.p_true - expected[TRUTH]).abs() < 1e-5, "{cover}, window {i}");
            let mut restored = shown.clone();
            let place = s![.., row.row..row.row + 3, row.col..row.col + 4];
            restored.slice_mut(place).assign(&image(0.0).slice(place));
            assert_eq!(restored, image(0.0), "{cover} leaves the rest as it is");
        }
        assert!(covered_image(&engine(), image(0.0).view(), &settings(cover), rows.len()).is_err());
    }
}

#[test]
fn a_window_never_shows_more_than_its_rectangle() {
    // Whatever the fill, an image that is covered wholly by its own window forgets what it was.
    let whole = |cover, phase| {
        let window = Size { height: SHAPE.1, width: SHAPE.2 };
        let settings = OcclusionSettings { window, ..settings(cover) };
        cover_all(&image(phase), TRUTH, &settings).unwrap().sweep.rows
    };
    for cover in [Cover::Value(9.0), Cover::Noise] {
        let (one, other) = (whole(cover, 0.0), whole(cover, 2.0));
        assert_eq!(one.len(), 1);
        assert_eq!(one[0].probabilities, other[0].probabilities, "{cover}");
    }
}

#[test]
fn the_same_seed_gives_the_same_noise_and_another_seed_another() {
    let with_seed = |seed| {
        let settings = OcclusionSettings { seed, ..settings(Cover::Noise) };
        cover_all(&image(0.0), TRUTH, &settings).unwrap().sweep.rows
    };
    assert_eq!(with_seed(1), with_seed(1));
    assert_ne!(with_seed(1), with_seed(2));
}

#[test]
fn a_transplant_gives_what_the_edited_image_gives() {
    let donor = image(2.0);
    let identity = Donor { class: 2, sample: None };
    let window = Size { height: 4, width: 3 };
    let result = put(&image(0.0), TRUTH, &donor, identity, window);
    let result = result.unwrap();
    check(&result.sweep, |row, col| {
        let mut edited = image(0.0);
        let place = s![.., row..row + 4, col..col + 3];
        edited.slice_mut(place).assign(&donor.slice(place));
        edited
    });
    let (rows, cols) = (SHAPE.1 - 4 + 1, SHAPE.2 - 3 + 1);
    assert_eq!(result.windows_without_last, (rows - 1) * (cols - 1));
    assert_eq!(result.failures.len(), result.sweep.wrong);
    let of_donor = result.sweep.rows.iter().filter(|r| r.predicted == 2).count();
    assert_eq!(result.donor_predicted, of_donor);
    for failure in &result.failures {
        let mut black = image(0.0);
        let (row, col) = (failure.row, failure.col);
        black.slice_mut(s![.., row..row + 4, col..col + 3]).fill(0.0);
        let expected = predict(&engine(), &black);
        assert!((expected[failure.black_predicted] - failure.black_p_predicted).abs() < 1e-5);
        assert_ne!(failure.transplant_predicted, TRUTH);
    }
    assert!(!result.failures.is_empty(), "this network is fooled somewhere");
}

#[test]
fn a_donor_equal_to_the_image_changes_nothing() {
    let base = image(0.0);
    let clean = predict(&engine(), &base);
    let identity = Donor { class: TRUTH, sample: None };
    let window = Size::square(3);
    let result = put(&base, TRUTH, &base, identity, window).unwrap();
    for row in &result.sweep.rows {
        assert_eq!(row.change, 0.0);
        for (a, b) in row.probabilities.iter().zip(&clean) {
            assert!((a - b).abs() < 1e-6);
        }
    }
}

#[test]
fn settings_that_make_no_sense_are_told_apart_and_explained() {
    let try_with = |window, stride, truth| {
        let settings = OcclusionSettings { window, stride, ..Default::default() };
        cover_all(&image(0.0), truth, &settings).map(|_| ())
    };
    let problem = |result: Result<(), Error>| match result {
        Err(Error::Setting(problem)) => problem,
        other => panic!("{other:?}"),
    };
    let size = Size { height: 10, width: 2 };
    assert!(problem(try_with(size, 1, 0)).contains("10×2 (rows × columns) is larger"));
    assert!(problem(try_with(Size::square(2), 0, 0)).contains("stride"));
    assert!(problem(try_with(Size::square(2), 1, 3)).contains("classes 0 to 2"));
    let small = Array3::zeros((2, 5, 5));
    let identity = Donor { class: 0, sample: None };
    let window = Size::square(2);
    let result = put(&image(0.0), 0, &small, identity, window);
    assert!(problem(result.map(|_| ())).contains("one size"));
}

#[test]
fn weights_that_are_no_numbers_are_an_error() {
    let mut broken = image(0.0);
    broken[(0, 0, 0)] = f32::NAN;
    let result = cover_all(&broken, 0, &settings(Cover::Value(0.0)));
    let is_told = matches!(result, Err(Error::Engine(cutaway_engine::Error::NotFinite(_))));
    assert!(is_told, "{result:?}");
}

/// Twelve images whose labels are what the network says, but for the last two.
fn labelled() -> Images {
    let (c, h, w) = SHAPE;
    let value = |i: usize| ((i as u32).wrapping_mul(2_654_435_761) >> 24) as u8;
    let pixels: Vec<u8> = (0..12 * c * h * w).map(|i| value(i) / (1 + (i % 5) as u8)).collect();
    let mut images = Images::new(h, w, 3, vec![0; 12 * h * w * 3], vec![0; 12]).unwrap();
    images.channels = c;
    images.pixels = pixels;
    for i in 0..12 {
        let probabilities = predict(&engine(), &input(&images, i));
        let best = (0..3).max_by(|&a, &b| probabilities[a].total_cmp(&probabilities[b])).unwrap();
        images.labels[i] = if i < 10 { best as u16 } else { ((best + 1) % 3) as u16 };
    }
    images
}

fn input(images: &Images, index: usize) -> Array3<f32> {
    let (c, h, w) = SHAPE;
    let pixels = images.image(index);
    Array3::from_shape_fn((c, h, w), |(c, y, x)| f32::from(pixels[(y * w + x) * 2 + c]) / 255.0)
}

#[test]
fn many_images_are_the_mean_of_each_alone() {
    let (engine, images) = (engine(), labelled());
    let all: Vec<usize> = (0..12).collect();
    let settings = settings(Cover::Value(255.0));
    let mut heard = Vec::new();
    let mut progress = |done, total| heard.push((done, total));
    let many = occlude_many(&engine, &images, &all, &settings, &mut progress).unwrap();
    let alone = |i: usize| {
        let image = input(&images, i);
        cover_all(&image, images.label(i), &settings).unwrap().sweep
    };
    let alone: Vec<WindowSweep> = all.iter().map(|&i| alone(i)).collect();
    let mean = alone.iter().map(|s| s.accuracy).sum::<f64>() / 12.0;
    assert!((many.accuracy - mean).abs() < 1e-9);
    assert_eq!((many.images, many.right_uncovered), (12, 10));
    assert_eq!(many.never_lost, alone[..10].iter().filter(|s| s.wrong == 0).count());
    for (place, lost) in many.lost.iter().enumerate() {
        let expected = alone[..10].iter().filter(|s| s.rows[place].predicted != s.truth).count();
        assert!((lost - expected as f64 / 10.0).abs() < 1e-12);
    }
    for class in &many.classes {
        let own: Vec<_> = alone.iter().filter(|s| s.truth == class.class).collect();
        assert_eq!(own.len(), class.images);
        let sum: f64 = own.iter().map(|s| f64::from(s.rows[3].p_true)).sum();
        assert!((class.mean_p_true[3] - sum / own.len() as f64).abs() < 1e-6);
    }
    assert_eq!(heard.last(), Some(&(12, 12)));
    let size = settings.window;
    let curve =
        accuracy_by_size(&engine, &images, &all, &[size], &settings, &mut |_, _| ()).unwrap();
    assert!((curve[0].accuracy - 10.0 / 12.0).abs() < 1e-12);
    assert!((curve[1].accuracy - many.accuracy).abs() < 1e-12);
    let broken = alone.iter().filter(|s| s.wrong > 0).count();
    assert!((curve[1].breakable - broken as f64 / 12.0).abs() < 1e-12);
    assert!(occlude_many(&engine, &images, &[], &settings, &mut |_, _| ()).is_err());
}

#[test]
fn donors_do_what_single_transplants_do() {
    let (engine, images) = (engine(), labelled());
    let window = Size::square(4);
    let first = correct_samples(&engine, &images, images.label(0), 1).unwrap()[0];
    assert_eq!(first, 0);
    let base = input(&images, 0);
    let truth = images.label(0);
    let recipient = Recipient { image: base.view(), truth, sample: Some(0) };
    let compared =
        compare_donors(&engine, &images, recipient, 2, (window, 1), &mut |_, _| ()).unwrap();
    let fooled = |i: usize| {
        let donor = Donor { class: images.label(i), sample: Some(i) };
        let shown = input(&images, i);
        put(&base, truth, &shown, donor, window).unwrap()
    };
    assert!(compared.donors.windows(2).all(|w| w[0].fooled >= w[1].fooled));
    for result in &compared.donors {
        let sample = result.donor.sample.unwrap();
        assert!(sample != 0 && sample < 10, "{sample} is the image itself or is misclassified");
        let alone = fooled(sample);
        assert_eq!(result.fooled, alone.sweep.wrong);
        let expected = (result.donor.class != truth).then_some(alone.donor_predicted);
        assert_eq!(result.as_donor, expected);
    }
    let matrix = transplant_matrix(&engine, &images, 1, (window, 1), &mut |_, _| ()).unwrap();
    for class in 0..3 {
        let donor = correct_samples(&engine, &images, class, 1).unwrap().first().copied();
        let cell = truth * 3 + class;
        match donor.filter(|&donor| donor != 0) {
            None => assert_eq!(matrix.fooled[cell], None),
            Some(donor) => {
                let expected = fooled(donor).sweep.wrong as f64 / matrix.grid.len() as f64;
                assert!((matrix.fooled[cell].unwrap() - expected).abs() < 1e-12);
            }
        }
    }
}
