//! Windows that slide over an image, and what a network answers to each.

mod cliffs;
mod critical;
mod sweep;
mod telling;

use std::fmt;
use std::str::FromStr;

use serde::Serialize;

use crate::Error;

pub use cliffs::{Cliff, CliffSide};
pub use critical::CriticalRegion;
pub use sweep::{ClassCount, CleanAnswer, WindowAnswer, WindowSweep};
pub(crate) use sweep::{answers, judged};
pub use telling::{Telling, TellingRule};

/// A fall of the probability that counts as none: a window is harmless where P(true) falls by less.
pub const HARMLESS: f32 = 0.01;

/// Rows and columns of a window or an image, each at least 1. Written `8` (square) or `6x10`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Size {
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
}

impl Size {
    /// A square.
    #[must_use]
    pub fn square(side: usize) -> Size {
        Size { height: side, width: side }
    }
}

impl FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Size, String> {
        let number = |part: &str| match part.trim().parse::<usize>() {
            Ok(0) => Err(format!("'{text}' is empty; a window has at least one row and column")),
            Ok(number) => Ok(number),
            Err(_) => Err(format!(
                "'{text}' is no window; expected a side such as 8, or rows x columns such as 6x10"
            )),
        };
        match text.split_once(['x', 'X', '×']) {
            Some((height, width)) => Ok(Size { height: number(height)?, width: number(width)? }),
            None => Ok(Size::square(number(text)?)),
        }
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}×{}", self.height, self.width)
    }
}

/// All places of a window that slides over an image from the top left, in reading order, and never
/// hangs over its edge.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Windows {
    /// The image.
    pub image: Size,
    /// The window.
    pub window: Size,
    /// Pixels from one place to the next, down and to the right.
    pub stride: usize,
    /// Places below each other.
    pub rows: usize,
    /// Places beside each other.
    pub cols: usize,
}

impl Windows {
    /// Lays the places out.
    ///
    /// # Errors
    /// [`Error::Setting`] where a size or the stride is 0, or the window is larger than the image.
    pub fn new(image: Size, window: Size, stride: usize) -> Result<Windows, Error> {
        if stride == 0 {
            return Err(Error::Setting(
                "the stride is 0: the window would never move; give at least 1".to_owned(),
            ));
        }
        if window.height == 0 || window.width == 0 {
            return Err(Error::Setting(format!(
                "a window of {window} is empty; give at least one row and one column"
            )));
        }
        if window.height > image.height || window.width > image.width {
            return Err(Error::Setting(format!(
                "a window of {window} (rows × columns) is larger than the image of {image}; give \
                 at most {image}"
            )));
        }
        let places = |image: usize, window: usize| (image - window) / stride + 1;
        let rows = places(image.height, window.height);
        let cols = places(image.width, window.width);
        Ok(Windows { image, window, stride, rows, cols })
    }

    /// Number of places.
    #[must_use]
    #[allow(clippy::len_without_is_empty)] // there is always one
    pub fn len(&self) -> usize {
        self.rows * self.cols
    }

    /// The window's top row and left column at a place.
    #[must_use]
    pub fn place(&self, index: usize) -> (usize, usize) {
        (index / self.cols * self.stride, index % self.cols * self.stride)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_study_has_441_and_361_windows() {
        let image = Size::square(28);
        assert_eq!(Windows::new(image, Size::square(8), 1).unwrap().len(), 441);
        assert_eq!(Windows::new(image, Size::square(10), 1).unwrap().len(), 361);
    }

    #[test]
    fn a_rectangle_with_a_stride_never_hangs_over_the_edge() {
        let image = Size { height: 10, width: 13 };
        let windows = Windows::new(image, "4x6".parse().unwrap(), 3).unwrap();
        assert_eq!((windows.rows, windows.cols), (3, 3));
        let places: Vec<_> = (0..windows.len()).map(|i| windows.place(i)).collect();
        let expected = [(0, 0), (0, 3), (0, 6), (3, 0), (3, 3), (3, 6), (6, 0), (6, 3), (6, 6)];
        assert_eq!(places, expected);
    }

    #[test]
    fn sizes_that_make_no_sense_are_refused_with_a_reason() {
        let image = Size::square(28);
        let problem = |window, stride| Windows::new(image, window, stride).unwrap_err().to_string();
        assert!(problem(Size::square(8), 0).contains("stride is 0"));
        assert!(problem(Size { height: 29, width: 3 }, 1).contains("larger than the image"));
        assert!(problem(Size { height: 0, width: 3 }, 1).contains("empty"));
        for text in ["", "0", "8x0", "8x", "-1", "8x8x8", "eight"] {
            assert!(text.parse::<Size>().is_err(), "{text:?}");
        }
        assert_eq!("6x10".parse(), Ok(Size { height: 6, width: 10 }));
        assert_eq!(Windows::new(image, image, usize::MAX).unwrap().len(), 1);
    }
}
