//! Reshape.

use crate::shape::{Inferred, elements};

/// The wanted shape, where it has as many elements as the input.
pub(crate) fn output_shape(shape: &[usize], input: &[usize]) -> Inferred {
    let (have, want) = (elements(input), elements(shape));
    if have != want {
        return Err(format!(
            "an input of shape {input:?} ({} elements) cannot become {shape:?}{}",
            have.unwrap_or(0),
            want.map_or(String::new(), |count| format!(" ({count} elements)"))
        ));
    }
    Ok(shape.to_vec())
}
