//! Which of ONNX's operators are read, from which version on, and how.

/// An operator of ONNX's own domain that is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Operator {
    /// ONNX's name.
    pub name: &'static str,
    /// The operator set from which on it is read: that which introduced it, or the oldest that is read.
    pub since: i64,
    /// How it is read.
    pub reading: Reading,
}

/// How an operator is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    /// Of what layers compute, with gradients.
    Gradient,
    /// Of what layers compute, but no gradient flows: it has steps, or says something of sizes.
    Flat,
    /// Only where all its inputs are constants, when the file is read.
    Constants,
}

const fn of(name: &'static str, since: i64, reading: Reading) -> Operator {
    Operator { name, since, reading }
}

use Reading::{Constants, Flat, Gradient};

/// All operators that are read, by name.
pub const OPERATORS: &[Operator] = &[
    of("Abs", 7, Gradient),
    of("Add", 7, Gradient),
    of("And", 7, Flat),
    of("ArgMax", 7, Flat),
    of("ArgMin", 7, Flat),
    of("AveragePool", 7, Gradient),
    of("BatchNormalization", 7, Gradient),
    of("Cast", 7, Gradient),
    of("CastLike", 15, Gradient),
    of("Ceil", 7, Flat),
    of("Celu", 12, Gradient),
    of("Clip", 7, Gradient),
    of("Concat", 7, Gradient),
    of("Constant", 7, Flat),
    of("ConstantOfShape", 9, Constants),
    of("Conv", 7, Gradient),
    of("ConvTranspose", 7, Gradient),
    of("Cos", 7, Gradient),
    of("CumSum", 11, Gradient),
    of("DepthToSpace", 7, Gradient),
    of("DequantizeLinear", 10, Gradient),
    of("Div", 7, Gradient),
    of("Dropout", 7, Gradient),
    of("Einsum", 12, Gradient),
    of("Elu", 7, Gradient),
    of("Equal", 7, Flat),
    of("Erf", 9, Gradient),
    of("Exp", 7, Gradient),
    of("Expand", 8, Gradient),
    of("Flatten", 7, Gradient),
    of("Floor", 7, Flat),
    of("Gather", 7, Gradient),
    of("GatherElements", 11, Gradient),
    of("Gelu", 20, Gradient),
    of("Gemm", 7, Gradient),
    of("GlobalAveragePool", 7, Gradient),
    of("GlobalMaxPool", 7, Gradient),
    of("Greater", 7, Flat),
    of("GreaterOrEqual", 12, Flat),
    of("GroupNormalization", 18, Gradient),
    of("HardSigmoid", 7, Gradient),
    of("HardSwish", 14, Gradient),
    of("Identity", 7, Gradient),
    of("If", 7, Gradient),
    of("InstanceNormalization", 7, Gradient),
    of("LRN", 7, Gradient),
    of("LayerNormalization", 17, Gradient),
    of("LeakyRelu", 7, Gradient),
    of("Less", 7, Flat),
    of("LessOrEqual", 12, Flat),
    of("Log", 7, Gradient),
    of("LogSoftmax", 7, Gradient),
    of("LpNormalization", 7, Gradient),
    of("MatMul", 7, Gradient),
    of("Max", 7, Gradient),
    of("MaxPool", 7, Gradient),
    of("Mean", 7, Gradient),
    of("Min", 7, Gradient),
    of("Mish", 18, Gradient),
    of("Mod", 10, Constants),
    of("Mul", 7, Gradient),
    of("Neg", 7, Gradient),
    of("NonZero", 9, Constants),
    of("Not", 7, Flat),
    of("Or", 7, Flat),
    of("PRelu", 7, Gradient),
    of("Pad", 7, Gradient),
    of("Pow", 7, Gradient),
    of("QuantizeLinear", 10, Gradient),
    of("Range", 11, Constants),
    of("Reciprocal", 7, Gradient),
    of("ReduceL1", 7, Gradient),
    of("ReduceL2", 7, Gradient),
    of("ReduceLogSum", 7, Gradient),
    of("ReduceLogSumExp", 7, Gradient),
    of("ReduceMax", 7, Gradient),
    of("ReduceMean", 7, Gradient),
    of("ReduceMin", 7, Gradient),
    of("ReduceProd", 7, Gradient),
    of("ReduceSum", 7, Gradient),
    of("ReduceSumSquare", 7, Gradient),
    of("Relu", 7, Gradient),
    of("Reshape", 7, Gradient),
    of("Resize", 10, Gradient),
    of("Round", 11, Flat),
    of("ScatterND", 11, Constants),
    of("Selu", 7, Gradient),
    of("Shape", 7, Flat),
    of("Sigmoid", 7, Gradient),
    of("Sign", 9, Flat),
    of("Sin", 7, Gradient),
    of("Size", 7, Flat),
    of("Slice", 7, Gradient),
    of("Softmax", 7, Gradient),
    of("Softplus", 7, Gradient),
    of("Softsign", 7, Gradient),
    of("SpaceToDepth", 7, Gradient),
    of("Split", 7, Gradient),
    of("Sqrt", 7, Gradient),
    of("Squeeze", 7, Gradient),
    of("Sub", 7, Gradient),
    of("Sum", 7, Gradient),
    of("Tanh", 7, Gradient),
    of("ThresholdedRelu", 10, Gradient),
    of("Tile", 7, Gradient),
    of("Transpose", 7, Gradient),
    of("Trilu", 14, Gradient),
    of("Unsqueeze", 7, Gradient),
    of("Upsample", 7, Gradient),
    of("Where", 9, Gradient),
    of("Xor", 7, Flat),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::onnx::fold::knows;
    use crate::onnx::ops::reader;

    #[test]
    fn the_list_says_what_the_readers_do() {
        for operator in OPERATORS {
            let found = (reader(operator.name).is_some(), knows(operator.name));
            match operator.reading {
                Gradient | Flat => assert!(found.0, "{} has no reader", operator.name),
                Constants => assert_eq!(found, (false, true), "{}", operator.name),
            }
        }
        assert!(OPERATORS.is_sorted_by(|a, b| a.name < b.name));
        assert!(OPERATORS.iter().all(|o| o.since >= crate::onnx::OLDEST_OPSET));
    }

    /// Every operator of ONNX 1.23 (operator set 27), so that none is read that the list does not have.
    #[test]
    fn the_list_is_whole() {
        let all = "Abs Acos Acosh Add AffineGrid And ArgMax ArgMin Asin Asinh Atan Atanh Attention \
                   AveragePool BatchNormalization Bernoulli BitCast BitShift BitwiseAnd BitwiseNot \
                   BitwiseOr BitwiseXor BlackmanWindow Cast CastLike CausalConvWithState Ceil Celu \
                   CenterCropPad Clip Col2Im Compress Concat ConcatFromSequence Constant ConstantOfShape \
                   Conv ConvInteger ConvTranspose Cos Cosh CumProd CumSum DFT DeformConv DepthToSpace \
                   DequantizeLinear Det Div Dropout DynamicQuantizeLinear Einsum Elu Equal Erf Exp Expand \
                   EyeLike Flatten Floor GRU Gather GatherElements GatherND Gelu Gemm GlobalAveragePool \
                   GlobalLpPool GlobalMaxPool Greater GreaterOrEqual GridSample GroupNormalization \
                   HammingWindow HannWindow HardSigmoid HardSwish Hardmax Identity If ImageDecoder \
                   InstanceNormalization IsInf IsNaN LRN LSTM LayerNormalization LeakyRelu Less LessOrEqual \
                   LinearAttention Log LogSoftmax Loop LpNormalization LpPool MatMul MatMulInteger Max \
                   MaxPool MaxRoiPool MaxUnpool Mean MeanVarianceNormalization MelWeightMatrix Min Mish Mod \
                   Mul Multinomial Neg NegativeLogLikelihoodLoss NonMaxSuppression NonZero Not OneHot \
                   Optional OptionalGetElement OptionalHasElement Or PRelu Pad Pow QLinearConv \
                   QLinearMatMul QuantizeLinear RMSNormalization RNN RandomNormal RandomNormalLike \
                   RandomUniform RandomUniformLike Range Reciprocal ReduceL1 ReduceL2 ReduceLogSum \
                   ReduceLogSumExp ReduceMax ReduceMean ReduceMin ReduceProd ReduceSum ReduceSumSquare \
                   RegexFullMatch Relu Reshape Resize ReverseSequence RoiAlign RotaryEmbedding Round STFT \
                   Scan Scatter ScatterElements ScatterND Selu SequenceAt SequenceConstruct SequenceEmpty \
                   SequenceErase SequenceInsert SequenceLength SequenceMap Shape Shrink Sigmoid Sign Sin \
                   Sinh Size Slice Softmax SoftmaxCrossEntropyLoss Softplus Softsign SpaceToDepth Split \
                   SplitToSequence Sqrt Squeeze StringConcat StringNormalizer StringSplit Sub Sum SwiGLU \
                   Swish Tan Tanh TensorScatter TfIdfVectorizer ThresholdedRelu Tile TopK Transpose Trilu \
                   Unique Unsqueeze Upsample Where Xor";
        for name in all.split(' ') {
            let read = reader(name).is_some() || knows(name);
            let listed = OPERATORS.iter().any(|operator| operator.name == name);
            assert_eq!(read, listed, "{name}");
        }
    }
}
