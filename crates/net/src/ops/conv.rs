//! Convolution.

use super::{check_bias, count};
use crate::Conv;
use crate::shape::{Inferred, image, window};

/// `[in, height, width]` to `[out, windows down, windows across]`.
pub(crate) fn output_shape(conv: &Conv, input: &[usize], params: &[&[usize]]) -> Inferred {
    let [channels, height, width] = image(input)?;
    let Ok([out, group_in, kernel_height, kernel_width]) = <[usize; 4]>::try_from(params[0]) else {
        return Err(format!(
            "expected a weight [out, in / groups, kernel height, kernel width], got {:?}",
            params[0]
        ));
    };
    let groups = conv.groups;
    if groups == 0 || !channels.is_multiple_of(groups) || !out.is_multiple_of(groups) {
        return Err(format!(
            "{groups} groups do not divide the {channels} input channels and the {out} filters"
        ));
    }
    if group_in != channels / groups {
        return Err(format!(
            "the weight {:?} is for {} input channels in {groups} group(s), but the input {input:?} \
             has {channels}",
            params[0],
            group_in.saturating_mul(groups)
        ));
    }
    check_bias(params, out)?;
    let [top, left, bottom, right] = conv.padding;
    let ([down, across], [dilate_y, dilate_x]) = (conv.stride, conv.dilation);
    Ok(vec![
        out,
        window("height", height, kernel_height, dilate_y, down, [top, bottom])?,
        window("width", width, kernel_width, dilate_x, across, [left, right])?,
    ])
}

/// Every output number takes one multiply-add for each tap of its filter.
pub(crate) fn multiply_adds(output: &[usize], weight: &[usize]) -> u64 {
    count(output).saturating_mul(count(&weight[1..]))
}
