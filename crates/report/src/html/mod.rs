//! The report: one HTML file that holds everything it shows and asks the network for nothing.

mod block;
mod chapter;
mod page;
mod text;
mod writer;

pub use block::{FigureBlock, TableBlock};
pub use chapter::Chapter;
pub use page::Report;
