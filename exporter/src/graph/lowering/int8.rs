//! int8 in standard operators, so that rows do not depend on each other:
//!
//! ```text
//! x ≈ r·(X − 128)    each row of x with the scale r = max|x|/127, X uint8
//! W ≈ c·V            each row of W with the scale c, V int8, see `quantize::rows`
//! x·Wᵀ ≈ r·c·((X − 128)·Vᵀ)
//! ```
//!
//! The sums are of whole numbers, exact in any order: a token's answer is the same bits alone, padded
//! and in any batch.

use nezha_graphs::DType;

use super::{MatrixOp, encoded};
use crate::graph::builder::Conversion;
use crate::graph::weight::{Encoding, Layout};
use crate::graph::{Scope, Value};

/// The largest magnitude of a signed byte that −x has too.
const LARGEST: f32 = 127.0;

/// Where 0 is among unsigned bytes.
const ZERO_POINT: u8 = 128;

/// A row of zeros must not be divided by its largest element.
const LEAST: f32 = 1e-30;

/// 1 in fixed point: a little more still fits an int32, and 2⁻³⁰ is far below what int8 resolves.
const ONE: f32 = (1 << 30) as f32;

pub(super) fn lower(s: &Scope, op: &MatrixOp) -> Option<Value> {
    match *op {
        MatrixOp::Product { x, matrix, bias } => {
            let product = product(s, x, matrix)?;
            Some(bias.map_or(product, |bias| s.add(product, bias)))
        }
        MatrixOp::Rows { table, indices } => rows(s, table, indices),
    }
}

/// In fixed point: engines add floating-point numbers in an order that depends on how many there
/// are, so that padding would change the last bit.
pub(super) fn sum_probabilities(s: &Scope, p: Value, axis: i64) -> Value {
    let fixed = s.cast(s.mul(p, s.float(ONE)), DType::I32);
    let sum = s.cast(s.reduce_sum(fixed, axis), DType::F32);
    s.mul(sum, s.float(1.0 / ONE))
}

fn product(s: &Scope, x: Value, matrix: Value) -> Option<Value> {
    let (elements, columns) = quantized(s, matrix)?;
    let elements = match s.builder.weight_of(matrix)?.layout {
        Layout::Transposed => elements,
        Layout::AsStored => s.transpose(elements, &[1, 0]),
    };
    let [x, scale] = quantize(s, x);
    let sums = s.matmul_integer(x, elements, s.uint8(ZERO_POINT));
    // One scale after the other: the product of both, made first, would have ONNX Runtime fuse all of it into
    // a MatMulIntegerToFloat, which has one scale for all rows.
    Some(s.mul(s.mul(s.cast(sums, DType::F32), scale), columns))
}

fn rows(s: &Scope, table: Value, indices: Value) -> Option<Value> {
    let (elements, scales) = quantized(s, table)?;
    let elements = s.cast(s.gather(elements, indices, 0), DType::F32);
    let last = s.value_type(indices).shape.len() as i64;
    let scales = s.unsqueeze(s.gather(scales, indices, 0), &[last]);
    Some(s.mul(elements, scales))
}

/// The elements of a matrix of weights, as it lies, and the scale of each row as stored.
fn quantized(s: &Scope, matrix: Value) -> Option<(Value, Value)> {
    let weight = s.builder.weight_of(matrix)?;
    let [rows, _] = weight.stored_matrix()?;
    let elements = encoded(s, matrix, &weight, Encoding::Int8, &weight.shape);
    let scales = encoded(s, matrix, &weight, Encoding::Int8Scales, &[rows]);
    Some((elements, scales))
}

/// x as uint8, and the scale of each row.
fn quantize(s: &Scope, x: Value) -> [Value; 2] {
    s.converted(x, Conversion::Int8Rows, || {
        let largest = s.max(s.row_max(s.abs(x)), s.float(LEAST));
        let scaled = s.mul(x, s.div(s.float(LARGEST), largest));
        [
            s.quantize_linear(scaled, s.float(1.0), s.uint8(ZERO_POINT)),
            s.div(largest, s.float(LARGEST)),
        ]
    })
}
