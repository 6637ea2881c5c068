//! NumPy's file of one array: <https://numpy.org/neps/nep-0001-npy-format.html>.

use std::io::Read;
use std::path::Path;

use crate::error::{Error, Result};

/// Writes numbers in row-major order under a shape.
pub(crate) fn save(path: &Path, shape: &[usize], values: &[f32]) -> Result<()> {
    Ok(cutaway::report::write_atomic(path, &bytes(shape, values))?)
}

/// The largest file that is read.
const MAX_BYTES: u64 = 16 << 20;

/// Reads a vector of 32- or 64-bit numbers; axes of length 1 do not count.
///
/// # Errors
/// If it cannot be read, is no such file or holds another kind of array.
pub(crate) fn load_vector(path: &Path) -> Result<Vec<f32>> {
    let wrong = |problem: &str| {
        let file = path.display();
        Error::Usage(format!(
            "{file}: {problem}; expected a NumPy file (.npy) of one axis, 32- or 64-bit numbers"
        ))
    };
    let read = |source| Error::Io { action: "read", path: path.to_owned(), source };
    let file = std::fs::File::open(path).map_err(read)?;
    let mut bytes = Vec::new();
    file.take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(read)?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(wrong("it is larger than 16 MiB"));
    }
    vector(&bytes).map_err(wrong)
}

fn vector(bytes: &[u8]) -> std::result::Result<Vec<f32>, &'static str> {
    const CUT: &str = "it ends within its header";
    let rest = bytes.strip_prefix(b"\x93NUMPY").ok_or("it does not begin like one")?;
    let (length, start) = match rest {
        [1, _, a, b, ..] => (usize::from(u16::from_le_bytes([*a, *b])), 4),
        [2 | 3, _, a, b, c, d, ..] => (u32::from_le_bytes([*a, *b, *c, *d]) as usize, 6),
        _ => return Err("it has a version that is not known"),
    };
    let end = length.checked_add(start).ok_or(CUT)?;
    let header = rest.get(start..end).ok_or(CUT)?;
    let header = std::str::from_utf8(header).map_err(|_| "its header is no text")?;
    let values = rest.get(end..).ok_or(CUT)?;
    let sizes = header.split_once('(').and_then(|(_, rest)| rest.split_once(')'));
    let sizes = sizes.ok_or("its header names no shape")?.0;
    let sizes = sizes.split(',').map(str::trim).filter(|size| !size.is_empty());
    let sizes: Vec<usize> = sizes
        .map(|size| size.parse().map_err(|_| "its shape is no list of numbers"))
        .collect::<std::result::Result<_, _>>()?;
    if sizes.iter().filter(|&&size| size != 1).count() > 1 {
        return Err("it has several axes");
    }
    let count = sizes.iter().copied().max().unwrap_or(1);
    let all: Vec<f32> = if header.contains("'<f4'") {
        let all = values.chunks_exact(4).map(|v| [v[0], v[1], v[2], v[3]]);
        all.map(f32::from_le_bytes).collect()
    } else if header.contains("'<f8'") {
        let all = values.chunks_exact(8).map(|v| <[u8; 8]>::try_from(v).expect("eight bytes"));
        all.map(|v| f64::from_le_bytes(v) as f32).collect()
    } else {
        return Err("its numbers are of another kind");
    };
    if all.len() == count {
        Ok(all)
    } else {
        Err("it has another number of values than its shape says")
    }
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
    fn vectors_come_back_and_other_files_are_refused() {
        assert_eq!(vector(&bytes(&[3], &[1.0, -2.0, 0.5])).unwrap(), [1.0, -2.0, 0.5]);
        assert_eq!(vector(&bytes(&[1, 2], &[1.0, 2.0])).unwrap(), [1.0, 2.0]);
        assert!(vector(&bytes(&[2, 2], &[0.0; 4])).unwrap_err().contains("axes"));
        let file = bytes(&[3], &[1.0, -2.0, 0.5]);
        for end in 0..file.len() {
            assert!(vector(&file[..end]).is_err(), "{end}");
        }
        let long = [b"\x93NUMPY\x02\x00".to_vec(), vec![0xff; 40]].concat();
        assert!(vector(&long).is_err());
    }

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
