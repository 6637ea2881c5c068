//! What convolution and pooling have in common.

use crate::onnx::attributes::Attributes;
use crate::shape::same_padding;

/// A setting of two axes; a signal of one axis is an image of one row, with `default` across it.
pub(super) fn pair(
    attributes: &Attributes<'_>,
    name: &str,
    default: usize,
    flat: bool,
) -> Result<[usize; 2], String> {
    match flat {
        false => attributes.sizes(name, default),
        true => attributes.sizes(name, default).map(|[size]| [default.max(1), size]),
    }
}

/// Padding from `auto_pad` and `pads`: top, left, bottom, right.
pub(super) fn padding(
    attributes: &Attributes<'_>,
    size: [usize; 2],
    kernel: [usize; 2],
    dilation: [usize; 2],
    stride: [usize; 2],
    flat: bool,
) -> Result<[usize; 4], String> {
    let pads = match flat {
        false => attributes.sizes("pads", 0)?,
        true => {
            let [left, right] = attributes.sizes("pads", 0)?;
            [0, left, 0, right]
        }
    };
    let same = |i: usize| same_padding(size[i], kernel[i], dilation[i], stride[i]);
    match attributes.text("auto_pad", "NOTSET")?.as_str() {
        "NOTSET" | "" => Ok(pads),
        "VALID" => Ok([0; 4]),
        // The odd row or column goes to the end …
        "SAME_UPPER" => Ok([same(0)[0], same(1)[0], same(0)[1], same(1)[1]]),
        // … or to the beginning.
        "SAME_LOWER" => Ok([same(0)[1], same(1)[1], same(0)[0], same(1)[0]]),
        other => {
            Err(format!("auto_pad is {other:?}; expected NOTSET, VALID, SAME_UPPER or SAME_LOWER"))
        }
    }
}
