//! How Cutaway shows things: figures, tables and the report.
//!
//! This crate knows nothing of networks. It takes plain numbers and draws them; nothing is computed
//! while drawing beyond what a legend, a tick or a colour needs.
//!
//! - **A figure is drawn once.** Charts such as [`LineChart`], [`ConfusionMatrix`], [`TileGrid`] or
//!   [`HeatMap`] are builders whose `draw` gives a [`Figure`]. The same [`Scene`] becomes SVG
//!   ([`Figure::to_svg`]), PNG ([`Figure::to_png`]) and the element in the report's page, with the
//!   same typeface, so all three look alike.
//! - **Scales are fixed and stated.** A [`ColorScale`] has ends that its colour bar prints. Signed
//!   data gets a diverging map centred on 0, magnitudes a perceptually uniform one; values beyond an
//!   end, and values that are not finite, are drawn apart and counted in the legend.
//! - **Tables** are [`Table`]s: aligned text for a terminal, CSV with full precision, HTML.
//! - **The report** is a [`Report`] of [`Chapter`]s: one HTML file that refers to nothing outside
//!   itself, in light, dark and print, useful without JavaScript. Every label is escaped.
//! - **Empty input** gives a placeholder that says so; numbers that do not fit together are an
//!   [`Error`]. Nothing panics.
//! - **Files** are written by [`write_atomic`]: whole or not at all.
//!
//! ```
//! use cutaway_report::{Chapter, ConfusionMatrix, Report, Theme};
//!
//! let labels = vec!["cat".to_owned(), "dog".to_owned()];
//! let matrix = ConfusionMatrix::new("Confusion matrix", labels, vec![48, 2, 5, 45]).draw()?;
//! assert!(matrix.to_png(1.0, Theme::Light)?.starts_with(b"\x89PNG"));
//!
//! let command = "cutaway evaluate --model model.onnx";
//! let caption = "Test images by true and predicted class.";
//! let chapter = Chapter::new("Evaluation").figure(&matrix, caption, command);
//! let page = Report::new("Cats and dogs", "How well they are told apart.").chapter(chapter);
//! assert!(page.to_html().contains(caption));
//! # Ok::<(), cutaway_report::Error>(())
//! ```
//!
//! # Licences
//!
//! The code is under MIT or Apache-2.0. The embedded typeface is a subset of Inter, copyright The
//! Inter Project Authors, under the SIL Open Font License 1.1; its text lies beside the files in
//! `fonts/OFL.txt`. Documents made with the typeface are not bound by that licence.

mod axis;
mod base64;
mod charts;
mod color;
mod colormap;
mod error;
mod escape;
mod figure;
mod files;
mod font;
mod html;
mod legend;
pub mod number;
mod pixels;
mod plot;
mod raster;
mod scene;
mod style;
mod svg;
mod table;
mod theme;

pub use axis::Axis;
pub use charts::{
    Bar, BarChart, ConfusionMatrix, DiagramNode, GridAxis, HeatMap, Histogram, ImageGrid,
    LineChart, NetworkDiagram, ReliabilityBin, ReliabilityDiagram, Series, Tile, TileGrid,
};
pub use color::Rgb;
pub use colormap::{ColorMap, ColorScale, category_color};
pub use error::{Error, Result};
pub use escape::escape;
pub use figure::Figure;
pub use files::write_atomic;
pub use html::{Chapter, FigureBlock, Report, TableBlock};
pub use pixels::PixelGrid;
pub use scene::{Anchor, Item, Scene, Step};
pub use table::{Cell, Table};
pub use theme::{Paint, Theme};
