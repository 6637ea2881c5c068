//! The operators a node can have.
//!
//! Those of networks that are built and trained here come first; the rest are what image models from
//! elsewhere are made of. Axes are those of a sample: axis 0 is the one after the batch.

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
    /// The same numbers for every sample, without input. Parameter: value, of this shape.
    Constant {
        /// Shape of the value.
        shape: Vec<usize>,
    },
    /// A function of each number.
    Unary(Unary),
    /// A function of each pair of numbers of two inputs. Shapes are aligned at their ends, and a size
    /// of 1 is repeated (NumPy's broadcasting).
    Binary(Binary),
    /// A number made of those along some axes, such as their mean.
    Reduce {
        /// What becomes of the numbers.
        kind: Reduce,
        /// The axes, ascending.
        axes: Vec<usize>,
        /// The axes stay, with size 1.
        keep: bool,
    },
    /// Position of the largest number along an axis, counted from 0. No gradient flows.
    ArgMax {
        /// The axis.
        axis: usize,
        /// The axis stays, with size 1.
        keep: bool,
        /// Of equal numbers the last, not the first.
        last: bool,
    },
    /// Softmax along any axis, or its logarithm.
    SoftmaxAlong {
        /// The axis.
        axis: usize,
        /// The logarithm of it.
        log: bool,
    },
    /// Matrix products of the last two axes of two inputs, `[…, m, k] × […, k, n]`; the axes before are
    /// aligned as in [`Op::Binary`].
    MatMul,
    /// Axis `i` of the output is axis `axes[i]` of the input.
    Transpose {
        /// A permutation of the axes.
        axes: Vec<usize>,
    },
    /// Along each axis the numbers from `start` in steps of `step`.
    Slice {
        /// One for each axis.
        spans: Vec<Span>,
    },
    /// Inputs one after the other along any axis.
    ConcatAlong {
        /// The axis.
        axis: usize,
    },
    /// Numbers around the input.
    Pad {
        /// How many before and after, for each axis.
        amounts: Vec<[usize; 2]>,
        /// Which numbers.
        mode: PadMode,
    },
    /// Sizes of 1 are repeated.
    Expand {
        /// The output's shape.
        shape: Vec<usize>,
    },
    /// Some positions of an axis, in any order.
    Gather {
        /// The axis.
        axis: usize,
        /// Positions, counted from 0.
        indices: Vec<usize>,
    },
    /// Enlarges or reduces along the axes.
    Resize(Resize),
    /// Local response normalisation across channels (Krizhevsky et al. 2012, section 3.3, as ONNX
    /// states it): `x / (bias + alpha / size · Σ x²) ^ beta` over `size` neighbouring channels.
    LocalResponseNorm {
        /// Number of channels, the own one in the middle.
        size: usize,
        /// Weight of the squares.
        alpha: f32,
        /// The power.
        beta: f32,
        /// Added to the sum.
        bias: f32,
    },
    /// Layer normalisation (Ba et al. 2016) over `axis` and those after it.
    /// Parameters: scale and, optional, bias of these axes' sizes.
    LayerNorm {
        /// First normalised axis.
        axis: usize,
        /// Added to the variance.
        epsilon: f32,
    },
    /// Group normalisation (Wu & He 2018); with as many groups as channels, instance normalisation
    /// (Ulyanov et al. 2016). Parameters: scale, bias, each `[channels]`.
    GroupNorm {
        /// Number of groups that the channels are split into.
        groups: usize,
        /// Added to the variance.
        epsilon: f32,
    },
    /// Of three inputs, condition, `a` and `b`, aligned as in [`Op::Binary`]: `a` where the condition is not 0,
    /// else `b`. No gradient flows to the condition.
    Where,
    /// Sums of the numbers along an axis up to each place.
    CumSum {
        /// The axis.
        axis: usize,
        /// The place itself does not count.
        exclusive: bool,
        /// From the end.
        reverse: bool,
    },
    /// Transposed convolution: the adjoint of a convolution, which enlarges the image.
    /// Parameters: weight `[in, out / groups, kernel height, kernel width]`, optional bias `[out]`.
    ConvTranspose(ConvTranspose),
}

/// A function of one number. `x` is the number.
#[derive(Copy, Clone, Debug, PartialEq)]
pub enum Unary {
    /// `|x|`
    Abs,
    /// `1 / x`
    Reciprocal,
    /// `√x`
    Sqrt,
    /// `eˣ`
    Exp,
    /// Natural logarithm.
    Log,
    /// Error function.
    Erf,
    /// `1 / (1 + e⁻ˣ)`
    Sigmoid,
    /// Hyperbolic tangent.
    Tanh,
    /// `ln(1 + eˣ)`
    Softplus,
    /// `x / (1 + |x|)`
    Softsign,
    /// Sine.
    Sin,
    /// Cosine.
    Cos,
    /// `x · max(0, min(1, x / 6 + ½))` (Howard et al. 2019).
    HardSwish,
    /// `x · tanh(softplus(x))` (Misra 2019).
    Mish,
    /// `x · Φ(x)` with the normal distribution's Φ (Hendrycks & Gimpel 2016).
    Gelu,
    /// The same with Φ approximated by a hyperbolic tangent (ibid., section 2).
    GeluTanh,
    /// The largest whole number not above; its gradient is 0.
    Floor,
    /// The smallest whole number not below; its gradient is 0.
    Ceil,
    /// The nearest whole number, from the middle the even one; its gradient is 0.
    Round,
    /// What stands before the decimal point; its gradient is 0.
    Truncate,
    /// −1, 0 or 1; its gradient is 0.
    Sign,
    /// Of a condition its contrary: 1 where `x` is 0, else 0.
    Not,
    /// 1 where `x` is not 0, else 0: a condition.
    NonZero,
    /// `max(0, x) + min(0, alpha · (e^(x / alpha) − 1))` (Barron 2017).
    Celu {
        /// Scale of the negative side.
        alpha: f32,
    },
    /// `x` above `alpha`, else 0 (Konda et al. 2015).
    ThresholdedRelu {
        /// The threshold.
        alpha: f32,
    },
    /// `x` above 0, else `slope · x` (Maas et al. 2013).
    LeakyRelu {
        /// Of the negative side.
        slope: f32,
    },
    /// `x` above 0, else `alpha · (eˣ − 1)` (Clevert et al. 2015).
    Elu {
        /// Of the negative side.
        alpha: f32,
    },
    /// `gamma · x` above 0, else `gamma · alpha · (eˣ − 1)` (Klambauer et al. 2017).
    Selu {
        /// Of the negative side.
        alpha: f32,
        /// Of both sides.
        gamma: f32,
    },
    /// `max(0, min(1, alpha · x + beta))`
    HardSigmoid {
        /// Slope.
        alpha: f32,
        /// Value at 0.
        beta: f32,
    },
    /// `x`, but not below `low` nor above `high`.
    Clip {
        /// May be −∞.
        low: f32,
        /// May be ∞.
        high: f32,
    },
    /// `x` to a power.
    Power {
        /// The power.
        exponent: f32,
    },
    /// `factor · x`
    Scale {
        /// The factor.
        factor: f32,
    },
    /// `x + by`
    Shift {
        /// What is added.
        by: f32,
    },
    /// Rounds to a number of 8 bits and back: `scale · (clip(round(x / scale) + zero, low, high) − zero)`.
    /// The gradient goes straight through where nothing is cut off (Bengio et al. 2013).
    Quantise {
        /// Distance between neighbouring numbers.
        scale: f32,
        /// Stands for 0.
        zero: i32,
        /// Least number: −128 or 0.
        low: i32,
        /// Largest number: 127 or 255.
        high: i32,
    },
}

/// A function of two numbers, `a` and `b`.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
pub enum Binary {
    /// `a + b`
    Add,
    /// `a − b`
    Sub,
    /// `a · b`
    Mul,
    /// `a / b`
    Div,
    /// `a` to the power `b`.
    Pow,
    /// The smaller; of equals `a`.
    Min,
    /// The larger; of equals `a`.
    Max,
    /// `a` where it is above 0, else `b · a` (He et al. 2015, PReLU).
    PRelu,
    /// 1 where `a = b`, else 0. A condition has no gradient.
    Equal,
    /// 1 where `a < b`, else 0.
    Less,
    /// 1 where `a ≤ b`, else 0.
    LessOrEqual,
    /// 1 where neither is 0, else 0.
    And,
    /// 1 where one or both are not 0, else 0.
    Or,
    /// 1 where one of them is not 0, and not both, else 0.
    Xor,
}

/// What a reduction makes of numbers `x`.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
pub enum Reduce {
    /// `Σ x / n`
    Mean,
    /// `Σ x`
    Sum,
    /// `Π x`
    Prod,
    /// The largest; of equals the first one gets the gradient.
    Max,
    /// The smallest; of equals the first one gets the gradient.
    Min,
    /// `Σ |x|`
    L1,
    /// `√Σ x²`
    L2,
    /// `Σ x²`
    SumSquare,
    /// `ln Σ x`
    LogSum,
    /// `ln Σ eˣ`
    LogSumExp,
}

/// Part of an axis.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
pub struct Span {
    /// First position.
    pub start: usize,
    /// Number of positions, at least 1.
    pub count: usize,
    /// From one position to the next; backwards where negative.
    pub step: isize,
}

/// What stands around a padded input.
#[derive(Copy, Clone, Debug, PartialEq)]
pub enum PadMode {
    /// One number.
    Constant(f32),
    /// The input mirrored at its edge, which is not repeated.
    Reflect,
    /// The number at the edge.
    Edge,
    /// The input again, from its other end.
    Wrap,
}

/// How an image is enlarged or reduced, as ONNX's `Resize` states it.
#[derive(Clone, Debug, PartialEq)]
pub struct Resize {
    /// The output's shape.
    pub shape: Vec<usize>,
    /// Output size over input size for each axis, as the file gives it: may differ from the quotient
    /// of the sizes by what was rounded away.
    pub scales: Vec<f32>,
    /// Which numbers are mixed.
    pub mode: Interpolation,
    /// Which place of the input a place of the output stands for.
    pub coordinates: Coordinates,
}

/// Which numbers of the input make one of the output.
#[derive(Copy, Clone, Debug, PartialEq)]
pub enum Interpolation {
    /// One.
    Nearest(Rounding),
    /// Two along each axis.
    Linear,
    /// Four along each axis (Keys 1981).
    Cubic {
        /// Keys's `a`, −0.75 or −0.5.
        a: f32,
        /// Places outside the image do not count, and the others make up for them.
        exclude_outside: bool,
    },
}

/// Which of its neighbours a place between two pixels takes.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
pub enum Rounding {
    /// The nearest, from the middle the one before.
    PreferFloor,
    /// The nearest, from the middle the one after.
    PreferCeil,
    /// The one before.
    Floor,
    /// The one after.
    Ceil,
}

/// Which place `x` of the input the place `y` of the output stands for. `s` is the scale.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
pub enum Coordinates {
    /// `x = (y + ½) / s − ½`
    HalfPixel,
    /// As `HalfPixel`, but 0 where the output has one place.
    PytorchHalfPixel,
    /// As `HalfPixel`, around the middle where the scale does not give a whole size.
    HalfPixelSymmetric,
    /// `x = y / s`
    Asymmetric,
    /// The corners' centres are kept: `x = y · (input − 1) / (output − 1)`.
    AlignCorners,
}

/// Geometry of a transposed convolution.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
pub struct ConvTranspose {
    /// Rows and columns of the output from one of the input to the next.
    pub stride: [usize; 2],
    /// Rows and columns cut off the output: top, left, bottom, right.
    pub padding: [usize; 4],
    /// Distance between neighbouring taps of the kernel.
    pub dilation: [usize; 2],
    /// Number of groups.
    pub groups: usize,
    /// Rows and columns added at the bottom and the right, where nothing but the bias may stand.
    pub output_padding: [usize; 2],
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
            Self::Constant { .. } => "Constant",
            Self::Unary(unary) => unary.kind(),
            Self::Binary(binary) => binary.kind(),
            Self::Reduce { kind, .. } => kind.kind(),
            Self::ArgMax { .. } => "ArgMax",
            Self::SoftmaxAlong { log: false, .. } => "SoftmaxAlong",
            Self::SoftmaxAlong { log: true, .. } => "LogSoftmaxAlong",
            Self::MatMul => "MatMul",
            Self::Transpose { .. } => "Transpose",
            Self::Slice { .. } => "Slice",
            Self::ConcatAlong { .. } => "ConcatAlong",
            Self::Pad { .. } => "Pad",
            Self::Expand { .. } => "Expand",
            Self::Gather { .. } => "Gather",
            Self::Resize(_) => "Resize",
            Self::LocalResponseNorm { .. } => "LocalResponseNorm",
            Self::LayerNorm { .. } => "LayerNorm",
            Self::GroupNorm { .. } => "GroupNorm",
            Self::Where => "Where",
            Self::CumSum { .. } => "CumSum",
            Self::ConvTranspose(_) => "ConvTranspose",
        }
    }

    /// Names of the operator's parameters, in order; the last one of `Conv` and `Dense` is optional.
    #[must_use]
    pub fn param_roles(&self) -> &'static [&'static str] {
        match self {
            Self::Conv(_) | Self::ConvTranspose(_) | Self::Dense => &["weight", "bias"],
            Self::LayerNorm { .. } | Self::GroupNorm { .. } => &["scale", "bias"],
            Self::Constant { .. } => &["value"],
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
            Self::Constant { shape } | Self::Expand { shape } => widen(shape),
            Self::Unary(unary) => unary.settings(),
            Self::Reduce { axes, keep, .. } => widen(&[&axes[..], &[usize::from(*keep)]].concat()),
            Self::ArgMax { axis, keep, last } => {
                widen(&[*axis, usize::from(*keep), usize::from(*last)])
            }
            Self::CumSum { axis, exclusive, reverse } => {
                widen(&[*axis, usize::from(*exclusive), usize::from(*reverse)])
            }
            Self::SoftmaxAlong { axis, .. } | Self::ConcatAlong { axis } => widen(&[*axis]),
            Self::Transpose { axes } => widen(axes),
            Self::Slice { spans } => {
                let span = |s: &Span| [s.start as u64, s.count as u64, s.step as u64];
                spans.iter().flat_map(span).collect()
            }
            Self::Pad { amounts, mode } => {
                let mode = match mode {
                    PadMode::Constant(value) => [0, bits(*value)],
                    PadMode::Reflect => [1, 0],
                    PadMode::Edge => [2, 0],
                    PadMode::Wrap => [3, 0],
                };
                mode.into_iter().chain(widen(&amounts.concat())).collect()
            }
            Self::Gather { axis, indices } => widen(&[&[*axis], &indices[..]].concat()),
            Self::Resize(resize) => resize.settings(),
            Self::LocalResponseNorm { size, alpha, beta, bias } => {
                vec![*size as u64, bits(*alpha), bits(*beta), bits(*bias)]
            }
            Self::LayerNorm { axis: count, epsilon }
            | Self::GroupNorm { groups: count, epsilon } => {
                vec![*count as u64, bits(*epsilon)]
            }
            Self::ConvTranspose(ConvTranspose {
                stride,
                padding,
                dilation,
                groups,
                output_padding,
            }) => widen(&[&stride[..], padding, dilation, &[*groups], output_padding].concat()),
            Self::GlobalAvgPool
            | Self::Dense
            | Self::Relu
            | Self::Softmax
            | Self::LogSoftmax
            | Self::Flatten
            | Self::Add
            | Self::Where
            | Self::Concat
            | Self::Binary(_)
            | Self::MatMul => Vec::new(),
        }
    }
}

impl Unary {
    /// Name of the function.
    #[must_use]
    pub fn kind(self) -> &'static str {
        match self {
            Self::Abs => "Abs",
            Self::Reciprocal => "Reciprocal",
            Self::Sqrt => "Sqrt",
            Self::Exp => "Exp",
            Self::Log => "Log",
            Self::Erf => "Erf",
            Self::Sigmoid => "Sigmoid",
            Self::Tanh => "Tanh",
            Self::Softplus => "Softplus",
            Self::Softsign => "Softsign",
            Self::Sin => "Sin",
            Self::Cos => "Cos",
            Self::HardSwish => "HardSwish",
            Self::Mish => "Mish",
            Self::Gelu => "Gelu",
            Self::GeluTanh => "GeluTanh",
            Self::Floor => "Floor",
            Self::Ceil => "Ceil",
            Self::Round => "Round",
            Self::Truncate => "Truncate",
            Self::Sign => "Sign",
            Self::Not => "Not",
            Self::NonZero => "NonZero",
            Self::Celu { .. } => "Celu",
            Self::ThresholdedRelu { .. } => "ThresholdedRelu",
            Self::LeakyRelu { .. } => "LeakyRelu",
            Self::Elu { .. } => "Elu",
            Self::Selu { .. } => "Selu",
            Self::HardSigmoid { .. } => "HardSigmoid",
            Self::Clip { .. } => "Clip",
            Self::Power { .. } => "Power",
            Self::Scale { .. } => "Scale",
            Self::Shift { .. } => "Shift",
            Self::Quantise { .. } => "Quantise",
        }
    }

    fn settings(self) -> Vec<u64> {
        let bits = |numbers: &[f32]| numbers.iter().map(|n| u64::from(n.to_bits())).collect();
        match self {
            Self::LeakyRelu { slope: a }
            | Self::Elu { alpha: a }
            | Self::Celu { alpha: a }
            | Self::ThresholdedRelu { alpha: a }
            | Self::Power { exponent: a }
            | Self::Scale { factor: a }
            | Self::Shift { by: a } => bits(&[a]),
            Self::Selu { alpha: a, gamma: b }
            | Self::HardSigmoid { alpha: a, beta: b }
            | Self::Clip { low: a, high: b } => bits(&[a, b]),
            Self::Quantise { scale, zero, low, high } => {
                let whole = [zero, low, high].map(|number| i64::from(number) as u64);
                [&[u64::from(scale.to_bits())], &whole[..]].concat()
            }
            _ => Vec::new(),
        }
    }
}

impl Unary {
    /// Whether it gives nothing but 0 and 1.
    pub(crate) fn is_condition(self) -> bool {
        matches!(self, Self::Not | Self::NonZero)
    }
}

impl Binary {
    /// Whether it gives nothing but 0 and 1.
    pub(crate) fn is_condition(self) -> bool {
        use Binary::{And, Equal, Less, LessOrEqual, Or, Xor};
        matches!(self, Equal | Less | LessOrEqual | And | Or | Xor)
    }

    /// Name of the function. A sum with broadcasting is told from [`Op::Add`].
    #[must_use]
    pub fn kind(self) -> &'static str {
        match self {
            Self::Add => "AddBroadcast",
            Self::Sub => "Sub",
            Self::Mul => "Mul",
            Self::Div => "Div",
            Self::Pow => "Pow",
            Self::Min => "Min",
            Self::Max => "Max",
            Self::PRelu => "PRelu",
            Self::Equal => "Equal",
            Self::Less => "Less",
            Self::LessOrEqual => "LessOrEqual",
            Self::And => "And",
            Self::Or => "Or",
            Self::Xor => "Xor",
        }
    }
}

impl Reduce {
    /// Name of the reduction, ONNX's.
    #[must_use]
    pub fn kind(self) -> &'static str {
        match self {
            Self::Mean => "ReduceMean",
            Self::Sum => "ReduceSum",
            Self::Prod => "ReduceProd",
            Self::Max => "ReduceMax",
            Self::Min => "ReduceMin",
            Self::L1 => "ReduceL1",
            Self::L2 => "ReduceL2",
            Self::SumSquare => "ReduceSumSquare",
            Self::LogSum => "ReduceLogSum",
            Self::LogSumExp => "ReduceLogSumExp",
        }
    }
}

impl Resize {
    fn settings(&self) -> Vec<u64> {
        let mode = match self.mode {
            Interpolation::Nearest(rounding) => vec![0, rounding as u64],
            Interpolation::Linear => vec![1],
            Interpolation::Cubic { a, exclude_outside } => {
                vec![2, u64::from(a.to_bits()), u64::from(exclude_outside)]
            }
        };
        let sizes = self.shape.iter().map(|&size| size as u64);
        let scales = self.scales.iter().map(|scale| u64::from(scale.to_bits()));
        mode.into_iter().chain([self.coordinates as u64]).chain(sizes).chain(scales).collect()
    }
}
