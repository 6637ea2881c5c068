//! Grids of pixels: images, filters, maps.

use std::collections::HashMap;

use crate::base64;
use crate::color::Rgb;
use crate::colormap::ColorScale;
use crate::error::{Error, Result, check_len, check_limit};

/// The most pixels of one grid: 16 million.
const LIMIT: usize = 1 << 24;

/// A grid of opaque pixels, row by row from the top.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PixelGrid {
    width: usize,
    height: usize,
    pixels: Vec<Rgb>,
}

impl PixelGrid {
    /// A grid from colours, `height` rows of `width`.
    ///
    /// # Errors
    /// [`Error::Shape`] unless there are `width * height` pixels and at least one;
    /// [`Error::TooLarge`] above 16 million.
    pub fn new(width: usize, height: usize, pixels: Vec<Rgb>) -> Result<PixelGrid> {
        check_size(width, height)?;
        check_len("pixels", width * height, pixels.len())?;
        Ok(PixelGrid { width, height, pixels })
    }

    /// An image of 8-bit values, `height` rows of `width` pixels of `channels` values each (1: grey,
    /// 3: red, green, blue), the layout `HWC`.
    ///
    /// # Errors
    /// As [`PixelGrid::new`], and for any other count of channels.
    pub fn from_bytes(
        width: usize,
        height: usize,
        channels: usize,
        bytes: &[u8],
    ) -> Result<PixelGrid> {
        check_size(width, height)?;
        if channels != 1 && channels != 3 {
            return Err(Error::Shape {
                what: "image".to_owned(),
                expected: "1 or 3 channels".to_owned(),
                found: channels.to_string(),
            });
        }
        check_len("image bytes", width * height * channels, bytes.len())?;
        let pixel =
            |p: &[u8]| if channels == 1 { Rgb(p[0], p[0], p[0]) } else { Rgb(p[0], p[1], p[2]) };
        Ok(PixelGrid { width, height, pixels: bytes.chunks_exact(channels).map(pixel).collect() })
    }

    /// Numbers, `height` rows of `width`, as the colours of a scale.
    ///
    /// # Errors
    /// As [`PixelGrid::new`].
    pub fn from_values(
        width: usize,
        height: usize,
        values: &[f32],
        scale: &ColorScale,
    ) -> Result<PixelGrid> {
        check_size(width, height)?;
        check_len("values", width * height, values.len())?;
        let pixels = values.iter().map(|&v| scale.color(f64::from(v))).collect();
        Ok(PixelGrid { width, height, pixels })
    }

    /// Columns.
    #[must_use]
    pub fn width(&self) -> usize {
        self.width
    }

    /// Rows.
    #[must_use]
    pub fn height(&self) -> usize {
        self.height
    }

    /// The pixels, row by row from the top.
    #[must_use]
    pub fn pixels(&self) -> &[Rgb] {
        &self.pixels
    }

    /// The grid as a PNG file, one pixel a cell.
    ///
    /// # Errors
    /// [`Error::Png`] where the encoder refuses; for a grid that was made it never does.
    pub fn to_png(&self) -> Result<Vec<u8>> {
        if self.pixels.iter().all(|p| p.0 == p.1 && p.1 == p.2) {
            let grey: Vec<u8> = self.pixels.iter().map(|p| p.0).collect();
            return encode(self.width, self.height, png::ColorType::Grayscale, None, &grey);
        }
        if let Some((palette, indices)) = self.indexed() {
            let kind = png::ColorType::Indexed;
            return encode(self.width, self.height, kind, Some(palette), &indices);
        }
        let bytes: Vec<u8> = self.pixels.iter().flat_map(|p| [p.0, p.1, p.2]).collect();
        encode(self.width, self.height, png::ColorType::Rgb, None, &bytes)
    }

    /// Palette and indices, where that is smaller than three bytes a pixel.
    fn indexed(&self) -> Option<(Vec<u8>, Vec<u8>)> {
        let mut index_of: HashMap<Rgb, u8> = HashMap::new();
        let mut palette = Vec::new();
        let mut indices = Vec::with_capacity(self.pixels.len());
        for &p in &self.pixels {
            let next = index_of.len();
            let index = match index_of.get(&p) {
                Some(&index) => index,
                None => {
                    let index = u8::try_from(next).ok()?;
                    index_of.insert(p, index);
                    palette.extend([p.0, p.1, p.2]);
                    index
                }
            };
            indices.push(index);
        }
        (palette.len() < 2 * indices.len()).then_some((palette, indices))
    }

    /// The grid as a `data:` address.
    pub(crate) fn data_uri(&self) -> String {
        // An in-memory grid always encodes; a broken picture would be the visible symptom.
        let png = self.to_png().unwrap_or_default();
        format!("data:image/png;base64,{}", base64::encode(&png))
    }
}

fn check_size(width: usize, height: usize) -> Result<()> {
    let count = width.saturating_mul(height);
    if count == 0 {
        return Err(Error::Shape {
            what: "picture".to_owned(),
            expected: "at least one row and one column".to_owned(),
            found: format!("{height} rows, {width} columns"),
        });
    }
    check_limit("pixels of a picture", count, LIMIT, "scale the picture down first")
}

/// Encodes 8-bit rows as PNG.
pub(crate) fn encode(
    width: usize,
    height: usize,
    kind: png::ColorType,
    palette: Option<Vec<u8>>,
    bytes: &[u8],
) -> Result<Vec<u8>> {
    let mut out = Vec::new();
    let mut encoder = png::Encoder::new(&mut out, width as u32, height as u32);
    encoder.set_color(kind);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.set_compression(png::Compression::Balanced);
    if let Some(palette) = palette {
        encoder.set_palette(palette);
    }
    let mut writer = encoder.write_header()?;
    writer.write_image_data(bytes)?;
    writer.finish()?;
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::colormap::ColorMap;

    fn decode(bytes: &[u8]) -> (usize, usize, Vec<[u8; 3]>) {
        let mut decoder = png::Decoder::new(std::io::Cursor::new(bytes));
        decoder.set_transformations(png::Transformations::EXPAND);
        let mut reader = decoder.read_info().unwrap();
        let mut buffer = vec![0; reader.output_buffer_size().unwrap()];
        let info = reader.next_frame(&mut buffer).unwrap();
        let n = info.color_type.samples();
        let pixels = buffer[..info.buffer_size()].chunks(n);
        let rgb = pixels.map(|p| if n == 1 { [p[0]; 3] } else { [p[0], p[1], p[2]] }).collect();
        (info.width as usize, info.height as usize, rgb)
    }

    #[test]
    fn every_encoding_decodes_to_the_same_pixels() {
        let grey = PixelGrid::from_bytes(3, 2, 1, &[0, 50, 100, 150, 200, 250]).unwrap();
        let ramp: Vec<f32> = (0..400).map(|i| i as f32).collect();
        let scale = ColorScale::new(ColorMap::Diverging, 0.0, 399.0).unwrap();
        let indexed = PixelGrid::from_values(20, 20, &ramp, &scale).unwrap();
        let many: Vec<u8> = (0..3000u32).map(|i| ((i * 2_654_435_761) >> 13) as u8).collect();
        let rgb = PixelGrid::from_bytes(50, 20, 3, &many).unwrap();
        for grid in [grey, indexed, rgb] {
            let (width, height, pixels) = decode(&grid.to_png().unwrap());
            assert_eq!((width, height), (grid.width(), grid.height()));
            let expected: Vec<_> = grid.pixels().iter().map(|p| [p.0, p.1, p.2]).collect();
            assert_eq!(pixels, expected);
        }
    }

    #[test]
    fn a_wrong_count_of_pixels_is_refused_before_anything_is_allocated() {
        assert!(PixelGrid::from_bytes(3, 2, 1, &[0; 5]).is_err());
        assert!(PixelGrid::from_bytes(3, 2, 2, &[0; 12]).is_err());
        assert!(PixelGrid::from_bytes(0, 2, 1, &[]).is_err());
        assert!(PixelGrid::from_bytes(usize::MAX, 2, 1, &[]).is_err());
        let error = PixelGrid::from_bytes(1 << 20, 1 << 20, 1, &[]).unwrap_err();
        assert!(error.to_string().contains("limit"), "{error}");
    }
}
