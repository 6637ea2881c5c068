//! One picture of any size: read from a file, resized, made to look like MNIST, written as PNG.

use std::fs::File;
use std::io::{Cursor, Read};
use std::path::Path;

use image::metadata::Orientation;
use image::{DynamicImage, GrayImage, ImageDecoder, ImageFormat, ImageReader, Limits, RgbImage};

use crate::resample::resample;
use crate::{Error, Images, Result, container, write_atomically};

/// The largest file that is read.
const MAX_FILE_BYTES: u64 = 256 << 20;
/// The longest side of a picture that is decoded, in pixels.
const MAX_SIDE: u32 = 16_384;
/// The memory that decoding one picture may take, in bytes.
const MAX_DECODED_BYTES: u64 = 512 << 20;
/// The most pixels of a picture that is decoded: making one of 8 bits takes up to 8 bytes for each.
const MAX_PIXELS: u64 = 128 << 20;

const ADVICE: &str = "give a PNG, JPEG, WebP, BMP, GIF or PNM file that a picture viewer opens";

/// A picture: grey or colour, 8 bits a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picture {
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
    /// Values a pixel: 1 (grey) or 3 (red, green, blue).
    pub channels: usize,
    /// `height * width * channels` values, row by row, channels innermost (HWC).
    pub pixels: Vec<u8>,
}

impl Picture {
    /// Reads a picture file: PNG, JPEG, WebP, BMP, GIF (of animations the first frame) or PNM, told apart
    /// by the content.
    ///
    /// 16-bit values are reduced to 8 bits, transparency is laid over white, and the orientation
    /// that a camera noted is applied. Grey files give one channel, all others three.
    ///
    /// # Errors
    /// [`Error::Io`] where the file cannot be read; [`Error::Format`] where it is no picture, is
    /// damaged, or is larger than 256 MiB, 16,384 pixels a side or 134 million pixels.
    pub fn read(path: &Path) -> Result<Self> {
        Ok(Self::read_with_notes(path)?.0)
    }

    /// [`Picture::read`], and what was done to the file's picture that a viewer may not expect, each in
    /// a few words such as `what is transparent is laid over white`.
    ///
    /// # Errors
    /// As [`Picture::read`].
    pub fn read_with_notes(path: &Path) -> Result<(Self, Vec<String>)> {
        let file = File::open(path).map_err(|error| Error::io(path, "read", error))?;
        let mut bytes = Vec::new();
        let read = file.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes);
        read.map_err(|error| Error::io(path, "read", error))?;
        if bytes.len() as u64 > MAX_FILE_BYTES {
            let problem = format!("the file is larger than {MAX_FILE_BYTES} bytes");
            return Err(Error::format(path, "file", problem, ADVICE));
        }
        Self::from_bytes_with_notes(path, &bytes)
    }

    /// Reads a picture file from memory; `name` stands for the file in messages.
    ///
    /// # Errors
    /// As [`Picture::read`].
    pub fn from_bytes(name: &Path, bytes: &[u8]) -> Result<Self> {
        Ok(Self::from_bytes_with_notes(name, bytes)?.0)
    }

    /// [`Picture::read_with_notes`] from memory; `name` stands for the file in messages.
    ///
    /// # Errors
    /// As [`Picture::read`].
    pub fn from_bytes_with_notes(name: &Path, bytes: &[u8]) -> Result<(Self, Vec<String>)> {
        let refused = |error: image::ImageError| refused(name, &error);
        let mut reader = ImageReader::new(Cursor::new(bytes))
            .with_guessed_format()
            .map_err(|error| Error::io(name, "read", error))?;
        let Some(format) = reader.format() else {
            let problem = "the file is no picture of a known format";
            return Err(Error::format(name, "byte 0", problem, ADVICE));
        };
        reader.limits(limits());
        let mut decoder = reader.into_decoder().map_err(refused)?;
        check_size(name, &decoder)?;
        if container::is_cut_short(format, bytes) {
            let problem = "the picture cannot be decoded (the file ends before the picture does)";
            return Err(Error::format(name, "picture data", problem, ADVICE));
        }
        let mut notes = Vec::new();
        if container::is_animated(format, bytes) {
            notes.push("the file has several frames, the first is read".to_owned());
        }
        if container::has_inks(format, bytes) {
            notes.push(
                "its inks (CMYK) become red, green, blue without a colour profile".to_owned(),
            );
        }
        let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
        let mut decoded = DynamicImage::from_decoder(decoder).map_err(refused)?;
        if orientation != Orientation::NoTransforms {
            notes.push("it is turned as the camera noted".to_owned());
        }
        decoded.apply_orientation(orientation);
        if decoded.color().bytes_per_pixel() / decoded.color().channel_count() > 1 {
            notes.push("its values are reduced to 8 bits".to_owned());
        }
        let picture = match decoded {
            // Nothing to change, and no second copy.
            DynamicImage::ImageRgb8(image) => {
                Self::from_raw(image.dimensions(), 3, image.into_raw())
            }
            DynamicImage::ImageLuma8(image) => {
                Self::from_raw(image.dimensions(), 1, image.into_raw())
            }
            other => {
                let (picture, transparent) = Self::over_white(&other);
                if transparent {
                    notes.push("what is transparent is laid over white".to_owned());
                }
                picture
            }
        };
        if picture.pixels.is_empty() {
            return Err(Error::format(name, "picture size", "the picture has no pixels", ADVICE));
        }
        Ok((picture, notes))
    }

    /// Makes a picture of plain values.
    ///
    /// # Errors
    /// [`Error::Invalid`] where a size is 0, `channels` is neither 1 nor 3, or the number of values
    /// does not fit.
    pub fn new(height: usize, width: usize, channels: usize, pixels: Vec<u8>) -> Result<Self> {
        let expected = height.checked_mul(width).and_then(|area| area.checked_mul(channels));
        if !matches!(channels, 1 | 3) || pixels.is_empty() || expected != Some(pixels.len()) {
            return Err(Error::Invalid(format!(
                "a picture of {height}x{width}x{channels} cannot have {} values",
                pixels.len()
            )));
        }
        Ok(Self { height, width, channels, pixels })
    }

    fn from_raw((width, height): (u32, u32), channels: usize, pixels: Vec<u8>) -> Self {
        Self { height: height as usize, width: width as usize, channels, pixels }
    }

    /// Lays what is transparent over white, as a picture viewer does; and whether anything was.
    fn over_white(decoded: &DynamicImage) -> (Self, bool) {
        let (width, height) = (decoded.width() as usize, decoded.height() as usize);
        let mut transparent = false;
        let mut blend = |value: u8, alpha: u8| {
            transparent |= alpha < 255;
            let alpha = u32::from(alpha);
            ((u32::from(value) * alpha + 255 * (255 - alpha) + 127) / 255) as u8
        };
        let (channels, pixels): (usize, Vec<u8>) = if decoded.color().has_color() {
            let rgba = decoded.to_rgba8();
            let flatten = |p: &image::Rgba<u8>| [0, 1, 2].map(|c| blend(p.0[c], p.0[3]));
            (3, rgba.pixels().flat_map(flatten).collect())
        } else {
            let grey = decoded.to_luma_alpha8();
            (1, grey.pixels().map(|p| blend(p.0[0], p.0[1])).collect())
        };
        (Self { height, width, channels, pixels }, transparent)
    }

    /// The picture with one channel; colours by their luminance (ITU-R BT.709).
    pub fn to_grey(&self) -> Self {
        if self.channels == 1 {
            return self.clone();
        }
        let luminance = |p: &[u8]| {
            let [r, g, b] = [p[0], p[1], p[2]].map(u32::from);
            ((2126 * r + 7152 * g + 722 * b + 5000) / 10_000) as u8
        };
        let pixels = self.pixels.chunks_exact(3).map(luminance).collect();
        Self { channels: 1, pixels, ..*self }
    }

    /// The picture with three channels.
    pub fn to_rgb(&self) -> Self {
        if self.channels == 3 {
            return self.clone();
        }
        let pixels = self.pixels.iter().flat_map(|&value| [value; 3]).collect();
        Self { channels: 3, pixels, ..*self }
    }

    /// The picture with `channels` channels, 1 or 3.
    ///
    /// # Errors
    /// [`Error::Invalid`] for another number.
    pub fn with_channels(&self, channels: usize) -> Result<Self> {
        match channels {
            1 => Ok(self.to_grey()),
            3 => Ok(self.to_rgb()),
            _ => Err(Error::Invalid(format!("a picture has 1 or 3 channels, not {channels}"))),
        }
    }

    /// The picture stretched or shrunk to `height`×`width`, with linear interpolation (over all
    /// the pixels that fall into one, when shrunk): the numbers of Pillow's `resize` with `BILINEAR`.
    ///
    /// # Panics
    /// Where a size is 0 or does not fit into 32 bits.
    pub fn resized(&self, height: usize, width: usize) -> Self {
        assert!(height > 0 && width > 0, "a picture has at least one pixel");
        assert!(height.max(width) <= u32::MAX as usize, "a 32-bit size");
        if (height, width) == (self.height, self.width) {
            return self.clone();
        }
        let own = [self.height, self.width];
        let pixels = resample(&self.pixels, own, self.channels, [height, width]);
        Self { height, width, channels: self.channels, pixels }
    }

    /// The picture shrunk or enlarged in proportion until its shorter side has `side` pixels; the
    /// longer one is rounded down, as in torchvision. `None` where it would be longer than 2^16.
    ///
    /// # Panics
    /// Where `side` is 0.
    pub fn shorter_side(&self, side: usize) -> Option<Self> {
        let (short, long) =
            (self.height.min(self.width) as u64, self.height.max(self.width) as u64);
        let longer = usize::try_from(long * side as u64 / short).ok().filter(|&l| l <= 1 << 16)?;
        let (height, width) =
            if self.height <= self.width { (side, longer) } else { (longer, side) };
        Some(self.resized(height, width))
    }

    /// The middle `height`×`width` of the picture; `None` where it is smaller.
    pub fn centre(&self, height: usize, width: usize) -> Option<Self> {
        let [top, left] = Self::centre_place([self.height, self.width], [height, width])?;
        let row = |y: usize| {
            let start = (y * self.width + left) * self.channels;
            &self.pixels[start..start + width * self.channels]
        };
        let pixels = (top..top + height).flat_map(row).copied().collect();
        Some(Self { height, width, channels: self.channels, pixels })
    }

    /// Row and column where the middle `part` of a `whole` begins, both height and width, as
    /// torchvision places its crop; `None` where the part is larger.
    pub fn centre_place(whole: [usize; 2], part: [usize; 2]) -> Option<[usize; 2]> {
        // Halves to the even number, as Python's `round`.
        let half = |n: usize| n / 2 + usize::from(n % 4 == 3);
        Some([half(whole[0].checked_sub(part[0])?), half(whole[1].checked_sub(part[1])?)])
    }

    /// The picture as a data set's images would hold it: one image, label 0.
    pub fn to_images(&self) -> Images {
        Images {
            height: self.height,
            width: self.width,
            channels: self.channels,
            pixels: self.pixels.clone(),
            labels: vec![0],
        }
    }

    /// One image of a data set as a picture.
    ///
    /// # Panics
    /// Where there is no image `index`, or images have neither 1 nor 3 channels.
    pub fn from_images(images: &Images, index: usize) -> Self {
        let Images { height, width, channels, .. } = *images;
        assert!(matches!(channels, 1 | 3), "a picture has 1 or 3 channels");
        Self { height, width, channels, pixels: images.image(index).to_vec() }
    }

    /// The picture as the bytes of a PNG file.
    ///
    /// # Errors
    /// [`Error::Invalid`] where the picture is too large for the format.
    pub fn to_png(&self) -> Result<Vec<u8>> {
        let mut bytes = Cursor::new(Vec::new());
        let written = self.to_dynamic().write_to(&mut bytes, ImageFormat::Png);
        written.map_err(|error| Error::Invalid(format!("cannot write a PNG: {error}")))?;
        Ok(bytes.into_inner())
    }

    /// Writes the picture as a PNG file, atomically.
    ///
    /// # Errors
    /// As [`Picture::to_png`], and [`Error::Io`] where the file cannot be written.
    pub fn write_png(&self, path: &Path) -> Result<()> {
        let bytes = self.to_png()?;
        write_atomically(path, |out| out.write_all(&bytes))
    }

    fn to_dynamic(&self) -> DynamicImage {
        let (width, height) = (self.width as u32, self.height as u32);
        let pixels = self.pixels.clone();
        let image = match self.channels {
            1 => GrayImage::from_raw(width, height, pixels).map(DynamicImage::ImageLuma8),
            _ => RgbImage::from_raw(width, height, pixels).map(DynamicImage::ImageRgb8),
        };
        image.expect("as many values as the sizes say")
    }
}

fn limits() -> Limits {
    let mut limits = Limits::default();
    limits.max_image_width = Some(MAX_SIDE);
    limits.max_image_height = Some(MAX_SIDE);
    limits.max_alloc = Some(MAX_DECODED_BYTES);
    limits
}

/// Refuses what would take too much memory, before it is decoded: the library checks what its decoders
/// need besides the picture, not the picture itself.
fn check_size(name: &Path, decoder: &impl ImageDecoder) -> Result<()> {
    let (width, height) = decoder.dimensions();
    let area = u64::from(width) * u64::from(height);
    if area == 0 {
        let problem = format!("the picture has {width}×{height} pixels");
        return Err(Error::format(name, "picture size", problem, ADVICE));
    }
    if area <= MAX_PIXELS && decoder.total_bytes() <= MAX_DECODED_BYTES {
        return Ok(());
    }
    let problem = format!(
        "the picture has {width}×{height} pixels and takes {} MiB to decode; {}",
        decoder.total_bytes() >> 20,
        bounds()
    );
    Err(Error::format(name, "picture size", problem, "shrink it first"))
}

fn bounds() -> String {
    format!(
        "pictures of up to {MAX_SIDE} pixels a side, {} million pixels and {} MiB are read",
        MAX_PIXELS / 1_000_000,
        MAX_DECODED_BYTES >> 20
    )
}

fn refused(name: &Path, error: &image::ImageError) -> Error {
    if matches!(error, image::ImageError::Limits(_)) {
        let problem = format!("the picture is too large ({error}); {}", bounds());
        return Error::format(name, "picture size", problem, "shrink it first");
    }
    let problem = format!("the picture cannot be decoded ({error})");
    Error::format(name, "picture data", problem, ADVICE)
}

/// Space around the images of a contact sheet, in pixels.
const GAP: usize = 2;
/// The grey of that space: seen beside both black and white images.
const GAP_GREY: u8 = 96;

/// The images at `indices` as one picture, `columns` to a row, with a grey gap of 2 pixels around
/// each. The sheet's height is `rows * (height + 2) + 2`, its width `columns * (width + 2) + 2`.
///
/// # Panics
/// Where an index is not less than the number of images, or images have neither 1 nor 3 channels.
pub fn contact_sheet(images: &Images, indices: &[usize], columns: usize) -> Picture {
    assert!(matches!(images.channels, 1 | 3), "a picture has 1 or 3 channels");
    let columns = columns.max(1);
    let rows = indices.len().div_ceil(columns).max(1);
    let (cell_height, cell_width) = (images.height + GAP, images.width + GAP);
    let (height, width) = (rows * cell_height + GAP, columns * cell_width + GAP);
    let channels = images.channels;
    let mut pixels = vec![GAP_GREY; height * width * channels];
    for (cell, &index) in indices.iter().enumerate() {
        let top = (cell / columns) * cell_height + GAP;
        let left = (cell % columns) * cell_width + GAP;
        for (y, row) in images.image(index).chunks_exact(images.width * channels).enumerate() {
            let start = ((top + y) * width + left) * channels;
            pixels[start..start + row.len()].copy_from_slice(row);
        }
    }
    Picture { height, width, channels, pixels }
}
