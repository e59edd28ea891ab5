use nezha_graphs::DType;

use super::Blocks;

/// An ONNX operator with its attributes. The inputs belong to the node.
///
/// The set is closed, so the name of an operator can't be misspelled.
#[derive(Clone, Debug, PartialEq)]
pub enum Op {
    /// Absolute value.
    Abs,
    /// Sum, with broadcasting.
    Add,
    /// The inputs, concatenated along `axis`.
    Concat {
        /// The axis.
        axis: usize,
    },
    /// A convolution that keeps the length. Inputs: values `[batch, channels, length]`, kernel
    /// `[outputs, channels, columns]`, and optionally a bias.
    Conv {
        /// Zeros on each side.
        padding: usize,
        /// Distance between the kernel's columns.
        dilation: usize,
    },
    /// Cosine.
    Cos,
    /// Conversion to another element type.
    Cast {
        /// The element type.
        to: DType,
    },
    /// Clips to a range. Inputs: values, minimum, maximum.
    Clip,
    /// Dequantized values. Inputs: bytes, and one scale for each index of `axis`.
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
    /// Repeats axes of size 1. Inputs: values, shape.
    Expand,
    /// Whole slices along `axis`. Inputs: values, indices.
    Gather {
        /// The axis.
        axis: usize,
    },
    /// Single elements along `axis`. Inputs: values, indices of the same rank.
    GatherElements {
        /// The axis.
        axis: usize,
    },
    /// Slices along the first two axes. Inputs: values, indices `[n, 2]`.
    GatherNd,
    /// `x · Φ(x)`, exact or approximated by tanh; from opset 20.
    Gelu {
        /// Whether Φ is approximated by tanh.
        tanh: bool,
    },
    /// `A·Bᵀ + C` of matrices.
    Gemm,
    /// The states of a GRU, `[length, 1, batch, hidden]`, with the reset gate applied after the
    /// product, as in PyTorch. Inputs: values `[length, batch, inputs]`, weights
    /// `[1, 3·hidden, inputs]` and `[1, 3·hidden, hidden]`, biases `[1, 6·hidden]`, initial states
    /// `[1, batch, hidden]`. The order of the gates is update, reset, new.
    Gru {
        /// Size of the state.
        hidden: usize,
    },
    /// A copy of the value.
    Identity,
    /// Normalizes the last axis. Inputs: values, scale, bias.
    LayerNormalization {
        /// The ε that is added to the variance.
        epsilon: f32,
    },
    /// Natural logarithm.
    Log,
    /// Logarithm of the softmax along the last axis.
    LogSoftmax,
    /// The states of an LSTM, `[length, 1, batch, hidden]`. Inputs: values
    /// `[length, batch, inputs]`, weights `[1, 4·hidden, inputs]` and `[1, 4·hidden, hidden]`,
    /// biases `[1, 8·hidden]`, initial states and memories `[1, batch, hidden]` each. The order of
    /// the gates is input, output, forget, cell.
    Lstm {
        /// Size of the state.
        hidden: usize,
    },
    /// Matrix product, batched over leading axes with broadcasting.
    MatMul,
    /// Matrix product of bytes, as int32. Inputs: A, B, and the zero point of A.
    MatMulInteger,
    /// `A·Bᵀ`, in an operator of ONNX Runtime. Inputs: A, the rows of B in blocks, and their
    /// scales.
    MatMulNBits {
        /// The blocks of the rows of B.
        blocks: Blocks,
        /// Number of elements in a row of B.
        columns: usize,
        /// Number of rows of B.
        rows: usize,
    },
    /// The larger of two values, with broadcasting.
    Max,
    /// The mean of all elements, of rank 0.
    MeanAll,
    /// Product, with broadcasting.
    Mul,
    /// `−x`.
    Neg,
    /// Divides by the scale, rounds, adds the zero point, and clips to the zero point's type.
    /// Inputs: values, scale, zero point.
    QuantizeLinear,
    /// The numbers from start to limit, which is excluded. Inputs: start, limit, step, of rank 0.
    Range,
    /// The maximum along an axis. Inputs: values, and from opset 18 the axis.
    ReduceMax {
        /// The axis.
        axis: usize,
        /// Whether the axis is kept, with size 1.
        keep: bool,
    },
    /// The sum along axes, which are kept with size 1. Inputs: values, axes.
    ReduceSum,
    /// `max(x, 0)`.
    Relu,
    /// Another shape. Inputs: values, shape; in the shape, 0 keeps an axis, and −1 stands for the
    /// remaining size.
    Reshape,
    /// The sizes of the axes from `start` to `end`, which is excluded.
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
    /// A part of the values. Inputs: values, starts, ends, axes.
    Slice,
    /// Exponentials that sum to 1 along the last axis.
    Softmax,
    /// Square root.
    Sqrt,
    /// Removes axes of size 1. Inputs: values, axes.
    Squeeze,
    /// Difference, with broadcasting.
    Sub,
    /// The sum of all elements, of rank 0.
    SumAll,
    /// Hyperbolic tangent.
    Tanh,
    /// The largest elements along the last axis, and their indices. Inputs: values, number of
    /// elements.
    TopK,
    /// Reorders the axes.
    Transpose {
        /// For each axis of the result, the axis of the input.
        perm: Vec<usize>,
    },
    /// Adds axes of size 1. Inputs: values, axes.
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

    /// The operator's domain; empty for standard operators.
    pub fn domain(&self) -> &'static str {
        match self {
            Op::MatMulNBits { .. } => "com.microsoft",
            _ => "",
        }
    }
}
