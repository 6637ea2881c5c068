//! Fully connected layer.

use super::check_bias;
use crate::shape::Inferred;

/// `[in]` to `[out]`.
pub(crate) fn output_shape(input: &[usize], params: &[&[usize]]) -> Inferred {
    let &[features] = input else {
        return Err(format!(
            "expected a vector [features] as input, got shape {input:?}; put a Flatten before it"
        ));
    };
    let &[out, weight_in] = params[0] else {
        return Err(format!("expected a weight [out, in], got {:?}", params[0]));
    };
    if weight_in != features {
        return Err(format!(
            "the weight {:?} [out, in] takes {weight_in} features, but the input has {features}",
            params[0]
        ));
    }
    check_bias(params, out)?;
    Ok(vec![out])
}
