//! Pooling.

use crate::Pool;
use crate::shape::{Inferred, image, window};

/// `[channels, height, width]` to `[channels, windows down, windows across]`.
pub(crate) fn output_shape(pool: &Pool, input: &[usize]) -> Inferred {
    let [channels, height, width] = image(input)?;
    let ([kernel_height, kernel_width], [down, across]) = (pool.kernel, pool.stride);
    let [top, left, bottom, right] = pool.padding;
    // A window that lies in the padding altogether would have nothing to take the maximum of.
    if top.max(bottom) >= kernel_height.max(1) || left.max(right) >= kernel_width.max(1) {
        return Err(format!(
            "padding {:?} [top, left, bottom, right] must be smaller than the window {:?}",
            pool.padding, pool.kernel
        ));
    }
    Ok(vec![
        channels,
        window("height", height, kernel_height, 1, down, [top, bottom])?,
        window("width", width, kernel_width, 1, across, [left, right])?,
    ])
}

/// `[channels, height, width]` to `[channels, 1, 1]`.
pub(crate) fn global_output_shape(input: &[usize]) -> Inferred {
    let [channels, ..] = image(input)?;
    Ok(vec![channels, 1, 1])
}
