//! `BatchNormalization` and `Dropout`.

use super::Written;
use crate::Op;
use crate::onnx::attributes::float;
use crate::onnx::reader::{Call, Import, Weight};
use crate::onnx::tensor::write_floats;

pub(super) fn write_batch_norm(epsilon: f32, momentum: f32) -> Written {
    Written::new("BatchNormalization", vec![float("epsilon", epsilon), float("momentum", momentum)])
}

/// The rate is an input of the operator, a constant.
pub(super) fn write_dropout(rate: f32) -> Written {
    Written {
        constants: vec![("ratio", write_floats("", &[], &[rate]))],
        ..Written::new("Dropout", vec![])
    }
}

/// Inputs: data, scale, bias, mean, variance.
pub(super) fn read_batch_norm(import: &mut Import, call: &Call<'_>) -> Result<(), String> {
    let input = import.data(call, 0)?;
    call.attributes.require("training_mode", 0, 0)?;
    call.attributes.require("spatial", 1, 1)?; // before operator set 9
    let epsilon = call.attributes.float("epsilon", 1e-5)?;
    let momentum = call.attributes.float("momentum", 0.9)?;
    let mut params = Vec::with_capacity(4);
    for index in 1..=4 {
        params.push(Weight { trainable: index < 3, ..import.weight(call, index)? });
    }
    import.emit(call, Op::BatchNorm { epsilon, momentum }, vec![input], params)
}

/// The rate is an input since operator set 12, an attribute before.
pub(super) fn read_dropout(import: &mut Import, call: &Call<'_>) -> Result<(), String> {
    let input = import.data(call, 0)?;
    call.attributes.ignore("seed");
    let mut rate = call.attributes.float("ratio", 0.5)?;
    if call.has_input(1) {
        let ratio = import.weight(call, 1)?;
        rate = match ratio.values[..] {
            [rate] => rate,
            _ => return Err(format!("expected one number as ratio, got shape {:?}", ratio.shape)),
        };
    }
    if call.has_input(2) {
        return Err("training_mode is set; export the model for inference".into());
    }
    import.emit(call, Op::Dropout { rate }, vec![input], vec![])
}
