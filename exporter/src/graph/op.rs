use nezha_graphs::DType;

use super::Blocks;

/// An ONNX operator with its attributes; inputs belong to the node.
///
/// The set is closed: an operator that is not here can't be misspelt.
#[derive(Clone, Debug, PartialEq)]
pub enum Op {
    /// Magnitude.
    Abs,
    /// Sum, with broadcasting.
    Add,
    /// All of the inputs one after the other along `axis`.
    Concat {
        /// The axis.
        axis: usize,
    },
    /// Inputs: values `[batch, channels, length]`, kernel `[outputs, channels, columns]`, and a bias where
    /// there is one. A convolution that keeps the length.
    Conv {
        /// Zeros on each side.
        padding: usize,
        /// How far apart the kernel's columns are.
        dilation: usize,
    },
    /// Cosine.
    Cos,
    /// Conversion to another element type.
    Cast {
        /// The element type.
        to: DType,
    },
    /// Inputs: values, least, most.
    Clip,
    /// Inputs: bytes, a scale for each index of an axis. The values that they stand for.
    DequantizeLinear {
        /// The axis.
        axis: usize,
    },
    /// Quotient, with broadcasting.
    Div,
    /// Equality, with broadcasting.
    Equal,
    /// The error function.
    Erf,
    /// `eˣ`.
    Exp,
    /// Inputs: values, shape. Repeats axes of size 1.
    Expand,
    /// Inputs: values, indices. Whole slices along `axis`.
    Gather {
        /// The axis.
        axis: usize,
    },
    /// Inputs: values, indices of the same rank. Single elements along `axis`.
    GatherElements {
        /// The axis.
        axis: usize,
    },
    /// Inputs: values, indices `[n, 2]`. Slices along the first two axes.
    GatherNd,
    /// `x · Φ(x)`, exact or by tanh; opset 20.
    Gelu {
        /// Whether Φ is approximated by tanh.
        tanh: bool,
    },
    /// `A·Bᵀ + C` of matrices.
    Gemm,
    /// Inputs: values `[length, batch, inputs]`, `[1, 3·hidden, inputs]`, `[1, 3·hidden, hidden]`,
    /// `[1, 6·hidden]`, the first states `[1, batch, hidden]`; the gates in the order update, reset, new. States `[length, 1, batch, hidden]`, the reset
    /// after the product as in torch.
    Gru {
        /// Numbers of a state.
        hidden: usize,
    },
    /// The value itself, under another name.
    Identity,
    /// Inputs: values, scale, bias. Normalises the last axis.
    LayerNormalization {
        /// Added to the variance.
        epsilon: f32,
    },
    /// Natural logarithm.
    Log,
    /// Logarithm of the softmax along the last axis.
    LogSoftmax,
    /// Inputs: values `[length, batch, inputs]`, `[1, 4·hidden, inputs]`, `[1, 4·hidden, hidden]`,
    /// `[1, 8·hidden]`, the first states and memories `[1, batch, hidden]`; the gates in the order input, output, forget, cell. States `[length, 1, batch, hidden]`.
    Lstm {
        /// Numbers of a state.
        hidden: usize,
    },
    /// Product of matrices, batched over leading axes with broadcasting.
    MatMul,
    /// Inputs: bytes A, bytes B, where 0 is in A. The product of matrices, int32.
    MatMulInteger,
    /// Inputs: A, the rows of B in blocks, their scales. `A·Bᵀ`; an operator of ONNX Runtime's.
    MatMulNBits {
        /// How the rows of B are divided.
        blocks: Blocks,
        /// Elements of a row.
        columns: usize,
        /// Rows of B.
        rows: usize,
    },
    /// The larger one, with broadcasting.
    Max,
    /// The mean of all elements, of rank 0.
    MeanAll,
    /// Product, with broadcasting.
    Mul,
    /// `−x`.
    Neg,
    /// Inputs: values, scale, zero point. Rounds to the zero point's type and keeps within it.
    QuantizeLinear,
    /// Inputs: start, limit, step; all of rank 0.
    Range,
    /// Inputs: values, and from opset 18 axes.
    ReduceMax {
        /// The axis.
        axis: usize,
        /// Whether the axis stays, with size 1.
        keep: bool,
    },
    /// Inputs: values, axes. The axes stay, with size 1.
    ReduceSum,
    /// `max(x, 0)`.
    Relu,
    /// Inputs: values, shape; 0 keeps an axis, −1 takes what is left.
    Reshape,
    /// The sizes of the axes from `start` up to `end`.
    Shape {
        /// The first axis.
        start: usize,
        /// The axis after the last.
        end: usize,
    },
    /// `1 / (1 + e⁻ˣ)`.
    Sigmoid,
    /// Sine.
    Sin,
    /// Inputs: values, starts, ends, axes.
    Slice,
    /// Exponentials that sum to 1 along the last axis.
    Softmax,
    /// Square root.
    Sqrt,
    /// Inputs: values, axes of size 1 to drop.
    Squeeze,
    /// Difference, with broadcasting.
    Sub,
    /// The sum of all elements, of rank 0.
    SumAll,
    /// Hyperbolic tangent.
    Tanh,
    /// Inputs: values, how many. Gives the largest along the last axis, and where they were.
    TopK,
    /// Axes in another order.
    Transpose {
        /// For each axis of the result, the axis it comes from.
        perm: Vec<usize>,
    },
    /// Inputs: values, axes of size 1 to add.
    Unsqueeze,
}

impl Op {
    /// The operator's name in ONNX.
    pub fn name(&self) -> &'static str {
        match self {
            Op::Abs => "Abs",
            Op::Add => "Add",
            Op::Cast { .. } => "Cast",
            Op::Clip => "Clip",
            Op::Concat { .. } => "Concat",
            Op::Conv { .. } => "Conv",
            Op::Cos => "Cos",
            Op::DequantizeLinear { .. } => "DequantizeLinear",
            Op::Div => "Div",
            Op::Equal => "Equal",
            Op::Erf => "Erf",
            Op::Exp => "Exp",
            Op::Expand => "Expand",
            Op::Gather { .. } => "Gather",
            Op::GatherElements { .. } => "GatherElements",
            Op::GatherNd => "GatherND",
            Op::Gelu { .. } => "Gelu",
            Op::Gemm => "Gemm",
            Op::Gru { .. } => "GRU",
            Op::Identity => "Identity",
            Op::LayerNormalization { .. } => "LayerNormalization",
            Op::Log => "Log",
            Op::LogSoftmax => "LogSoftmax",
            Op::Lstm { .. } => "LSTM",
            Op::MatMul => "MatMul",
            Op::MatMulInteger => "MatMulInteger",
            Op::MatMulNBits { .. } => "MatMulNBits",
            Op::Max => "Max",
            Op::MeanAll => "ReduceMean",
            Op::Mul => "Mul",
            Op::Neg => "Neg",
            Op::QuantizeLinear => "QuantizeLinear",
            Op::Range => "Range",
            Op::ReduceMax { .. } => "ReduceMax",
            Op::ReduceSum | Op::SumAll => "ReduceSum",
            Op::Relu => "Relu",
            Op::Reshape => "Reshape",
            Op::Shape { .. } => "Shape",
            Op::Sigmoid => "Sigmoid",
            Op::Sin => "Sin",
            Op::Slice => "Slice",
            Op::Softmax => "Softmax",
            Op::Sqrt => "Sqrt",
            Op::Squeeze => "Squeeze",
            Op::Sub => "Sub",
            Op::Tanh => "Tanh",
            Op::TopK => "TopK",
            Op::Transpose { .. } => "Transpose",
            Op::Unsqueeze => "Unsqueeze",
        }
    }

    /// The domain of the operator; empty for ONNX's own.
    pub fn domain(&self) -> &'static str {
        match self {
            Op::MatMulNBits { .. } => "com.microsoft",
            _ => "",
        }
    }
}
