//! Fully connected layer.

use super::check_bias;
use crate::shape::Inferred;

/// `[in]` to `[out]`, or `[rows, in]` to `[rows, out]`. An image is flattened first: that it could
/// also mean a matrix for each row of pixels is what nobody who writes it wants.
pub(crate) fn output_shape(input: &[usize], params: &[&[usize]]) -> Inferred {
    let (rows, features) = match *input {
        [features] => (None, features),
        [rows, features] => (Some(rows), features),
        _ => {
            return Err(format!(
                "expected a vector [features] as input, got shape {input:?}; put a Flatten before it"
            ));
        }
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
    Ok(rows.into_iter().chain([out]).collect())
}
