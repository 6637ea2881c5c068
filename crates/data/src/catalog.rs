//! The data sets known by name, the files they consist of and where those are served.

use std::path::{Path, PathBuf};

use crate::{OpenOptions, cache_folder, idx_folder};

/// A data set that can be downloaded.
#[derive(Debug)]
pub(crate) struct Known {
    /// Its name, also that of its folder in the cache and at a mirror.
    pub(crate) name: &'static str,
    /// Names of folders in the cache, looked at in this order.
    pub(crate) folders: &'static [&'static str],
    pub(crate) description: &'static str,
    pub(crate) classes: [&'static str; 10],
    /// Base URLs; a file's name is appended. Plain HTTP: what is fetched is checked against
    /// `files`, see docs/decisions/plain-http-with-pinned-hashes.md.
    pub(crate) mirrors: &'static [&'static str],
    pub(crate) files: [KnownFile; 4],
}

/// An original file of a known data set.
#[derive(Debug)]
pub(crate) struct KnownFile {
    pub(crate) name: &'static str,
    pub(crate) bytes: u64,
    pub(crate) sha256: &'static str,
}

const fn file(name: &'static str, bytes: u64, sha256: &'static str) -> KnownFile {
    KnownFile { name, bytes, sha256 }
}

/// Handwritten digits. Y. LeCun, C. Cortes, C. Burges, "The MNIST database of handwritten digits".
pub(crate) static MNIST: Known = Known {
    name: "mnist",
    folders: &["mnist"],
    description: "MNIST: handwritten digits, 60,000 + 10,000 images of 28x28",
    classes: ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"],
    mirrors: &[
        "http://ossci-datasets.s3.amazonaws.com/mnist/",
        "http://storage.googleapis.com/cvdf-datasets/mnist/",
        "http://yann.lecun.com/exdb/mnist/",
    ],
    files: [
        file(
            "train-images-idx3-ubyte.gz",
            9_912_422,
            "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
        ),
        file(
            "train-labels-idx1-ubyte.gz",
            28_881,
            "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
        ),
        file(
            "t10k-images-idx3-ubyte.gz",
            1_648_877,
            "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
        ),
        file(
            "t10k-labels-idx1-ubyte.gz",
            4_542,
            "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
        ),
    ],
};

/// Clothes. H. Xiao, K. Rasul, R. Vollgraf, "Fashion-MNIST", 2017, arXiv:1708.07747.
pub(crate) static FASHION_MNIST: Known = Known {
    name: "fashion-mnist",
    folders: &["fashion-mnist", "fashion"],
    description: "Fashion-MNIST: ten kinds of clothes, 60,000 + 10,000 images of 28x28",
    classes: [
        "T-shirt/top",
        "Trouser",
        "Pullover",
        "Dress",
        "Coat",
        "Sandal",
        "Shirt",
        "Sneaker",
        "Bag",
        "Ankle boot",
    ],
    mirrors: &[
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
        "http://storage.googleapis.com/tensorflow/tf-keras-datasets/",
    ],
    files: [
        file(
            "train-images-idx3-ubyte.gz",
            26_421_880,
            "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
        ),
        file(
            "train-labels-idx1-ubyte.gz",
            29_515,
            "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
        ),
        file(
            "t10k-images-idx3-ubyte.gz",
            4_422_102,
            "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
        ),
        file(
            "t10k-labels-idx1-ubyte.gz",
            5_148,
            "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
        ),
    ],
};

pub(crate) static KNOWN: [&Known; 2] = [&MNIST, &FASHION_MNIST];

impl Known {
    pub(crate) fn by_name(name: &str) -> Option<&'static Self> {
        KNOWN.into_iter().find(|known| known.name == name)
    }

    /// The folder in the cache that has all four files, if there is one.
    pub(crate) fn present_in(&self, options: &OpenOptions) -> Option<PathBuf> {
        let cache = options.cache_folder();
        let folders = self.folders.iter().map(|folder| cache.join(folder));
        folders.into_iter().find(|folder| idx_folder::is_complete(folder))
    }

    /// The folder into which its files are downloaded.
    pub(crate) fn home(&self, options: &OpenOptions) -> PathBuf {
        options.cache_folder().join(self.name)
    }
}

impl OpenOptions {
    /// The folder of the downloaded data sets: [`cache`](Self::cache), else [`cache_folder`].
    pub fn cache_folder(&self) -> PathBuf {
        self.cache.clone().unwrap_or_else(cache_folder)
    }
}

/// A data set that can be opened by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The name to give to [`open`](crate::open).
    pub name: String,
    /// One line about it.
    pub description: String,
    /// Whether it can be opened without the network.
    pub present: bool,
    /// Where its files are, or would be after a download; `None` where it needs no files.
    pub folder: Option<PathBuf>,
    /// Bytes to download; 0 where it needs no files.
    pub download_bytes: u64,
}

/// The data sets that can be opened by name, and which of them are present.
pub fn list(options: &OpenOptions) -> Vec<Entry> {
    let mut entries: Vec<Entry> = KNOWN.into_iter().map(|known| entry(known, options)).collect();
    entries.push(Entry {
        name: "strokes".into(),
        description: "strokes: handwritten-looking digits drawn from a seed, made on the spot"
            .into(),
        present: true,
        folder: None,
        download_bytes: 0,
    });
    entries
}

fn entry(known: &Known, options: &OpenOptions) -> Entry {
    let present = known.present_in(options);
    Entry {
        name: known.name.into(),
        description: known.description.into(),
        present: present.is_some(),
        folder: Some(present.unwrap_or_else(|| known.home(options))),
        download_bytes: known.files.iter().map(|file| file.bytes).sum(),
    }
}

/// Where the original of `file` lies in `folder`, under its own name or one of the usual ones.
pub(crate) fn find_original(folder: &Path, file: &KnownFile) -> Option<PathBuf> {
    idx_folder::find(folder, file.name.trim_end_matches(".gz"))
}
