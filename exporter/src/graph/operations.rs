use nezha_graphs::DType;

use super::{Blocks, Op, Scope, Value};

/// Operations, written as in equations.
impl Scope<'_> {
    /// `a + b`.
    pub fn add(&self, a: Value, b: Value) -> Value {
        self.node(Op::Add, &[a, b])
    }

    /// `a − b`.
    pub fn sub(&self, a: Value, b: Value) -> Value {
        self.node(Op::Sub, &[a, b])
    }

    /// `a · b`, element by element.
    pub fn mul(&self, a: Value, b: Value) -> Value {
        self.node(Op::Mul, &[a, b])
    }

    /// `a / b`, element by element.
    pub fn div(&self, a: Value, b: Value) -> Value {
        self.node(Op::Div, &[a, b])
    }

    /// The states of an LSTM after each step, `[length, 1, batch, hidden]`, for `x`
    /// `[length, batch, inputs]`. `weights` are those of [`Op::Lstm`]; `first` is the initial state
    /// and the initial memory, `[1, batch, hidden]`.
    pub fn lstm(&self, x: Value, weights: [Value; 3], first: Value, hidden: usize) -> Value {
        let [of_inputs, of_states, bias] = weights;
        let inputs = [x, of_inputs, of_states, bias, first, first];
        self.node(Op::Lstm { hidden }, &inputs)
    }

    /// The states of a GRU, in the same way, with the weights of [`Op::Gru`].
    pub fn gru(&self, x: Value, weights: [Value; 3], first: Value, hidden: usize) -> Value {
        let [of_inputs, of_states, bias] = weights;
        self.node(Op::Gru { hidden }, &[x, of_inputs, of_states, bias, first])
    }

    /// A convolution of `x` `[batch, channels, length]` that keeps the length, with `padding` zeros
    /// on each side and the kernel's columns `dilation` apart.
    pub fn conv(
        &self,
        x: Value,
        kernel: Value,
        bias: Option<Value>,
        padding: usize,
        dilation: usize,
    ) -> Value {
        let inputs: Vec<Value> = [x, kernel].into_iter().chain(bias).collect();
        self.node(Op::Conv { padding, dilation }, &inputs)
    }

    /// Whether `a = b`, element by element.
    pub fn equal(&self, a: Value, b: Value) -> Value {
        self.node(Op::Equal, &[a, b])
    }

    /// The matrix product, batched over leading axes.
    pub fn matmul(&self, a: Value, b: Value) -> Value {
        self.node(Op::MatMul, &[a, b])
    }

    /// `a·bᵀ + c` of matrices.
    pub fn gemm(&self, a: Value, b: Value, c: Value) -> Value {
        self.node(Op::Gemm, &[a, b, c])
    }

    /// Softmax along the last axis.
    pub fn softmax(&self, x: Value) -> Value {
        self.node(Op::Softmax, &[x])
    }

    /// Cosine.
    pub fn cos(&self, x: Value) -> Value {
        self.node(Op::Cos, &[x])
    }

    /// Sine.
    pub fn sin(&self, x: Value) -> Value {
        self.node(Op::Sin, &[x])
    }

    /// Layer normalization of the last axis.
    pub fn layer_normalization(&self, x: Value, scale: Value, bias: Value, epsilon: f32) -> Value {
        self.node(Op::LayerNormalization { epsilon }, &[x, scale, bias])
    }

    /// The error function.
    pub fn erf(&self, x: Value) -> Value {
        self.node(Op::Erf, &[x])
    }

    /// `x · Φ(x)`, with Φ exact or approximated by tanh; from opset 20.
    pub fn gelu(&self, x: Value, tanh: bool) -> Value {
        self.node(Op::Gelu { tanh }, &[x])
    }

    /// `max(x, 0)`.
    pub fn relu(&self, x: Value) -> Value {
        self.node(Op::Relu, &[x])
    }

    /// `1 / (1 + e⁻ˣ)`.
    pub fn sigmoid(&self, x: Value) -> Value {
        self.node(Op::Sigmoid, &[x])
    }

    /// Hyperbolic tangent.
    pub fn tanh(&self, x: Value) -> Value {
        self.node(Op::Tanh, &[x])
    }

    /// Conversion to another element type.
    pub fn cast(&self, x: Value, to: DType) -> Value {
        self.node(Op::Cast { to }, &[x])
    }

    /// `x` clipped to the range between two values of rank 0.
    pub fn clip(&self, x: Value, least: Value, most: Value) -> Value {
        self.node(Op::Clip, &[x, least, most])
    }

    /// The inputs, concatenated along `axis`.
    pub fn concat(&self, axis: usize, parts: &[Value]) -> Value {
        self.node(Op::Concat { axis }, parts)
    }

    /// `x`, with axes of size 1 repeated up to `shape`.
    pub fn expand(&self, x: Value, shape: Value) -> Value {
        self.node(Op::Expand, &[x, shape])
    }

    /// Slices of `x` along `axis`.
    pub fn gather(&self, x: Value, indices: Value, axis: usize) -> Value {
        self.node(Op::Gather { axis }, &[x, indices])
    }

    /// Elements of `x` along `axis`.
    pub fn gather_elements(&self, x: Value, indices: Value, axis: usize) -> Value {
        self.node(Op::GatherElements { axis }, &[x, indices])
    }

    /// 0, 1, 2, … below `limit`, which has rank 0.
    pub fn range(&self, limit: Value) -> Value {
        let (zero, one) = match self.dtype(limit) {
            DType::I32 => (self.int32(0), self.int32(1)),
            _ => (self.int64(0), self.int64(1)),
        };
        self.node(Op::Range, &[zero, limit, one])
    }

    /// The sum along `axis`, which is kept with size 1.
    pub fn reduce_sum(&self, x: Value, axis: i64) -> Value {
        self.node(Op::ReduceSum, &[x, self.vector(&[axis])])
    }

    /// `x` with another shape: 0 keeps an axis, and −1 stands for the remaining size.
    pub fn reshape(&self, x: Value, shape: &[i64]) -> Value {
        self.reshape_to(x, self.vector(shape))
    }

    /// `x` with a shape that is known only when the graph runs.
    pub fn reshape_to(&self, x: Value, shape: Value) -> Value {
        self.node(Op::Reshape, &[x, shape])
    }

    /// The sizes of the axes from `start` to `end`, which is excluded; int64.
    pub fn shape(&self, x: Value, start: usize, end: usize) -> Value {
        self.node(Op::Shape { start, end }, &[x])
    }

    /// The part of `x` from `start` to `end` (excluded) along `axis`, whose size is fixed.
    pub fn slice(&self, x: Value, axis: usize, start: usize, end: usize) -> Value {
        let [start, end, axis] = [start, end, axis].map(|it| self.vector(&[it as i64]));
        self.node(Op::Slice, &[x, start, end, axis])
    }

    /// `x` without these axes of size 1.
    pub fn squeeze(&self, x: Value, axes: &[i64]) -> Value {
        self.node(Op::Squeeze, &[x, self.vector(axes)])
    }

    /// `x` with its axes reordered.
    pub fn transpose(&self, x: Value, perm: &[usize]) -> Value {
        self.node(
            Op::Transpose {
                perm: perm.to_vec(),
            },
            &[x],
        )
    }

    /// `x` with new axes of size 1.
    pub fn unsqueeze(&self, x: Value, axes: &[i64]) -> Value {
        self.node(Op::Unsqueeze, &[x, self.vector(axes)])
    }

    /// Absolute value.
    pub fn abs(&self, x: Value) -> Value {
        self.node(Op::Abs, &[x])
    }

    /// `eˣ`.
    pub fn exp(&self, x: Value) -> Value {
        self.node(Op::Exp, &[x])
    }

    /// Natural logarithm.
    pub fn log(&self, x: Value) -> Value {
        self.node(Op::Log, &[x])
    }

    /// Logarithm of the softmax along the last axis.
    pub fn log_softmax(&self, x: Value) -> Value {
        self.node(Op::LogSoftmax, &[x])
    }

    /// `−x`.
    pub fn neg(&self, x: Value) -> Value {
        self.node(Op::Neg, &[x])
    }

    /// Square root.
    pub fn sqrt(&self, x: Value) -> Value {
        self.node(Op::Sqrt, &[x])
    }

    /// The larger of two values, element by element.
    pub fn max(&self, a: Value, b: Value) -> Value {
        self.node(Op::Max, &[a, b])
    }

    /// Slices of `x` at pairs of indices along its first two axes.
    pub fn gather_nd(&self, x: Value, indices: Value) -> Value {
        self.node(Op::GatherNd, &[x, indices])
    }

    /// The mean of all elements, of rank 0.
    pub fn mean_all(&self, x: Value) -> Value {
        self.node(Op::MeanAll, &[x])
    }

    /// The sum of all elements, of rank 0.
    pub fn sum_all(&self, x: Value) -> Value {
        self.node(Op::SumAll, &[x])
    }

    /// The maximum along `axis`, which is removed.
    pub fn reduce_max(&self, x: Value, axis: usize) -> Value {
        self.largest(x, axis, false)
    }

    /// The maximum along the last axis, which is kept with size 1.
    pub fn row_max(&self, x: Value) -> Value {
        self.largest(x, self.rank(x).saturating_sub(1), true)
    }

    fn largest(&self, x: Value, axis: usize, keep: bool) -> Value {
        let axes = (self.opset() >= 18).then(|| self.vector(&[axis as i64]));
        let inputs: Vec<Value> = [x].into_iter().chain(axes).collect();
        self.node(Op::ReduceMax { axis, keep }, &inputs)
    }

    /// `x / scale`, rounded, shifted by `zero_point`, and clipped to its type.
    pub fn quantize_linear(&self, x: Value, scale: Value, zero_point: Value) -> Value {
        self.node(Op::QuantizeLinear, &[x, scale, zero_point])
    }

    /// `x·scale` of signed bytes, with one scale for each index of `axis`.
    pub fn dequantize_linear(&self, x: Value, scale: Value, axis: usize) -> Value {
        self.node(Op::DequantizeLinear { axis }, &[x, scale])
    }

    /// `(a − zero_point)·b` of matrices of bytes, batched over leading axes; int32.
    pub fn matmul_integer(&self, a: Value, b: Value, zero_point: Value) -> Value {
        self.node(Op::MatMulInteger, &[a, b, zero_point])
    }

    /// `a·bᵀ`; `b` is the rows of a matrix `[rows, columns]` in blocks, and their scales.
    pub fn matmul_nbits(
        &self,
        a: Value,
        b: [Value; 2],
        blocks: Blocks,
        shape: [usize; 2],
    ) -> Value {
        let [rows, columns] = shape;
        let op = Op::MatMulNBits {
            blocks,
            columns,
            rows,
        };
        self.node(op, &[a, b[0], b[1]])
    }

    /// The `count` largest elements along the last axis, and their indices, int64.
    pub fn top_k(&self, x: Value, count: usize) -> [Value; 2] {
        let results = self.results(Op::TopK, &[x, self.vector(&[count as i64])]);
        [results[0], results[1]]
    }
}
