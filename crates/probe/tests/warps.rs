//! Moved images against what SciPy computes for Keras; `fixtures/make_warps.py` made the values.

use cutaway_probe::{Fill, FillMode, Transform, Warp};
use serde_json::Value;

fn fixture() -> Value {
    serde_json::from_str(include_str!("fixtures/warps.json")).unwrap()
}

fn numbers(value: &Value) -> Vec<f32> {
    value.as_array().unwrap().iter().map(|v| v.as_f64().unwrap() as f32).collect()
}

fn transform(of: &Value) -> Transform {
    let number = |name: &str| of[name].as_f64().unwrap();
    Transform {
        dx: number("dx"),
        dy: number("dy"),
        rotate: number("rotate"),
        scale: number("scale"),
        shear: number("shear"),
    }
}

#[test]
fn every_fill_mode_agrees_with_scipy_within_a_millionth() {
    let fixture = fixture();
    let image = numbers(&fixture["image"]);
    let size = |name: &str| fixture[name].as_u64().unwrap() as usize;
    let cases = fixture["cases"].as_array().unwrap();
    assert!(cases.len() >= 90);
    for case in cases {
        let transform = transform(&case["transform"]);
        let mode: FillMode = case["fill_mode"].as_str().unwrap().parse().unwrap();
        let fill = Fill { mode, cval: case["cval"].as_f64().unwrap() as f32 };
        let warp = Warp::new(&transform, fill, size("height"), size("width")).unwrap();
        let mut moved = vec![0.0; image.len()];
        warp.apply(&image, 1, &mut moved);
        for (i, (ours, scipy)) in moved.iter().zip(numbers(&case["values"])).enumerate() {
            let difference = (ours - scipy).abs();
            assert!(difference < 1e-6, "{transform:?} {fill:?} pixel {i}: {ours} and {scipy}");
        }
    }
}
