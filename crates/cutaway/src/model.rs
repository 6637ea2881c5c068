//! A model that the user can ask: network, engine, preprocessing, labels.

use std::path::Path;

use cutaway_data::{Images, Picture};
use cutaway_engine::{Engine, Options};
use cutaway_net::{Fit, Network, channels_first, is_channels_last, onnx};
use ndarray::{Array2, ArrayD, IxDyn};

/// The reference CNN trained on MNIST, see `models/README.md`.
const BUILTIN: &[u8] = include_bytes!("../models/mnist.onnx");

/// Why a model cannot be opened or asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The file is no network.
    #[error(transparent)]
    Net(#[from] cutaway_net::Error),
    /// The engine refused.
    #[error(transparent)]
    Engine(#[from] cutaway_engine::Error),
    /// The images do not suit.
    #[error(transparent)]
    Data(#[from] cutaway_data::Error),
    /// The network has no scores of classes.
    #[error(
        "the model's output '{node}' has shape {shape:?}: it is no classifier, with one number a \
         class; name the scores of a place in it, as in --answer {node}:0, or give an image, and the \
         place is found"
    )]
    NoClassifier {
        /// The output.
        node: String,
        /// Its shape, without the batch axis.
        shape: Vec<usize>,
    },
    /// An image of another size than the model takes.
    #[error(
        "{what} is {found} pixels, but the model takes {expected}; resize it (the command's \
         --resize stretches it, --preprocess can say to crop it)"
    )]
    Size {
        /// Which image.
        what: String,
        /// Its height × width.
        found: String,
        /// What the model takes.
        expected: String,
    },
}

/// A network that can be asked about images. Preprocessing is the one in the network's metadata.
pub struct Model {
    engine: Engine,
    source: String,
}

impl Model {
    /// Opens `builtin` or an ONNX file. One that takes images with the channels last takes them with the
    /// channels first here, as [`channels_first`] says.
    ///
    /// # Errors
    /// If the file is no network that this version can run.
    pub fn open(spec: &str, options: &Options) -> Result<Model, Error> {
        let network = Model::read(spec)?;
        let network = match is_channels_last(&network) {
            true => channels_first(&network)?,
            false => network,
        };
        Model::new(&network, spec, options)
    }

    /// The network that `builtin` or an ONNX file holds, before it is compiled.
    ///
    /// # Errors
    /// If the file is no network that this version knows.
    pub fn read(spec: &str) -> Result<Network, Error> {
        Ok(Model::read_with_report(spec)?.0)
    }

    /// [`Model::read`], with what the file says of itself and what became of its nodes.
    ///
    /// # Errors
    /// As [`Model::read`].
    pub fn read_with_report(spec: &str) -> Result<(Network, onnx::Report), Error> {
        Ok(if spec == "builtin" {
            onnx::from_bytes_with_report(BUILTIN)?
        } else {
            onnx::load_with_report(Path::new(spec))?
        })
    }

    /// The reference CNN trained on MNIST.
    ///
    /// # Errors
    /// If the options do not suit this machine.
    pub fn builtin(options: &Options) -> Result<Model, Error> {
        Model::new(&onnx::from_bytes(BUILTIN)?, "builtin", options)
    }

    /// A model of a network; `source` says where it came from.
    ///
    /// # Errors
    /// If the options do not suit this machine.
    pub fn new(network: &Network, source: &str, options: &Options) -> Result<Model, Error> {
        Ok(Model { engine: Engine::compile(network, options)?, source: source.to_owned() })
    }

    /// The network.
    pub fn network(&self) -> &Network {
        self.engine.network()
    }

    /// The compiled network.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// `builtin`, or the path it was opened from.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Name of a class: its label, or its number where the model has no labels.
    pub fn label(&self, class: usize) -> String {
        let labels = &self.network().metadata().labels;
        labels.get(class).cloned().unwrap_or_else(|| class.to_string())
    }

    /// The network's input for some of the images, `[N, C, H, W]`.
    ///
    /// # Errors
    /// If the images have another size than the model takes, or an index is out of range.
    pub fn input(&self, images: &Images, indices: &[usize]) -> Result<ArrayD<f32>, Error> {
        let p = &self.network().metadata().preprocessing;
        let (found, expected) =
            ([images.height, images.width, images.channels], [p.height, p.width, p.channels]);
        if found != expected {
            return Err(size_error("an image of the data set", found, expected));
        }
        let shape = self.network().shape(self.network().input());
        let shape: Vec<usize> = [indices.len()].iter().chain(shape).copied().collect();
        let mut values = vec![0.0; shape.iter().product()];
        images.to_nchw_f32(indices, p.scale, &p.mean, &p.std, &mut values)?;
        Ok(ArrayD::from_shape_vec(IxDyn(&shape), values).expect("as many as the shape says"))
    }

    /// Class probabilities `[N, classes]` of some of the images.
    ///
    /// # Errors
    /// As [`Model::input`].
    pub fn predict(&self, images: &Images, indices: &[usize]) -> Result<Array2<f32>, Error> {
        let (network, output) = (self.network(), self.network().output());
        let shape = network.shape(output);
        if shape.iter().product::<usize>() != network.classes() {
            let (node, shape) = (network.node(output).name.clone(), shape.to_vec());
            return Err(Error::NoClassifier { node, shape });
        }
        let input = self.input(images, indices)?;
        Ok(self.engine.predict(input.view())?)
    }

    /// Reads a picture as the model takes it: its channels, and its size as the preprocessing's
    /// [`Fit`] says; with `resize` it is stretched where that says nothing.
    ///
    /// # Errors
    /// If the file is no picture, or has a size that cannot be brought to the model's.
    pub fn picture(&self, path: &Path, resize: bool) -> Result<Images, Error> {
        Ok(self.look(path, resize)?.images)
    }

    /// [`Model::picture`] with the picture that it was made of.
    ///
    /// # Errors
    /// As [`Model::picture`].
    pub fn look(&self, path: &Path, resize: bool) -> Result<Look, Error> {
        let p = &self.network().metadata().preprocessing;
        let (picture, notes) = Picture::read_with_notes(path)?;
        let original = picture.with_channels(p.channels)?;
        let (own, wanted) = ([original.height, original.width], [p.height, p.width]);
        let whole = [0.0, 0.0, own[0] as f64, own[1] as f64];
        let wrong_size = || {
            let of = |[height, width]: [usize; 2]| [height, width, p.channels];
            size_error(&path.display().to_string(), of(own), of(wanted))
        };
        // The part of `from`, of which one pixel is `1 / scale` of the original's.
        let part = |from: &Picture, scale: f64| {
            let [top, left] = Picture::centre_place([from.height, from.width], wanted)?;
            Some([top, left, p.height, p.width].map(|n| n as f64 / scale))
        };
        let (fitted, part) = match p.fit {
            Fit::Exact | Fit::Stretch if own == wanted => (original.clone(), Some(whole)),
            Fit::Exact if !resize => return Err(wrong_size()),
            Fit::Exact | Fit::Stretch => (original.resized(p.height, p.width), Some(whole)),
            Fit::Crop(None) => {
                let fitted = original.centre(p.height, p.width).ok_or_else(wrong_size)?;
                (fitted, part(&original, 1.0))
            }
            Fit::Crop(Some(side)) => {
                let large = original.shorter_side(side).ok_or_else(wrong_size)?;
                let scale = side as f64 / own[0].min(own[1]) as f64;
                (large.centre(p.height, p.width).ok_or_else(wrong_size)?, part(&large, scale))
            }
        };
        let part = part.ok_or_else(wrong_size)?;
        Ok(Look { images: fitted.to_images(), original, part, notes })
    }
}

/// A picture file as a model takes it.
#[derive(Clone, Debug)]
pub struct Look {
    /// What the network is shown: one image of its size.
    pub images: Images,
    /// The file's picture, in the channels of the network.
    pub original: Picture,
    /// The part of the original that is shown: top, left, height and width in its pixels.
    pub part: [f64; 4],
    /// What was done to the file's picture that a viewer may not expect, such as
    /// `what is transparent is laid over white`.
    pub notes: Vec<String>,
}

fn size_error(what: &str, found: [usize; 3], expected: [usize; 3]) -> Error {
    let size = |[h, w, c]: [usize; 3]| match c {
        1 => format!("{h}×{w} (grey)"),
        3 => format!("{h}×{w} (colour)"),
        _ => format!("{h}×{w} with {c} channels"),
    };
    Error::Size { what: what.to_owned(), found: size(found), expected: size(expected) }
}
