//! NumPy's file of one array, version 1.0: <https://numpy.org/neps/nep-0001-npy-format.html>.

use std::path::Path;

use crate::error::Result;

/// Writes numbers in row-major order under a shape.
pub(crate) fn save(path: &Path, shape: &[usize], values: &[f32]) -> Result<()> {
    Ok(cutaway::report::write_atomic(path, &bytes(shape, values))?)
}

fn bytes(shape: &[usize], values: &[f32]) -> Vec<u8> {
    let sizes: String = shape.iter().map(|size| format!("{size}, ")).collect();
    let mut header =
        format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({}), }}", sizes.trim_end());
    // Magic, version, length and header fill a multiple of 64 bytes and end in a line feed.
    while !(10 + header.len() + 1).is_multiple_of(64) {
        header.push(' ');
    }
    header.push('\n');
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((header.len() as u16).to_le_bytes());
    bytes.extend(header.as_bytes());
    values.iter().for_each(|value| bytes.extend(value.to_le_bytes()));
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_is_what_numpy_writes() {
        let file = bytes(&[3], &[1.0, -2.0, 0.5]);
        assert_eq!(&file[..10], b"\x93NUMPY\x01\x00\x76\x00");
        assert!(
            file[10..].starts_with(b"{'descr': '<f4', 'fortran_order': False, 'shape': (3,), }")
        );
        assert_eq!((file.len(), file[127]), (128 + 12, b'\n'));
        assert_eq!(&file[132..136], (-2.0f32).to_le_bytes());
    }
}
