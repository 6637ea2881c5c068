//! Corruptions against scikit-image, where MNIST-C calls it (`fixtures/make_corruptions.py` made
//! the values), and what holds for all of them.

use cutaway_data::Images;
use cutaway_probe::Corruption;
use serde_json::Value;

fn cases() -> Vec<Value> {
    serde_json::from_str(include_str!("fixtures/corruptions.json")).unwrap()
}

fn bytes(value: &Value) -> Vec<u8> {
    value.as_array().unwrap().iter().map(|v| v.as_u64().unwrap() as u8).collect()
}

fn image(case: &Value) -> Images {
    Images::new(28, 28, 1, bytes(&case["image"]), vec![0]).unwrap()
}

/// The largest difference of two images, in steps of 1/255.
fn difference(a: &[u8], b: &[u8]) -> u8 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| a.abs_diff(*b)).max().unwrap()
}

#[test]
fn canny_edges_are_those_of_scikit_image() {
    for (i, case) in cases().iter().enumerate() {
        let ours = Corruption::CannyEdges.apply(&image(case), 0, 1).unwrap();
        let theirs = bytes(&case["canny_edges"]);
        assert!(theirs.iter().filter(|&&v| v == 255).count() > 20, "there are edges to find");
        assert_eq!(ours, theirs, "case {i}");
    }
}

#[test]
fn brightness_is_that_of_hue_saturation_and_value() {
    for case in cases() {
        let ours = Corruption::Brightness.apply(&image(&case), 0, 1).unwrap();
        assert!(difference(&ours, &bytes(&case["brightness"])) <= 1);
    }
}

#[test]
fn moves_are_those_of_scikit_image_in_one_of_the_directions() {
    let moves = [
        (Corruption::Shear, "shear"),
        (Corruption::Rotate, "rotate"),
        (Corruption::Scale, "scale"),
    ];
    for case in cases() {
        for (corruption, name) in moves {
            let directions: Vec<Vec<u8>> =
                case[name].as_array().unwrap().iter().map(bytes).collect();
            let mut seen = vec![false; directions.len()];
            for seed in 0..12 {
                let ours = corruption.apply(&image(&case), 0, seed).unwrap();
                let is = directions.iter().position(|theirs| difference(&ours, theirs) <= 1);
                seen[is.unwrap_or_else(|| panic!("{name}, seed {seed}"))] = true;
            }
            assert!(seen.iter().all(|&s| s), "{name}: both directions occur");
        }
    }
}

#[test]
fn translate_is_three_pixels_along_both_axes() {
    let mut pixels = vec![0; 784];
    pixels[14 * 28 + 14] = 255;
    let images = Images::new(28, 28, 1, pixels, vec![0]).unwrap();
    let mut places = std::collections::BTreeSet::new();
    for seed in 0..30 {
        let moved = Corruption::Translate.apply(&images, 0, seed).unwrap();
        assert_eq!(moved.iter().filter(|&&v| v > 0).count(), 1);
        places.insert(moved.iter().position(|&v| v == 255).unwrap());
    }
    let expected = [11 * 28 + 11, 11 * 28 + 17, 17 * 28 + 11, 17 * 28 + 17];
    assert_eq!(places.into_iter().collect::<Vec<_>>(), expected);
}

#[test]
fn every_corruption_takes_images_of_any_size_and_colour() {
    for (height, width, channels) in [(1, 1, 1), (2, 3, 1), (1, 40, 3), (28, 28, 3), (61, 17, 1)] {
        let len = height * width * channels;
        let pixels = (0..2 * len).map(|i| (i * 37 % 256) as u8).collect();
        let images = Images::new(height, width, channels, pixels, vec![0, 1]).unwrap();
        for corruption in Corruption::ALL {
            let made = corruption.apply(&images, 1, 3).unwrap();
            assert_eq!(made.len(), len, "{corruption} of {height}×{width}×{channels}");
        }
    }
}

#[test]
fn the_same_seed_gives_the_same_image_and_another_seed_or_place_another() {
    let one = bytes(&cases()[0]["image"]);
    let images = Images::new(28, 28, 1, [one.clone(), one.clone()].concat(), vec![0, 0]).unwrap();
    for corruption in Corruption::ALL {
        let made = |index: usize, seed: u64| corruption.apply(&images, index, seed).unwrap();
        assert_eq!(made(0, 1), made(0, 1), "{corruption}");
        assert_ne!(made(0, 1), one, "{corruption} changes something");
        let fixed =
            [Corruption::Brightness, Corruption::Stripe, Corruption::CannyEdges, Corruption::Scale];
        let others: Vec<Vec<u8>> = (0..12).map(|s| made(0, s)).chain([made(1, 1)]).collect();
        let same = others.iter().all(|o| *o == others[0]);
        assert_eq!(same, fixed.contains(&corruption), "{corruption}");
    }
}

#[test]
fn colours_that_are_all_grey_stay_grey_where_the_corruption_is_no_noise() {
    let grey = bytes(&cases()[1]["image"]);
    let rgb = grey.iter().flat_map(|&v| [v; 3]).collect();
    let colour = Images::new(28, 28, 3, rgb, vec![0]).unwrap();
    let grey = Images::new(28, 28, 1, grey, vec![0]).unwrap();
    for corruption in Corruption::ALL {
        if matches!(corruption, Corruption::ShotNoise | Corruption::ImpulseNoise) {
            continue;
        }
        let expected = corruption.apply(&grey, 0, 5).unwrap();
        let expected: Vec<u8> = expected.iter().flat_map(|&v| [v; 3]).collect();
        assert_eq!(corruption.apply(&colour, 0, 5).unwrap(), expected, "{corruption}");
    }
}

#[test]
fn names_are_read_as_people_write_them_and_unknown_ones_are_refused_with_the_list() {
    for corruption in Corruption::ALL {
        assert_eq!(corruption.name().parse::<Corruption>().unwrap(), corruption);
        assert_eq!(corruption.title().parse::<Corruption>().unwrap(), corruption);
    }
    assert_eq!("Glass-Blur".parse::<Corruption>().unwrap(), Corruption::GlassBlur);
    let error = "frost".parse::<Corruption>().unwrap_err().to_string();
    assert!(error.contains("'frost'") && error.contains("fog"), "{error}");
    let error = Corruption::Fog.apply(&image(&cases()[0]), 1, 1).unwrap_err().to_string();
    assert!(error.contains("no image 1"), "{error}");
}
