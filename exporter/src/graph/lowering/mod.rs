//! What a [`Precision`] makes of an operation: the one place where the architecture's equations,
//! written for single precision, become those of another.
//!
//! Each operation passes through [`lower`] on its way into the graph. Weights are still in single
//! precision there; an operation that wants one otherwise takes it [encoded], and what nobody takes
//! is dropped with everything else that no output needs.

mod blocks;
mod half;
mod int8;
mod stored;
mod w8;

use nezha_graphs::{DType, Precision};

use super::state::Conversion;
use super::weight::{Blocks, Encoding, Layout, Weight};
use super::{Op, Scope, Value};

/// The result of `op` in the precision of the graph; `None` where it is computed as it stands.
pub(super) fn lower(s: &Scope, op: &Op, inputs: &[Value]) -> Option<Value> {
    match s.builder.precision {
        Precision::Fp32 => None,
        Precision::Fp16Storage => stored::lower(s, op, inputs),
        Precision::Fp16 => half::lower(s, op, inputs),
        Precision::Int8 => int8::lower(s, &MatrixOp::of(s, op, inputs)?),
        Precision::W8 => w8::lower(s, &MatrixOp::of(s, op, inputs)?),
        Precision::Q8 => blocks::lower(s, &MatrixOp::of(s, op, inputs)?, Blocks::Q8),
        Precision::Q4 => blocks::lower(s, &MatrixOp::of(s, op, inputs)?, Blocks::Q4),
    }
}

/// `Σ p·mask` along the last axis, which stays with size 1.
pub(super) fn sum_where(s: &Scope, p: Value, mask: Value) -> Value {
    match s.builder.precision {
        Precision::Int8 => int8::sum_where(s, p, mask),
        _ => {
            let last = s.value_type(p).shape.len() as i64 - 1;
            s.reduce_sum(s.mul(p, mask), last)
        }
    }
}

/// `value` as an output of element type `dtype`: signatures are the same in all precisions.
pub(super) fn output(s: &Scope, value: Value, dtype: DType) -> Value {
    match (s.dtype(value), dtype) {
        (DType::F16, DType::F32) => single(s, value),
        _ => value,
    }
}

/// A table of fewer rows takes more operations than it saves bytes.
const SMALL_TABLE: usize = 16;

/// The two things that are done with a matrix of weights.
enum MatrixOp {
    /// `x·Wᵀ`, and what is added to it; W is [outputs, inputs].
    Product {
        x: Value,
        matrix: Value,
        bias: Option<Value>,
    },
    /// The rows of a table at some indices.
    Rows { table: Value, indices: Value },
}

impl MatrixOp {
    fn of(s: &Scope, op: &Op, inputs: &[Value]) -> Option<Self> {
        let layout_of = |value: &Value| s.builder.weight_of(*value).map(|it| it.layout);
        match (op, inputs) {
            (Op::MatMul, [x, w]) if layout_of(w)? == Layout::Transposed => Some(Self::Product {
                x: *x,
                matrix: *w,
                bias: None,
            }),
            (Op::Gemm, [x, w, c]) if layout_of(w)? == Layout::AsStored => Some(Self::Product {
                x: *x,
                matrix: *w,
                bias: Some(*c),
            }),
            (Op::Gather { axis: 0 }, [table, indices]) if layout_of(table)? == Layout::AsStored => {
                let [rows, _] = s.builder.weight_of(*table)?.stored_matrix()?;
                (rows >= SMALL_TABLE).then_some(Self::Rows {
                    table: *table,
                    indices: *indices,
                })
            }
            _ => None,
        }
    }
}

/// The weight that `value` is, in another encoding; `shape` is that in the graph.
fn encoded(s: &Scope, value: Value, weight: &Weight, encoding: Encoding, shape: &[usize]) -> Value {
    let layout = match encoding {
        Encoding::F32 | Encoding::F16 | Encoding::Int8 => weight.layout,
        Encoding::Int8Scales | Encoding::Blocks(_) | Encoding::BlockScales(_) => Layout::AsStored,
    };
    s.converted(value, Conversion::Encoded(encoding), || {
        [s.builder.weight(&weight.name, layout, encoding, shape)]
    })[0]
}

/// Where the conversion of `value` stands, which any number of others read: where it was made, or at
/// its first reader `s`.
fn place_of<'g>(s: &Scope<'g>, value: Value) -> Scope<'g> {
    let path = s.builder.path_of(value);
    path.map_or_else(|| s.clone(), |path| s.builder.scope(&path))
}

/// `value` in half precision.
fn half(s: &Scope, value: Value) -> Value {
    match (s.builder.weight_of(value), s.dtype(value)) {
        (Some(weight), _) => encoded(s, value, &weight, Encoding::F16, &weight.shape),
        (None, DType::F32) => s.converted(value, Conversion::Half, || {
            let constant = s.builder.half_of_constant(value);
            [constant.unwrap_or_else(|| place_of(s, value).cast(value, DType::F16))]
        })[0],
        _ => value,
    }
}

/// `value` in single precision; weights are stored in half.
fn single(s: &Scope, value: Value) -> Value {
    let narrow = match s.builder.weight_of(value) {
        Some(_) => half(s, value),
        None => value,
    };
    match s.dtype(narrow) {
        DType::F16 => s.converted(value, Conversion::Single, || {
            [place_of(s, narrow).cast(narrow, DType::F32)]
        })[0],
        _ => narrow,
    }
}
