//! A folder of pictures with a sub-folder for each class.

use std::fs;
use std::path::{Path, PathBuf};

use rayon::prelude::*;

use crate::random::Random;
use crate::{Dataset, Error, Images, OpenOptions, Picture, Result, Unit};

const EXTENSIONS: [&str; 13] =
    ["png", "jpg", "jpeg", "jpe", "jfif", "webp", "bmp", "gif", "pnm", "pgm", "ppm", "pbm", "pam"];
/// The most memory that the pixels of one folder may take, in bytes: 4 GiB.
const MAX_BYTES: u64 = 4 << 30;

/// A picture file and its class.
#[derive(Clone, Debug)]
struct Item {
    path: PathBuf,
    class: usize,
}

/// Reads `folder/CLASS/*` or `folder/train/CLASS/*` and `folder/test/CLASS/*`. Without `test`, a
/// share of each class, chosen by the seed, becomes the test set.
///
/// # Errors
/// [`Error::Folder`] where there are no classes, a class is empty or the test set has a class that
/// the training set has not; [`Error::Format`] where a picture is damaged or of another size.
pub(crate) fn read(folder: &Path, name: &str, options: &OpenOptions) -> Result<Dataset> {
    let (train_folder, test_folder) = (folder.join("train"), folder.join("test"));
    // A folder `train` with pictures right in it is a class of that name.
    let is_split = !sub_folders(&train_folder).unwrap_or_default().is_empty();
    let train_folder = if is_split { train_folder } else { folder.to_owned() };
    let classes = class_names(&train_folder)?;
    let train = list_items(&train_folder, &classes)?;
    let (train, test) = if is_split && test_folder.is_dir() {
        let unknown = class_names(&test_folder)?.into_iter().find(|name| !classes.contains(name));
        if let Some(unknown) = unknown {
            return Err(Error::folder(
                &test_folder,
                format!("the class '{unknown}' is not among those of {}", train_folder.display()),
                "give both folders the same sub-folders",
            ));
        }
        (train, list_items(&test_folder, &classes)?)
    } else {
        split(&train_folder, train, &classes, options)?
    };
    let all: Vec<&Item> = train.iter().chain(&test).collect();
    let images = read_pictures(&all, options)?;
    let (train, test) = cut(images, train.len());
    Dataset::new(name, train, test, classes, folder.display().to_string())
}

/// The pictures right in a folder, by their extensions, in the order of their names. Other files are
/// passed over.
///
/// # Errors
/// If the folder cannot be read or has no picture.
pub fn pictures_in(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut paths = entries(folder)?;
    paths.retain(|path| is_picture(path));
    paths.sort();
    if paths.is_empty() {
        return Err(Error::folder(
            folder,
            "the folder has no pictures".to_owned(),
            format!("put pictures ({}) there", EXTENSIONS.join(", ")),
        ));
    }
    Ok(paths)
}

/// The pictures of each sub-folder, by the sub-folders' names, which are those of classes.
///
/// # Errors
/// If the folder cannot be read, or it or a sub-folder is empty.
pub fn pictures_by_class(folder: &Path) -> Result<Vec<(String, Vec<PathBuf>)>> {
    let of = |name: String| Ok((name.clone(), pictures_in(&folder.join(name))?));
    class_names(folder)?.into_iter().map(of).collect()
}

fn sub_folders(folder: &Path) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in entries(folder)? {
        if entry.is_dir() && !is_hidden(&entry) {
            names.push(utf8_name(&entry)?);
        }
    }
    names.sort();
    Ok(names)
}

fn class_names(folder: &Path) -> Result<Vec<String>> {
    let names = sub_folders(folder)?;
    if names.is_empty() || names.len() > usize::from(u16::MAX) {
        return Err(Error::folder(
            folder,
            format!(
                "neither IDX files nor sub-folders with pictures ({} sub-folders)",
                names.len()
            ),
            "give a folder with the four files of MNIST's format, or with one sub-folder a class",
        ));
    }
    Ok(names)
}

/// The pictures of each class in the order of their names. Other files are passed over.
fn list_items(folder: &Path, classes: &[String]) -> Result<Vec<Item>> {
    let mut items = Vec::new();
    for (class, name) in classes.iter().enumerate() {
        let class_folder = folder.join(name);
        let before = items.len();
        if class_folder.is_dir() {
            let mut paths = entries(&class_folder)?;
            paths.retain(|path| is_picture(path));
            paths.sort();
            items.extend(paths.into_iter().map(|path| Item { path, class }));
        }
        if items.len() == before {
            return Err(Error::folder(
                &class_folder,
                "the folder of this class has no pictures",
                format!("put pictures ({}) there or remove the folder", EXTENSIONS.join(", ")),
            ));
        }
    }
    Ok(items)
}

fn entries(folder: &Path) -> Result<Vec<PathBuf>> {
    let list = fs::read_dir(folder).and_then(|entries| {
        entries.map(|entry| entry.map(|entry| entry.path())).collect::<std::io::Result<Vec<_>>>()
    });
    list.map_err(|error| Error::io(folder, "list the folder", error))
}

fn is_hidden(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."))
}

fn is_picture(path: &Path) -> bool {
    let extension = path.extension().and_then(|extension| extension.to_str());
    let known = extension.is_some_and(|e| EXTENSIONS.contains(&e.to_ascii_lowercase().as_str()));
    known && !is_hidden(path) && path.is_file()
}

fn utf8_name(path: &Path) -> Result<String> {
    let name = path.file_name().and_then(|name| name.to_str()).map(str::to_owned);
    name.ok_or_else(|| Error::folder(path, "the name is not Unicode", "rename the folder"))
}

/// Takes a share of each class, at least one picture, for the test set.
fn split(
    folder: &Path,
    items: Vec<Item>,
    classes: &[String],
    options: &OpenOptions,
) -> Result<(Vec<Item>, Vec<Item>)> {
    if !(0.0..1.0).contains(&options.test_fraction) {
        return Err(Error::Invalid(format!(
            "the share of test images must be from 0 to less than 1, not {}",
            options.test_fraction
        )));
    }
    let (mut train, mut test) = (Vec::new(), Vec::new());
    for (class, name) in classes.iter().enumerate() {
        let mut of_class: Vec<Item> =
            items.iter().filter(|item| item.class == class).cloned().collect();
        let count = of_class.len();
        if count < 2 {
            return Err(Error::folder(
                &folder.join(name),
                "the class has a single picture, which cannot be both for training and for testing",
                "add pictures, or make folders train/ and test/ with a sub-folder a class in each",
            ));
        }
        let wanted = (count as f64 * options.test_fraction).round() as usize;
        Random::new(options.seed, class as u64).shuffle(&mut of_class);
        let mut for_test = of_class.split_off(count - wanted.clamp(1, count - 1));
        // The names' order again, so that the result does not show how it was shuffled.
        of_class.sort_by(|a, b| a.path.cmp(&b.path));
        for_test.sort_by(|a, b| a.path.cmp(&b.path));
        train.extend(of_class);
        test.extend(for_test);
    }
    Ok((train, test))
}

fn read_pictures(items: &[&Item], options: &OpenOptions) -> Result<Images> {
    let first = Picture::read(&items[0].path)?;
    let [height, width] = options.image_size.unwrap_or([first.height, first.width]);
    let image_len = (height as u64).saturating_mul(width as u64).saturating_mul(3);
    if image_len == 0 || image_len.saturating_mul(items.len() as u64) > MAX_BYTES {
        return Err(Error::Invalid(format!(
            "{} pictures of {height}x{width} do not fit into {MAX_BYTES} bytes; \
             choose another image size",
            items.len()
        )));
    }
    let done = std::sync::atomic::AtomicU64::new(0);
    let pictures: Vec<Picture> = items
        .par_iter()
        .map(|item| {
            let picture = read_picture(&item.path, [height, width], options)?;
            let done = 1 + done.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            if done.is_multiple_of(256) || done == items.len() as u64 {
                options.report("reading pictures", done, Some(items.len() as u64), Unit::Images);
            }
            Ok(picture)
        })
        .collect::<Result<_>>()?;
    // Colour where at least one picture has some.
    let channels = if pictures.iter().all(is_grey) { 1 } else { 3 };
    let mut pixels = Vec::with_capacity(pictures.len() * height * width * channels);
    for picture in pictures {
        let picture = if channels == 1 { picture.to_grey() } else { picture.to_rgb() };
        pixels.extend_from_slice(&picture.pixels);
    }
    let labels = items.iter().map(|item| item.class as u16).collect();
    Images::new(height, width, channels, pixels, labels)
}

fn read_picture(path: &Path, size: [usize; 2], options: &OpenOptions) -> Result<Picture> {
    let picture = Picture::read(path)?;
    if options.image_size.is_none() && [picture.height, picture.width] != size {
        return Err(Error::format(
            path,
            "size",
            format!(
                "{}x{} pixels (height x width), but the first picture has {}x{}",
                picture.height, picture.width, size[0], size[1]
            ),
            "all must have one size: resize the pictures, or say to which size to resize them",
        ));
    }
    Ok(picture.resized(size[0], size[1]))
}

fn is_grey(picture: &Picture) -> bool {
    picture.channels == 1 || picture.pixels.chunks_exact(3).all(|p| p[0] == p[1] && p[1] == p[2])
}

fn cut(mut images: Images, at: usize) -> (Images, Images) {
    let pixels = images.pixels.split_off(at * images.image_len());
    let labels = images.labels.split_off(at);
    let rest = Images { pixels, labels, ..images };
    (images, rest)
}
