//! What a picture file says of itself beside its pixels: that it has several frames, that its end is there.

use image::ImageFormat;

/// Whether the file holds several pictures, of which only the first is read.
pub(crate) fn is_animated(format: ImageFormat, bytes: &[u8]) -> bool {
    match format {
        ImageFormat::Gif => gif_frames(bytes) > 1,
        ImageFormat::Png => png_is_animated(bytes),
        // RIFF header, then an extended header whose first byte has a bit for it.
        ImageFormat::WebP => {
            bytes.get(12..16) == Some(b"VP8X") && bytes.get(20).is_some_and(|b| b & 2 != 0)
        }
        _ => false,
    }
}

/// Whether a JPEG ends before its last scan does: decoders fill up what is missing with grey.
pub(crate) fn is_cut_short(format: ImageFormat, bytes: &[u8]) -> bool {
    format == ImageFormat::Jpeg && !reaches_end_of_jpeg(bytes)
}

/// Whether a JPEG has four components, which are inks.
pub(crate) fn has_inks(format: ImageFormat, bytes: &[u8]) -> bool {
    format == ImageFormat::Jpeg && jpeg_components(bytes) == Some(4)
}

/// The number of components that the frame's header says.
fn jpeg_components(bytes: &[u8]) -> Option<u8> {
    let mut at = 2;
    loop {
        let segment = bytes.get(at..)?;
        match *segment.get(..2)? {
            [0xff, 0xff] => at += 1,
            // All frames but the markers of tables in between.
            [0xff, 0xc0..=0xcf] if !matches!(segment[1], 0xc4 | 0xc8 | 0xcc) => {
                return segment.get(9).copied();
            }
            [0xff, _] => {
                let length = segment.get(2..4)?;
                at += 2 + usize::from(u16::from_be_bytes([length[0], length[1]])).max(2);
            }
            _ => return None,
        }
    }
}

/// Frames of a GIF, counted up to 2.
fn gif_frames(bytes: &[u8]) -> usize {
    // A table of colours has 2^(n + 1) entries of three bytes, where the top bit says that it is there.
    let table = |flags: u8| if flags & 0x80 == 0 { 0 } else { 3 << ((flags & 7) + 1) };
    let mut at = 13 + bytes.get(10).map_or(0, |&flags| table(flags));
    let mut frames = 0;
    while frames < 2 {
        at += match bytes.get(at) {
            Some(0x21) => 2,
            Some(0x2c) => {
                frames += 1;
                11 + bytes.get(at + 9).map_or(0, |&flags| table(flags))
            }
            _ => break,
        };
        // Blocks, each after its length; an empty one ends them.
        while let Some(&length) = bytes.get(at) {
            at += 1 + usize::from(length);
            if length == 0 {
                break;
            }
        }
    }
    frames
}

/// Whether a chunk `acTL` stands before the first of the picture's data, with more frames than one.
fn png_is_animated(bytes: &[u8]) -> bool {
    let mut at = 8;
    while let Some(head) = bytes.get(at..at + 8) {
        let (length, kind) = head.split_at(4);
        match kind {
            b"acTL" => return bytes.get(at + 8..at + 12).is_some_and(|n| n != [0, 0, 0, 1]),
            b"IDAT" | b"IEND" => return false,
            _ => {}
        }
        let length = u32::from_be_bytes(length.try_into().expect("four bytes"));
        at = at.saturating_add(length as usize).saturating_add(12);
    }
    false
}

fn reaches_end_of_jpeg(bytes: &[u8]) -> bool {
    let mut at = 2;
    while let Some(&[first, marker]) = bytes.get(at..at + 2) {
        match (first, marker) {
            (0xff, 0xd9) => return true,
            // Filled up with 0xff, or a marker without content: a restart.
            (0xff, 0xff) => at += 1,
            (0xff, 0x01 | 0xd0..=0xd8) => at += 2,
            (0xff, 1..) => match bytes.get(at + 2..at + 4) {
                // A segment with its length, which counts itself.
                Some(&[high, low]) => at += 2 + usize::from(u16::from_be_bytes([high, low])).max(2),
                _ => return false,
            },
            // Data of a scan, in which 0xff stands before 0 where it is no marker.
            _ => at += 1 + usize::from(first == 0xff),
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_inside_a_thumbnail_is_not_the_end() {
        let whole =
            [0xff, 0xd8, 0xff, 0xe1, 0, 4, 0xff, 0xd9, 0xff, 0xda, 0, 2, 7, 0xff, 0, 9, 0xff, 0xd9];
        assert!(!is_cut_short(ImageFormat::Jpeg, &whole));
        for length in 0..whole.len() {
            assert!(is_cut_short(ImageFormat::Jpeg, &whole[..length]), "{length} bytes");
        }
        // Only JPEG needs to be asked.
        assert!(!is_cut_short(ImageFormat::Png, &[]));
    }

    #[test]
    fn no_bytes_lead_outside_the_file() {
        for length in 0..40 {
            for fill in [0_u8, 0x21, 0x2c, 0xff] {
                let bytes = vec![fill; length];
                for format in
                    [ImageFormat::Gif, ImageFormat::Png, ImageFormat::WebP, ImageFormat::Jpeg]
                {
                    let _ = (is_animated(format, &bytes), is_cut_short(format, &bytes));
                    assert!(!has_inks(format, &bytes));
                }
            }
        }
    }
}
