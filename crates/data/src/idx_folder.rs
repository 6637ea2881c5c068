//! A folder with the four IDX files of a data set: images and labels, to train and to test.

use std::fs;
use std::path::{Path, PathBuf};

use crate::{Dataset, Error, Images, Result, idx};

/// The four files, without `.gz`, in the order training images, training labels, test images,
/// test labels.
pub(crate) const NAMES: [&str; 4] = [
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
];

/// A file with the classes' names, one a line, beside the four. Optional.
pub(crate) const CLASS_NAMES: &str = "labels.txt";

/// Where one of the four lies in `folder`, under one of its usual names.
pub(crate) fn find(folder: &Path, name: &str) -> Option<PathBuf> {
    let dotted = name.replace("-idx", ".idx");
    let names = [name.to_owned(), format!("{name}.gz"), dotted.clone(), format!("{dotted}.gz")];
    names.iter().map(|name| folder.join(name)).find(|path| path.is_file())
}

/// Whether the folder has at least one of the four.
pub(crate) fn looks_like(folder: &Path) -> bool {
    NAMES.iter().any(|name| find(folder, name).is_some())
}

/// Whether the folder has all four.
pub(crate) fn is_complete(folder: &Path) -> bool {
    NAMES.iter().all(|name| find(folder, name).is_some())
}

/// Reads the four files. `classes` are the names of the classes where they are known; else they
/// are read from `labels.txt`, else they are the numbers up to the greatest label.
///
/// # Errors
/// [`Error::Folder`] where a file is missing; [`Error::Format`] where a file is damaged, the two
/// parts differ in size or a label is out of range.
pub(crate) fn read(folder: &Path, name: &str, classes: Option<&[&str]>) -> Result<Dataset> {
    let mut paths = Vec::with_capacity(NAMES.len());
    for name in NAMES {
        let missing = || {
            Error::folder(
                folder,
                format!("there is no file {name} or {name}.gz"),
                format!("a data set in MNIST's format has four files: {}", NAMES.join(", ")),
            )
        };
        paths.push(find(folder, name).ok_or_else(missing)?);
    }
    let train = idx::read_images(&paths[0], &paths[1])?;
    let test = idx::read_images(&paths[2], &paths[3])?;
    if (train.height, train.width, train.channels) != (test.height, test.width, test.channels) {
        return Err(Error::format(
            &paths[2],
            "byte 8",
            format!(
                "test images of {}x{}x{}, but the training images are {}x{}x{}",
                test.height, test.width, test.channels, train.height, train.width, train.channels
            ),
            "take all four files from the same source",
        ));
    }
    let labels = match classes {
        Some(classes) => classes.iter().map(|&class| class.to_owned()).collect(),
        None => class_names(folder, &[&train, &test])?,
    };
    check_labels(&paths[1], &train, labels.len())?;
    check_labels(&paths[3], &test, labels.len())?;
    Dataset::new(name, train, test, labels, folder.display().to_string())
}

/// Writes a data set as the four IDX files, and `labels.txt` where the classes' names are not just
/// their numbers. The folder is made where it is missing.
///
/// # Errors
/// [`Error::Io`] where the folder or a file cannot be written; [`Error::Invalid`] where there are
/// more than 256 classes.
pub fn export(dataset: &Dataset, folder: &Path, gzip: bool) -> Result<()> {
    fs::create_dir_all(folder).map_err(|error| Error::io(folder, "create the folder", error))?;
    let path = |name: &str| folder.join(if gzip { format!("{name}.gz") } else { name.to_owned() });
    idx::write_images(&dataset.train, &path(NAMES[0]), &path(NAMES[1]), gzip)?;
    idx::write_images(&dataset.test, &path(NAMES[2]), &path(NAMES[3]), gzip)?;
    if dataset.labels.iter().enumerate().any(|(class, name)| *name != class.to_string()) {
        let lines: String = dataset.labels.iter().map(|name| format!("{name}\n")).collect();
        let path = folder.join(CLASS_NAMES);
        crate::atomic::write_atomically(&path, |out| out.write_all(lines.as_bytes()))?;
    }
    Ok(())
}

fn class_names(folder: &Path, parts: &[&Images]) -> Result<Vec<String>> {
    let path = folder.join(CLASS_NAMES);
    if path.is_file() {
        let text = fs::read_to_string(&path).map_err(|error| Error::io(&path, "read", error))?;
        return Ok(text.lines().map(|line| line.trim().to_owned()).collect());
    }
    let greatest = parts.iter().flat_map(|images| &images.labels).max();
    Ok((0..=greatest.map_or(0, |&label| label)).map(|class| class.to_string()).collect())
}

fn check_labels(path: &Path, images: &Images, classes: usize) -> Result<()> {
    match images.labels.iter().position(|&label| usize::from(label) >= classes) {
        None => Ok(()),
        Some(index) => Err(Error::format(
            path,
            format!("label {index} (byte {})", 8 + index),
            format!(
                "expected a class from 0 to {}, found {}",
                classes.saturating_sub(1),
                images.labels[index]
            ),
            "the file is damaged or belongs to another data set",
        )),
    }
}
