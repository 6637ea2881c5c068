//! How a data set is to be opened.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

/// How far a long piece of work has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progress {
    /// What is being done: "downloading train-images-idx3-ubyte.gz", "drawing strokes" ...
    pub task: String,
    /// How much is done, in `unit`s.
    pub done: u64,
    /// How much there is to do, where it is known.
    pub total: Option<u64>,
    /// What `done` and `total` count.
    pub unit: Unit,
}

/// What a [`Progress`] counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Unit {
    /// Bytes of a download.
    Bytes,
    /// Images read or drawn.
    Images,
}

/// Called now and then during long work, possibly from several threads.
pub type ProgressCallback = Arc<dyn Fn(&Progress) + Send + Sync>;

/// How [`open`](crate::open) and [`fetch`](crate::fetch) find or make a data set.
#[derive(Clone)]
pub struct OpenOptions {
    /// Never use the network.
    pub offline: bool,
    /// Folder of the downloaded data sets; `None`: see [`cache_folder`](crate::cache_folder).
    pub cache: Option<PathBuf>,
    /// Base URL that stands in for the built-in mirrors; `None`: the environment variable
    /// `CUTAWAY_MIRROR`, else the built-in ones. A file is fetched from `BASE/mnist/FILE` or
    /// `BASE/fashion-mnist/FILE`.
    pub mirror: Option<String>,
    /// Seed of the strokes, and of the split of an image folder into training and test.
    pub seed: u64,
    /// Number of training images of strokes (60,000 as in MNIST).
    pub strokes_train: usize,
    /// Number of test images of strokes (10,000 as in MNIST).
    pub strokes_test: usize,
    /// Share of an image folder's images that becomes the test set where the folder does not
    /// separate them itself.
    pub test_fraction: f64,
    /// Height and width to which the images of an image folder are resized; `None`: they must all
    /// have the same size.
    pub image_size: Option<[usize; 2]>,
    /// Hears of long work.
    pub progress: Option<ProgressCallback>,
}

impl Default for OpenOptions {
    fn default() -> Self {
        Self {
            offline: false,
            cache: None,
            mirror: None,
            seed: 0,
            strokes_train: 60_000,
            strokes_test: 10_000,
            test_fraction: 0.2,
            image_size: None,
            progress: None,
        }
    }
}

impl fmt::Debug for OpenOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenOptions")
            .field("offline", &self.offline)
            .field("cache", &self.cache)
            .field("mirror", &self.mirror)
            .field("seed", &self.seed)
            .field("strokes_train", &self.strokes_train)
            .field("strokes_test", &self.strokes_test)
            .field("test_fraction", &self.test_fraction)
            .field("image_size", &self.image_size)
            .finish_non_exhaustive()
    }
}

impl OpenOptions {
    pub(crate) fn report(&self, task: &str, done: u64, total: Option<u64>, unit: Unit) {
        if let Some(callback) = &self.progress {
            callback(&Progress { task: task.to_owned(), done, total, unit });
        }
    }
}
