//! IDX, the file format of MNIST: read and written, plain or gzip.
//!
//! A file is a magic number (`00 00`, element type, number of dimensions), the sizes as big-endian
//! 32-bit integers, then the values, last dimension innermost. Of the element types only unsigned
//! bytes (`08`) are used by image data sets and read here. Images have three dimensions
//! (count, height, width) or, in colour, four (count, height, width, channels); labels have one.
//! Source: Y. LeCun, C. Cortes, C. Burges, "The MNIST database of handwritten digits".
//!
//! A reader here never trusts a declared size: it is compared with the bytes that are there before
//! anything is allocated, and a gzip stream is never unpacked beyond what its header declares.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;

use flate2::bufread::MultiGzDecoder;
use flate2::{Compression, GzBuilder};

use crate::atomic::write_atomically;
use crate::{Error, Images, Result};

/// The largest array that is read, in bytes: 4 GiB, ninety times MNIST.
const MAX_BYTES: u64 = 4 << 30;
/// Deflate never packs more than this many bytes into one (1032, see zlib's technical notes).
const MAX_DEFLATE_RATIO: u64 = 1032;

/// An array of unsigned bytes with its sizes, as one IDX file holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Array {
    /// Sizes, outermost first; 1 to 4 of them.
    pub shape: Vec<usize>,
    /// The values, last dimension innermost; as many as the product of the sizes.
    pub values: Vec<u8>,
}

impl Array {
    /// Reads an IDX file, plain or gzip (told apart by the first bytes, not by the name).
    ///
    /// # Errors
    /// [`Error::Io`] where the file cannot be read, [`Error::Format`] where it is no IDX file of
    /// unsigned bytes, is cut off, goes on after its end or its gzip stream is damaged.
    pub fn read(path: &Path) -> Result<Self> {
        let file = File::open(path).map_err(|error| Error::io(path, "read", error))?;
        let metadata = file.metadata().map_err(|error| Error::io(path, "read", error))?;
        if metadata.is_dir() {
            return Err(Error::format(path, "path", "a folder, not a file", "give an IDX file"));
        }
        parse(path, BufReader::with_capacity(1 << 16, file), metadata.len())
    }

    /// Reads an IDX file from memory; `name` stands for the file in messages.
    ///
    /// # Errors
    /// As [`Array::read`].
    pub fn from_bytes(name: &Path, bytes: &[u8]) -> Result<Self> {
        parse(name, bytes, bytes.len() as u64)
    }

    /// Writes the array as an IDX file, gzip where `gzip` is true, atomically.
    ///
    /// # Errors
    /// [`Error::Invalid`] where IDX cannot say it (no or more than 4 dimensions, a size beyond 32
    /// bits, sizes that do not fit the values); [`Error::Io`] where the file cannot be written.
    pub fn write(&self, path: &Path, gzip: bool) -> Result<()> {
        write(path, &self.shape, &self.values, gzip)
    }

    /// The array as the bytes of a plain IDX file.
    ///
    /// # Errors
    /// [`Error::Invalid`] where IDX cannot say it, see [`Array::write`].
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        let mut bytes = header(&self.shape, self.values.len())?;
        bytes.extend_from_slice(&self.values);
        Ok(bytes)
    }
}

fn write(path: &Path, shape: &[usize], values: &[u8], gzip: bool) -> Result<()> {
    let header = header(shape, values.len())?;
    write_atomically(path, |out| {
        if gzip {
            // No file name and no time: the same array always gives the same bytes.
            let mut out = GzBuilder::new().write(out, Compression::default());
            out.write_all(&header)?;
            out.write_all(values)?;
            out.finish()?;
            return Ok(());
        }
        out.write_all(&header)?;
        out.write_all(values)
    })
}

fn header(shape: &[usize], values: usize) -> Result<Vec<u8>> {
    let invalid = || {
        Error::Invalid(format!(
            "an array of shape {shape:?} with {values} values cannot be written as IDX"
        ))
    };
    let product = shape.iter().try_fold(1_usize, |product, &size| product.checked_mul(size));
    let dimensions = u8::try_from(shape.len()).map_err(|_| invalid())?;
    if !(1..=4).contains(&dimensions) || product != Some(values) {
        return Err(invalid());
    }
    let mut header = vec![0, 0, 8, dimensions];
    for &size in shape {
        let size = u32::try_from(size).map_err(|_| invalid())?;
        header.extend_from_slice(&size.to_be_bytes());
    }
    Ok(header)
}

/// Reads a file of images and the file of their labels.
///
/// # Errors
/// As [`Array::read`], and [`Error::Format`] where the first has no images, the second no labels,
/// or the two differ in number.
pub fn read_images(images: &Path, labels: &Path) -> Result<Images> {
    let image_array = Array::read(images)?;
    let label_array = Array::read(labels)?;
    join(images, image_array, labels, label_array)
}

/// Writes images as two IDX files (images, labels), gzip where `gzip` is true, each atomically.
///
/// # Errors
/// [`Error::Invalid`] where a label is greater than 255 (IDX labels are bytes); [`Error::Io`] where
/// a file cannot be written.
pub fn write_images(data: &Images, images: &Path, labels: &Path, gzip: bool) -> Result<()> {
    let mut shape = vec![data.len(), data.height, data.width];
    if data.channels != 1 {
        shape.push(data.channels);
    }
    let label_bytes = data.labels.iter().map(|&label| {
        u8::try_from(label).map_err(|_| {
            Error::Invalid(format!("label {label} cannot be written: IDX labels go up to 255"))
        })
    });
    let label_bytes = label_bytes.collect::<Result<Vec<u8>>>()?;
    write(images, &shape, &data.pixels, gzip)?;
    write(labels, &[data.len()], &label_bytes, gzip)
}

pub(crate) fn join(
    images_path: &Path,
    images: Array,
    labels_path: &Path,
    labels: Array,
) -> Result<Images> {
    let (count, height, width, channels) = match images.shape[..] {
        [n, h, w] => (n, h, w, 1),
        [n, h, w, c @ (1 | 3)] => (n, h, w, c),
        _ => {
            return Err(Error::format(
                images_path,
                "byte 3",
                format!(
                    "expected images of shape (count, height, width) or (count, height, width, \
                     1 or 3), found shape {:?}",
                    images.shape
                ),
                "are the files of images and labels in each other's place?",
            ));
        }
    };
    if labels.shape.len() != 1 {
        return Err(Error::format(
            labels_path,
            "byte 3",
            format!("expected labels of shape (count), found shape {:?}", labels.shape),
            "are the files of images and labels in each other's place?",
        ));
    }
    if count != labels.shape[0] || count == 0 || height == 0 || width == 0 {
        return Err(Error::format(
            labels_path,
            "byte 4",
            format!(
                "{} labels, but {count} images of {height}x{width} in {}",
                labels.shape[0],
                images_path.display()
            ),
            "both must have the same number, and it and the size must not be 0; \
             take both files from the same source",
        ));
    }
    let labels = labels.values.into_iter().map(u16::from).collect();
    Images::new(height, width, channels, images.values, labels)
}

/// Reads the first two bytes to tell gzip from plain, then the array.
fn parse(path: &Path, mut file: impl BufRead, file_len: u64) -> Result<Array> {
    let mut magic = [0; 2];
    let got = read_up_to(path, &mut file, &mut magic, 0)?;
    let start = &magic[..got];
    let whole = start.chain(file);
    if start == [0x1f, 0x8b] {
        let max_unpacked = file_len.saturating_mul(MAX_DEFLATE_RATIO);
        parse_plain(path, MultiGzDecoder::new(whole), max_unpacked, true)
    } else {
        parse_plain(path, whole, file_len, false)
    }
}

fn parse_plain(path: &Path, mut file: impl Read, available: u64, gzip: bool) -> Result<Array> {
    let shape = parse_header(path, &mut file)?;
    let header_len = 4 + 4 * shape.len() as u64;
    let declared = shape.iter().try_fold(1_u64, |product, &size| product.checked_mul(size.into()));
    let fits = |bytes: u64| bytes <= MAX_BYTES && bytes <= available.saturating_sub(header_len);
    let Some(declared) = declared.filter(|&bytes| fits(bytes)) else {
        return Err(Error::format(
            path,
            "byte 4",
            format!(
                "the header declares {} values, more than the file can hold ({} {} bytes after \
                 the header; the limit is {MAX_BYTES})",
                times(&shape),
                if gzip { "at most" } else { "it has" },
                available.saturating_sub(header_len)
            ),
            ADVICE_AGAIN,
        ));
    };
    let values = read_values(path, &mut file, declared, header_len, &shape)?;
    let mut after = [0; 1];
    if read_up_to(path, &mut file, &mut after, header_len + declared)? != 0 {
        return Err(Error::format(
            path,
            format!("byte {}", header_len + declared),
            format!("the file goes on after the {} declared values", times(&shape)),
            ADVICE_AGAIN,
        ));
    }
    Ok(Array { shape: shape.into_iter().map(|size| size as usize).collect(), values })
}

fn parse_header(path: &Path, file: &mut impl Read) -> Result<Vec<u32>> {
    let mut magic = [0; 4];
    let got = read_up_to(path, file, &mut magic, 0)?;
    if got < 4 {
        return Err(cut_off(path, got as u64, "a header of at least 8 bytes"));
    }
    let [0, 0, 8, dimensions @ 1..=4] = magic else {
        return Err(Error::format(
            path,
            "byte 0",
            format!(
                "expected the magic number 00 00 08 01 to 00 00 08 04 of an IDX file of unsigned \
                 bytes, found {:02x} {:02x} {:02x} {:02x}",
                magic[0], magic[1], magic[2], magic[3]
            ),
            "give a file in MNIST's format",
        ));
    };
    let mut shape = Vec::with_capacity(usize::from(dimensions));
    for dimension in 0..u64::from(dimensions) {
        let mut size = [0; 4];
        let at = 4 + 4 * dimension;
        let got = read_up_to(path, file, &mut size, at)?;
        if got < 4 {
            return Err(cut_off(path, at + got as u64, "the rest of the header"));
        }
        shape.push(u32::from_be_bytes(size));
    }
    Ok(shape)
}

fn read_values(
    path: &Path,
    file: &mut impl Read,
    declared: u64,
    header_len: u64,
    shape: &[u32],
) -> Result<Vec<u8>> {
    // A damaged gzip file may declare much more than it holds: start small and let it grow.
    let mut values = Vec::with_capacity(declared.min(64 << 20) as usize);
    let read = file.take(declared).read_to_end(&mut values);
    read.map_err(|error| unreadable(path, header_len + values.len() as u64, error))?;
    if (values.len() as u64) < declared {
        let expected = format!("{} values", times(shape));
        return Err(cut_off(path, header_len + values.len() as u64, &expected));
    }
    Ok(values)
}

const ADVICE_AGAIN: &str = "the file is damaged: copy or download it again";

fn cut_off(path: &Path, at: u64, expected: &str) -> Error {
    let problem = format!("the file ends here, expected {expected}");
    Error::format(path, format!("byte {at}"), problem, ADVICE_AGAIN)
}

fn unreadable(path: &Path, at: u64, error: std::io::Error) -> Error {
    use std::io::ErrorKind::{InvalidData, InvalidInput, UnexpectedEof};
    match error.kind() {
        InvalidData | InvalidInput | UnexpectedEof => Error::format(
            path,
            format!("unpacked byte {at}"),
            format!("the gzip stream is damaged ({error})"),
            ADVICE_AGAIN,
        ),
        _ => Error::io(path, "read", error),
    }
}

/// Fills as much of `buffer` as there are bytes, gives their number; `at` is the place in the file.
fn read_up_to(path: &Path, file: &mut impl Read, buffer: &mut [u8], at: u64) -> Result<usize> {
    let mut got = 0;
    while got < buffer.len() {
        match file.read(&mut buffer[got..]) {
            Ok(0) => break,
            Ok(n) => got += n,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(unreadable(path, at + got as u64, error)),
        }
    }
    Ok(got)
}

fn times(shape: &[u32]) -> String {
    shape.iter().map(u32::to_string).collect::<Vec<_>>().join("x")
}
