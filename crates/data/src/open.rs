//! From what the user typed to a data set.

use std::path::Path;

use crate::catalog::{Known, MNIST};
use crate::{Dataset, Error, OpenOptions, Result, fetch, idx_folder, image_folder, strokes};

/// Opens a data set.
///
/// `spec` is one of
/// - `auto`: MNIST from the cache, else downloaded unless `options.offline`, else strokes, with a
///   [`notice`](Dataset::notice) that says so;
/// - `mnist`, `fashion-mnist`: from the cache, else downloaded unless `options.offline`;
/// - `strokes`: drawn from `options.seed`, no files needed;
/// - the path of a folder with the four IDX files of a data set, plain or gzip, or of a folder of
///   images with a sub-folder for each class. A folder named like one of the above is given
///   as `./mnist`.
///
/// # Errors
/// [`Error::UnknownDataset`] where `spec` leads nowhere, [`Error::Unavailable`] where a download is
/// needed and not allowed or fails, else those of reading the files.
pub fn open(spec: &str, options: &OpenOptions) -> Result<Dataset> {
    match spec {
        "auto" => open_auto(options),
        "strokes" => strokes::dataset(options),
        _ => match Known::by_name(spec) {
            Some(known) => {
                fetch::ensure(known, options, fetch::Patience::Explicit)?;
                read_known(known, options)
            }
            None => open_path(spec, options),
        },
    }
}

fn open_auto(options: &OpenOptions) -> Result<Dataset> {
    match fetch::ensure(&MNIST, options, fetch::Patience::Auto) {
        Ok(()) => read_known(&MNIST, options),
        Err(error @ (Error::Unavailable { .. } | Error::Io { .. })) => {
            let mut dataset = strokes::dataset(options)?;
            dataset.notice = Some(format!(
                "using strokes, digits drawn by this program, instead of MNIST: {error}"
            ));
            Ok(dataset)
        }
        Err(error) => Err(error),
    }
}

fn read_known(known: &Known, options: &OpenOptions) -> Result<Dataset> {
    let folder = known.present_in(options).unwrap_or_else(|| known.home(options));
    idx_folder::read(&folder, known.name, Some(&known.classes))
}

fn open_path(spec: &str, options: &OpenOptions) -> Result<Dataset> {
    let folder = Path::new(spec);
    if folder.is_file() {
        return Err(Error::folder(
            folder,
            "a file, not a folder",
            "give the folder that holds the four IDX files, or a sub-folder of images a class",
        ));
    }
    if !folder.is_dir() {
        return Err(Error::UnknownDataset { spec: spec.to_owned() });
    }
    let absolute = folder.canonicalize().map_err(|error| Error::io(folder, "open", error))?;
    let name = absolute.file_name().map_or_else(|| spec.into(), |name| name.to_string_lossy());
    if idx_folder::looks_like(folder) {
        idx_folder::read(folder, &name, None)
    } else {
        image_folder::read(folder, &name, options)
    }
}
