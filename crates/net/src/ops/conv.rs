//! Convolution.

use super::{check_bias, count};
use crate::shape::{Inferred, MAX_ELEMENTS, image, window};
use crate::{Conv, ConvTranspose};

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

/// `[in, height, width]` to `[out, rows, columns]` with
/// `rows = stride · (height − 1) + dilation · (kernel − 1) + 1 + output padding − padding`.
pub(crate) fn transposed_output_shape(
    conv: &ConvTranspose,
    input: &[usize],
    params: &[&[usize]],
) -> Inferred {
    let [channels, height, width] = image(input)?;
    let Ok([weight_in, group_out, kernel_height, kernel_width]) = <[usize; 4]>::try_from(params[0])
    else {
        return Err(format!(
            "expected a weight [in, out / groups, kernel height, kernel width], got {:?}",
            params[0]
        ));
    };
    let groups = conv.groups;
    if groups == 0 || !channels.is_multiple_of(groups) || weight_in != channels {
        return Err(format!(
            "the weight {:?} in {groups} group(s) does not fit the input {input:?}",
            params[0]
        ));
    }
    let out = group_out.saturating_mul(groups);
    check_bias(params, out)?;
    let size = |axis: usize, size: usize, kernel: usize| {
        let (stride, dilation) = (conv.stride[axis], conv.dilation[axis]);
        let (extra, cut) =
            (conv.output_padding[axis], [conv.padding[axis], conv.padding[axis + 2]]);
        let all = [stride, dilation, kernel, extra, cut[0], cut[1]];
        if [stride, dilation, kernel].contains(&0) || all.iter().any(|&n| n > MAX_ELEMENTS) {
            return Err(format!(
                "stride {stride}, dilation {dilation}, kernel {kernel}, output \
                 padding {extra} and padding {cut:?} are not all sane"
            ));
        }
        // None of the terms is above 2^60, so nothing here can overflow 64 bits.
        let full = (size as u64 - 1) * stride as u64 + (kernel as u64 - 1) * dilation as u64 + 1;
        let full = full + extra as u64;
        match full.checked_sub(cut[0] as u64 + cut[1] as u64) {
            Some(left) if left > 0 => Ok(usize::try_from(left).unwrap_or(usize::MAX)),
            _ => Err(format!("the padding {cut:?} leaves nothing of the {full} rows or columns")),
        }
    };
    Ok(vec![out, size(0, height, kernel_height)?, size(1, width, kernel_width)?])
}
