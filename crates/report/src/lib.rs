//! How results are **shown**: figures drawn to SVG and PNG from one scene, and the self-contained
//! HTML report. The crate knows nothing of networks; it takes plain numbers.
//!
//! ```
//! use cutaway_report::{Axis, Chapter, LineChart, Report, Series};
//!
//! let loss = Series::numbered("training", [0.9, 0.4, 0.2]).markers();
//! let axis = Axis::new("loss (nats)");
//! let figure = LineChart::new("Loss", Axis::new("epoch"), axis).series(loss).draw()?;
//! assert!(figure.to_inline_svg().starts_with("<svg"));
//!
//! let chapter = Chapter::new("Learning").figure(&figure, "Loss by epoch.", "cutaway train");
//! let page = Report::new("A study", "What the network learnt.").chapter(chapter).to_html();
//! assert!(page.ends_with("</html>\n"));
//! # Ok::<(), cutaway_report::Error>(())
//! ```

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
mod hover_map;
mod html;
mod legend;
pub mod number;
mod pick;
mod pixels;
mod plot;
mod raster;
mod scene;
mod style;
mod svg;
mod theme;

pub use axis::Axis;
pub use charts::*;
pub use color::Rgb;
pub use colormap::{ColorMap, ColorScale, category_color};
pub use error::{Error, Result};
pub use escape::escape;
pub use figure::Figure;
pub use files::write_atomic;
pub use hover_map::{HoverCover, HoverMap};
pub use html::{Chapter, Report};
pub use pixels::PixelGrid;
pub use scene::{Anchor, Item, Scene, Step};
pub use theme::{Paint, Theme};
