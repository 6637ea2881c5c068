//! A picture file beside what the network is shown of it.

use cutaway::Model;
use cutaway::data::{Images, Picture};
use cutaway::report::{Figure, ImageGrid, PixelGrid, Rgb, Tile};

use crate::error::Result;
use crate::samples::{Original, Sample};

/// Longer side of the two pictures, in pixels, where that of the input is not longer.
const SIDE: usize = 320;
/// Characters of a line under a picture of that side.
const LINE: usize = 46;
/// Frame of the part that the network is shown, and the line around the frame.
const FRAME: [Rgb; 2] = [Rgb(0xff, 0x8c, 0x1a), Rgb(0, 0, 0)];

/// The original with a frame around the part that is shown, and the network's input; `None` where the
/// sample is no file.
pub(crate) fn figure(model: &Model, sample: &Sample) -> Result<Option<Figure>> {
    let Some(original) = &sample.original else { return Ok(None) };
    let enlarged = (SIDE / sample.pixels.height.max(sample.pixels.width)).max(1);
    let input = enlarge(&sample.pixels, enlarged)?;
    let side = input.width().max(input.height());
    let picture = &original.picture;
    let own = Tile::new(framed(original, side)?)
        .line("the file’s picture")
        .line(format!("{} × {} pixels (height × width)", picture.height, picture.width))
        .line(framed_in_words(original));
    let preprocessing = model.network().metadata().preprocessing.to_string();
    let mut seen = Tile::new(input).line("what the network is shown").line(format!(
        "{} × {} pixels{}",
        sample.pixels.height,
        sample.pixels.width,
        if enlarged > 1 {
            format!(", each drawn {enlarged} times as large")
        } else {
            String::new()
        }
    ));
    for line in wrapped(&preprocessing, LINE) {
        seen = seen.line(line);
    }
    let title = format!("From {} to the network’s input", name(&sample.source));
    let grid = ImageGrid::new(title, vec![own, seen]).columns(2).tile_size(side as f64);
    Ok(Some(grid.draw()?))
}

/// A path's last part.
fn name(source: &str) -> String {
    let path = std::path::Path::new(source);
    path.file_name().map_or_else(|| source.to_owned(), |name| name.to_string_lossy().into_owned())
}

fn framed_in_words(original: &Original) -> &'static str {
    let Original { picture, part: [top, left, height, width] } = original;
    let rows = *top < 0.5 && (height - picture.height as f64).abs() < 1.0;
    let columns = *left < 0.5 && (width - picture.width as f64).abs() < 1.0;
    if rows && columns {
        "the network is shown all of it"
    } else {
        "the frame is what the network is shown"
    }
}

/// The original with its longer side of `side` pixels and the frame drawn into it.
fn framed(original: &Original, side: usize) -> Result<PixelGrid> {
    let Original { picture, part } = original;
    let scale = side as f64 / picture.height.max(picture.width) as f64;
    let scaled = |n: usize| ((n as f64 * scale).round() as usize).max(1);
    let small = picture.to_rgb().resized(scaled(picture.height), scaled(picture.width));
    let [top, left, height, width] = part.map(|n| n * scale);
    let ends = [top, left, top + height, left + width].map(|n| n.round() as usize);
    let end = [ends[2].min(small.height), ends[3].min(small.width)];
    let mut pixels = colours(&small);
    // Two pixels of the frame's colour inside a dark one, so that it is seen on every ground.
    for (inset, colour) in [(0, FRAME[1]), (1, FRAME[0]), (2, FRAME[0])] {
        let rows = ends[0] + inset..end[0].saturating_sub(inset);
        let columns = ends[1] + inset..end[1].saturating_sub(inset);
        if rows.is_empty() || columns.is_empty() {
            break;
        }
        for row in rows.clone() {
            for column in columns.clone() {
                let edge = row == rows.start || row + 1 == rows.end;
                if edge || column == columns.start || column + 1 == columns.end {
                    pixels[row * small.width + column] = colour;
                }
            }
        }
    }
    Ok(PixelGrid::new(small.width, small.height, pixels)?)
}

fn colours(picture: &Picture) -> Vec<Rgb> {
    let rgb = picture.to_rgb();
    rgb.pixels.chunks_exact(3).map(|p| Rgb(p[0], p[1], p[2])).collect()
}

/// Every pixel `times` by `times` as large.
fn enlarge(images: &Images, times: usize) -> Result<PixelGrid> {
    let Images { height, width, channels, .. } = *images;
    let image = images.image(0);
    let mut bytes = Vec::with_capacity(image.len() * times * times);
    for row in 0..height * times {
        for column in 0..width * times {
            let at = (row / times * width + column / times) * channels;
            bytes.extend_from_slice(&image[at..at + channels]);
        }
    }
    Ok(PixelGrid::from_bytes(width * times, height * times, channels, &bytes)?)
}

/// A text in lines of at most so many characters, where its words are no longer.
fn wrapped(text: &str, most: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= most => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_frame_lies_where_the_part_is() {
        let picture = Picture::new(40, 80, 3, vec![200; 40 * 80 * 3]).unwrap();
        let original = Original { picture, part: [0.0, 20.0, 40.0, 40.0] };
        let grid = framed(&original, 160).unwrap();
        assert_eq!((grid.width(), grid.height()), (160, 80));
        let at = |row: usize, column: usize| grid.pixels()[row * 160 + column];
        // Columns 20 to 60 of 80 are 40 to 120 of 160.
        assert_eq!((at(40, 39), at(40, 40), at(40, 41)), (Rgb(200, 200, 200), FRAME[1], FRAME[0]));
        assert_eq!((at(40, 119), at(40, 120)), (FRAME[1], Rgb(200, 200, 200)));
        assert_eq!((at(0, 80), at(79, 80), at(20, 80)), (FRAME[1], FRAME[1], Rgb(200, 200, 200)));
        assert!(framed_in_words(&original).contains("frame"));
    }

    #[test]
    fn lines_are_wrapped_between_words() {
        assert_eq!(wrapped("ab cd efg h", 5), ["ab cd", "efg h"]);
        assert_eq!(wrapped("abcdefgh", 5), ["abcdefgh"]);
    }
}
