//! A data set: training and test images with the names of their classes.

use sha2::{Digest, Sha256};

use crate::{Error, Images, Result};

/// Training and test images, the names of the classes, and where all of it came from.
#[derive(Clone, Debug)]
pub struct Dataset {
    /// Short name, as in results and reports: "mnist", "strokes", a folder's name.
    pub name: String,
    /// Images to train with.
    pub train: Images,
    /// Images to test with.
    pub test: Images,
    /// The classes' names; an image's label is an index into them.
    pub labels: Vec<String>,
    /// SHA-256 of the content in hexadecimal: the sizes, pixels and labels of `train`, then of `test`.
    pub hash: String,
    /// Where the data came from, for people: a path, a URL, a seed.
    pub source: String,
    /// Something the user must be told, such as that another data set had to stand in.
    pub notice: Option<String>,
}

impl Dataset {
    /// Puts a data set together and computes its hash.
    ///
    /// # Errors
    /// [`Error::Invalid`] where training and test images differ in size, there are none of one of
    /// them, or a label has no name.
    pub fn new(
        name: impl Into<String>,
        train: Images,
        test: Images,
        labels: Vec<String>,
        source: impl Into<String>,
    ) -> Result<Self> {
        let name = name.into();
        let size = |images: &Images| (images.height, images.width, images.channels);
        if size(&train) != size(&test) {
            return Err(Error::Invalid(format!(
                "data set {name}: training images are {:?} and test images {:?} \
                 (height, width, channels); they must be alike",
                size(&train),
                size(&test)
            )));
        }
        for (part, images) in [("training", &train), ("test", &test)] {
            if images.is_empty() {
                return Err(Error::Invalid(format!("data set {name} has no {part} images")));
            }
            let unnamed = images.labels.iter().position(|&l| usize::from(l) >= labels.len());
            if let Some(index) = unnamed {
                return Err(Error::Invalid(format!(
                    "data set {name}: label {} of {part} image {index} is out of range, there are \
                     {} classes",
                    images.labels[index],
                    labels.len()
                )));
            }
        }
        let hash = content_hash(&[&train, &test]);
        Ok(Self { name, train, test, labels, hash, source: source.into(), notice: None })
    }

    /// Number of classes.
    pub fn classes(&self) -> usize {
        self.labels.len()
    }
}

/// SHA-256 over sizes (64-bit little-endian), pixels and labels (16-bit little-endian), in
/// hexadecimal.
pub fn content_hash(parts: &[&Images]) -> String {
    let mut hasher = Sha256::new();
    for images in parts {
        for size in [images.len(), images.height, images.width, images.channels] {
            hasher.update((size as u64).to_le_bytes());
        }
        hasher.update(&images.pixels);
        let labels: Vec<u8> = images.labels.iter().flat_map(|label| label.to_le_bytes()).collect();
        hasher.update(labels);
    }
    hex(&hasher.finalize())
}

/// Bytes in lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn images(labels: Vec<u16>) -> Images {
        Images::new(2, 2, 1, (0..4 * labels.len() as u8).collect(), labels).unwrap()
    }

    fn names(count: usize) -> Vec<String> {
        (0..count).map(|class| class.to_string()).collect()
    }

    #[test]
    fn the_hash_changes_with_pixels_labels_and_sizes() {
        let base = images(vec![0, 1]);
        let mut pixel = base.clone();
        pixel.pixels[3] += 1;
        let label = images(vec![1, 0]);
        let flat = Images::new(1, 4, 1, base.pixels.clone(), base.labels.clone()).unwrap();
        let hashes = [&base, &pixel, &label, &flat].map(|images| content_hash(&[images]));
        for (i, hash) in hashes.iter().enumerate() {
            assert_eq!(hash.len(), 64);
            assert!(!hashes[..i].contains(hash));
        }
        assert_eq!(hashes[0], content_hash(&[&base]));
    }

    #[test]
    fn a_label_without_a_name_is_refused() {
        let made = Dataset::new("x", images(vec![0, 2]), images(vec![0]), names(2), "memory");
        let message = made.unwrap_err().to_string();
        assert!(message.contains("label 2 of training image 1"), "{message}");
    }

    #[test]
    fn parts_of_different_size_or_without_images_are_refused() {
        let wide = Images::new(1, 4, 1, vec![0; 4], vec![0]).unwrap();
        assert!(Dataset::new("x", images(vec![0]), wide, names(1), "memory").is_err());
        let none = images(vec![]);
        assert!(Dataset::new("x", images(vec![0]), none, names(1), "memory").is_err());
    }
}
