//! `Resize` and the older `Upsample`.

use super::Written;
use crate::onnx::attributes::{float, int, text};
use crate::onnx::reader::{Call, Import, Value};
use crate::onnx::tensor::{Data, write_floats, write_ints};
use crate::{Coordinates, Interpolation, Op, Resize, Rounding};

/// By scales, where they give the sizes; both cannot be written.
pub(super) fn write(resize: &Resize, input: &[usize]) -> Written {
    let mode = match resize.mode {
        Interpolation::Nearest(_) => "nearest",
        Interpolation::Linear => "linear",
        Interpolation::Cubic { .. } => "cubic",
    };
    let coordinates = match resize.coordinates {
        Coordinates::HalfPixel => "half_pixel",
        Coordinates::PytorchHalfPixel => "pytorch_half_pixel",
        Coordinates::HalfPixelSymmetric => "half_pixel_symmetric",
        Coordinates::Asymmetric => "asymmetric",
        Coordinates::AlignCorners => "align_corners",
    };
    let mut attributes =
        vec![text("mode", mode), text("coordinate_transformation_mode", coordinates)];
    match resize.mode {
        Interpolation::Nearest(rounding) => attributes.push(text(
            "nearest_mode",
            match rounding {
                Rounding::PreferFloor => "round_prefer_floor",
                Rounding::PreferCeil => "round_prefer_ceil",
                Rounding::Floor => "floor",
                Rounding::Ceil => "ceil",
            },
        )),
        Interpolation::Cubic { a, exclude_outside } => {
            attributes.push(float("cubic_coeff_a", a));
            attributes.push(int("exclude_outside", usize::from(exclude_outside)));
        }
        Interpolation::Linear => {}
    }
    let scales: Vec<f32> = [1.0].into_iter().chain(resize.scales.iter().copied()).collect();
    let given = resize
        .shape
        .iter()
        .zip(input)
        .zip(&resize.scales)
        .all(|((&out, &size), &scale)| out == scaled(size, scale));
    let constants = if given {
        vec![
            ("roi", write_floats("", &[0], &[])),
            ("scales", write_floats("", &[scales.len()], &scales)),
        ]
    } else {
        let sizes: Vec<i64> =
            [1].into_iter().chain(resize.shape.iter().map(|&size| size as i64)).collect();
        vec![
            ("roi", write_floats("", &[0], &[])),
            ("scales", write_floats("", &[0], &[])),
            ("sizes", write_ints("", &sizes)),
        ]
    };
    let opset = match resize.coordinates {
        Coordinates::HalfPixelSymmetric => 19,
        _ => 0,
    };
    Written { constants, opset, ..Written::new("Resize", attributes) }
}

fn scaled(size: usize, scale: f32) -> usize {
    (f64::from(scale) * size as f64).floor() as usize
}

pub(super) fn read(import: &mut Import, call: &Call<'_>) -> Result<(), String> {
    let operand = import.operand(call, 0)?;
    let a = &call.attributes;
    let upsample = call.operator() == "Upsample";
    a.require("antialias", 0, 0)?;
    a.ignore("extrapolation_value");
    let policy = a.text("keep_aspect_ratio_policy", "stretch")?;
    if policy != "stretch" {
        return Err(format!("keep_aspect_ratio_policy is {policy:?}; expected stretch"));
    }
    let old = upsample || import.opset() < 11;
    let coordinates = match a
        .text("coordinate_transformation_mode", if old { "asymmetric" } else { "half_pixel" })?
        .as_str()
    {
        "half_pixel" => Coordinates::HalfPixel,
        "pytorch_half_pixel" => Coordinates::PytorchHalfPixel,
        "half_pixel_symmetric" => Coordinates::HalfPixelSymmetric,
        "asymmetric" => Coordinates::Asymmetric,
        "align_corners" => Coordinates::AlignCorners,
        other => return Err(format!("coordinate_transformation_mode {other:?} is not supported")),
    };
    let rounding =
        match a.text("nearest_mode", if old { "floor" } else { "round_prefer_floor" })?.as_str() {
            "round_prefer_floor" => Rounding::PreferFloor,
            "round_prefer_ceil" => Rounding::PreferCeil,
            "floor" => Rounding::Floor,
            "ceil" => Rounding::Ceil,
            other => return Err(format!("nearest_mode {other:?} is not supported")),
        };
    let (cubic, outside) = (a.float("cubic_coeff_a", -0.75)?, a.int("exclude_outside", 0)? != 0);
    let mode = match a.text("mode", "nearest")?.as_str() {
        "nearest" => Interpolation::Nearest(rounding),
        "linear" | "bilinear" => Interpolation::Linear,
        "cubic" => Interpolation::Cubic { a: cubic, exclude_outside: outside },
        other => return Err(format!("mode {other:?} is not supported")),
    };
    let dims = import.dims(operand);
    let (sizes, scales) = target(import, call, &dims)?;
    let keep = |axis: &usize| Some(*axis) != operand.batch;
    if let Some(batch) = operand.batch
        && sizes[batch] != 1
    {
        return Err("it enlarges the batch".into());
    }
    let axes: Vec<usize> = (0..dims.len()).filter(keep).collect();
    let resize = Resize {
        shape: axes.iter().map(|&axis| sizes[axis]).collect(),
        scales: axes.iter().map(|&axis| scales[axis]).collect(),
        mode,
        coordinates,
    };
    if import.shape(operand.node) == resize.shape
        && resize.scales.iter().all(|&scale| scale.to_bits() == 1.0_f32.to_bits())
    {
        import.bind(call, Value::Node(operand));
        return Ok(());
    }
    import.emit_at(call, operand.batch, Op::Resize(resize), vec![operand.node], vec![])
}

/// Sizes and scales for each axis of the file.
fn target(
    import: &Import,
    call: &Call<'_>,
    dims: &[usize],
) -> Result<(Vec<usize>, Vec<f32>), String> {
    let rank = dims.len();
    let axes: Vec<usize> = match call.attributes.ints("axes") {
        [] => (0..rank).collect(),
        axes => axes
            .iter()
            .map(|&axis| crate::onnx::fold::clamp_axis(axis, rank))
            .collect::<Result<_, _>>()?,
    };
    // Input 1 was the scales before `roi` came in with operator set 11.
    let old = call.operator() == "Upsample" || import.opset() < 11;
    let place = if old { 1 } else { 2 };
    let mut given: Vec<f32> = call.attributes.floats("scales").to_vec();
    if call.has_input(place) {
        match &import.constant(call, place)?.data {
            Data::Floats(values) if values.len() <= 16 => given = values.to_vec(),
            Data::Ints(values) if values.is_empty() => {}
            _ => return Err("scales should be a float for each axis".into()),
        }
    }
    let (mut sizes, mut scales) = (dims.to_vec(), vec![1.0; rank]);
    if !given.is_empty() {
        if given.len() != axes.len() {
            return Err(format!("{} scales do not fit {dims:?}", given.len()));
        }
        for (&axis, &scale) in axes.iter().zip(&given) {
            if !(scale.is_finite() && scale > 0.0) {
                return Err(format!("a scale is {scale}; expected a number above 0"));
            }
            (sizes[axis], scales[axis]) = (scaled(dims[axis], scale), scale);
        }
        return Ok((sizes, scales));
    }
    if !call.has_input(3) {
        return Err("expected scales or sizes".into());
    }
    let wanted = import.ints(call, 3)?;
    if wanted.len() != axes.len() {
        return Err(format!("sizes {wanted:?} do not fit {dims:?}"));
    }
    for (&axis, &size) in axes.iter().zip(&wanted) {
        sizes[axis] = usize::try_from(size).map_err(|_| format!("a size of {size}"))?;
        scales[axis] = sizes[axis] as f32 / dims[axis] as f32;
    }
    Ok((sizes, scales))
}
