//! The operators a node can have.

/// What a node computes. Shapes are those of one sample, the batch axis is implicit: an image is
/// `[channels, height, width]`, a vector `[features]`.
///
/// Which parameters a node has follows from its operator, in the order given here.
#[derive(Clone, Debug, PartialEq)]
pub enum Op {
    /// The network's input.
    Input {
        /// Shape of one sample.
        shape: Vec<usize>,
    },
    /// Two-dimensional convolution (cross-correlation, as everywhere in deep learning).
    /// Parameters: weight `[out, in / groups, kernel height, kernel width]`, optional bias `[out]`.
    Conv(Conv),
    /// Maximum over windows of each channel; padding never wins.
    MaxPool(Pool),
    /// Mean over windows of each channel; padding is not counted (ONNX `count_include_pad` = 0).
    AvgPool(Pool),
    /// Mean of each channel: `[channels, height, width]` to `[channels, 1, 1]`.
    GlobalAvgPool,
    /// Matrix times vector: `[in]` to `[out]`. Parameters: weight `[out, in]` (PyTorch's layout,
    /// ONNX `Gemm` with `transB` = 1), optional bias `[out]`.
    Dense,
    /// `max(0, x)`.
    Relu,
    /// Softmax over axis 0 of the sample: the features of a vector, the channels of an image.
    Softmax,
    /// Logarithm of the softmax, over the same axis.
    LogSoftmax,
    /// `[channels, height, width]` to `[channels * height * width]`, in that order.
    Flatten,
    /// The same numbers in the same order under another shape.
    Reshape {
        /// The new shape of one sample.
        shape: Vec<usize>,
    },
    /// Sum of two or more inputs of equal shape.
    Add,
    /// Inputs one after the other along axis 0 of the sample, an image's channels.
    Concat,
    /// Batch normalisation (Ioffe & Szegedy 2015) of each channel.
    /// Parameters: scale, bias (trainable), mean, variance (not trainable), each `[channels]`.
    BatchNorm {
        /// Added to the variance.
        epsilon: f32,
        /// Share that the running mean and variance keep at each training step, as in Keras and
        /// ONNX: `running = momentum * running + (1 - momentum) * batch`. PyTorch's `momentum` is
        /// one minus this.
        momentum: f32,
    },
    /// Identity, except in training: there each number is zeroed with probability `rate` and the
    /// others are divided by `1 - rate`.
    Dropout {
        /// Probability of zeroing, from 0 up to but not including 1.
        rate: f32,
    },
}

/// Geometry of a convolution. The kernel's size is read from the weight's shape.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
pub struct Conv {
    /// Rows and columns from one window to the next.
    pub stride: [usize; 2],
    /// Rows and columns of zeros: top, left, bottom, right, as in ONNX `pads`.
    pub padding: [usize; 4],
    /// Distance between neighbouring taps of the kernel, 1 for a dense kernel.
    pub dilation: [usize; 2],
    /// Number of groups that the channels are split into; 1 for an ordinary convolution.
    pub groups: usize,
}

impl Default for Conv {
    /// Stride 1, no padding, no dilation, one group.
    fn default() -> Self {
        Self { stride: [1, 1], padding: [0; 4], dilation: [1, 1], groups: 1 }
    }
}

/// Geometry of a pooling layer.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
pub struct Pool {
    /// Height and width of the window.
    pub kernel: [usize; 2],
    /// Rows and columns from one window to the next.
    pub stride: [usize; 2],
    /// Rows and columns of padding: top, left, bottom, right, as in ONNX `pads`.
    pub padding: [usize; 4],
}

impl Op {
    /// Name of the operator, as the summary's `type` column says it.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Input { .. } => "Input",
            Self::Conv(_) => "Conv",
            Self::MaxPool(_) => "MaxPool",
            Self::AvgPool(_) => "AvgPool",
            Self::GlobalAvgPool => "GlobalAvgPool",
            Self::Dense => "Dense",
            Self::Relu => "Relu",
            Self::Softmax => "Softmax",
            Self::LogSoftmax => "LogSoftmax",
            Self::Flatten => "Flatten",
            Self::Reshape { .. } => "Reshape",
            Self::Add => "Add",
            Self::Concat => "Concat",
            Self::BatchNorm { .. } => "BatchNorm",
            Self::Dropout { .. } => "Dropout",
        }
    }

    /// Names of the operator's parameters, in order; the last one of `Conv` and `Dense` is optional.
    #[must_use]
    pub fn param_roles(&self) -> &'static [&'static str] {
        match self {
            Self::Conv(_) | Self::Dense => &["weight", "bias"],
            Self::BatchNorm { .. } => &["scale", "bias", "mean", "var"],
            _ => &[],
        }
    }

    /// The operator's settings as numbers, for the hash. Floats go in by their bits.
    pub(crate) fn settings(&self) -> Vec<u64> {
        let widen = |numbers: &[usize]| numbers.iter().map(|&n| n as u64).collect::<Vec<_>>();
        let bits = |number: f32| u64::from(number.to_bits());
        match self {
            Self::Input { shape } | Self::Reshape { shape } => widen(shape),
            Self::Conv(Conv { stride, padding, dilation, groups }) => {
                widen(&[&stride[..], padding, dilation, &[*groups]].concat())
            }
            Self::MaxPool(Pool { kernel, stride, padding })
            | Self::AvgPool(Pool { kernel, stride, padding }) => {
                widen(&[&kernel[..], stride, padding].concat())
            }
            Self::BatchNorm { epsilon, momentum } => vec![bits(*epsilon), bits(*momentum)],
            Self::Dropout { rate } => vec![bits(*rate)],
            _ => Vec::new(),
        }
    }
}
