//! The charts, one file each: plain builders that take numbers and give a [`Figure`](crate::Figure).

mod bar;
mod cells;
mod colorbar;
mod complex_plane;
mod confusion;
mod heat_map;
mod histogram;
mod image_grid;
mod letters;
mod line;
mod mosaic;
mod network;
mod panels;
mod reliability;
mod tile_grid;
mod tiles;

pub use bar::{Bar, BarChart};
pub use complex_plane::ComplexPlane;
pub use confusion::ConfusionMatrix;
pub use heat_map::{GridAxis, HeatMap};
pub use histogram::Histogram;
pub use image_grid::{ImageGrid, Tile};
pub use letters::LetterStrip;
pub use line::{LineChart, Series};
pub use mosaic::Mosaic;
pub use network::{DiagramNode, NetworkDiagram};
pub use panels::Panels;
pub use reliability::{ReliabilityBin, ReliabilityDiagram};
pub use tile_grid::TileGrid;
