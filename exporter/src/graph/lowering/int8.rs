//! int8 in standard operators, so that rows do not depend on each other:
//!
//! ```text
//! x ≈ r·(X − 128)    each row of x with the scale r = max|x|/127, X uint8
//! W ≈ c·V            each row of W with the scale c, V int8, see `quantize::rows`
//! x·Wᵀ ≈ r·c·((X − 128)·Vᵀ)
//! ```
//!
//! The sums are of whole numbers, exact in any order. So a token's answer is the same bits alone, padded
//! at the end and in any batch, where an engine adds what follows after what comes first.
//!
//! With m = max|x|, r is m/127. The quotient by 127 goes to the scales of the columns, as there are
//! fewer of them, and as a number of all rows it has ONNX Runtime compute the whole product in one
//! kernel, see [`step`].

use nezha_graphs::DType;

use super::{MatrixOp, encoded};
use crate::graph::state::Conversion;
use crate::graph::weight::{Encoding, Layout};
use crate::graph::{Scope, Value};

/// One step of a row whose largest magnitude is 1: that of a signed byte which has an opposite is 127.
const STEP: f32 = 1.0 / 127.0;

/// Where 0 is among unsigned bytes.
const ZERO_POINT: u8 = 128;

/// A row of zeros must not be divided by its largest element.
const LEAST: f32 = 1e-30;

pub(super) fn lower(s: &Scope, op: &MatrixOp) -> Option<Value> {
    match *op {
        MatrixOp::Product { x, matrix, bias } => {
            let product = product(s, x, matrix)?;
            Some(bias.map_or(product, |bias| s.add(product, bias)))
        }
        MatrixOp::Rows { table, indices } => rows(s, table, indices),
    }
}

/// As a product of matrices: a ReduceSum adds in an order that depends on how many there are, so that
/// padding would change the last bit.
pub(super) fn sum_where(s: &Scope, p: Value, mask: Value) -> Value {
    let [ones] = s.converted(mask, Conversion::Ones, || {
        let keys = s.range(s.squeeze(s.shape(mask, 1, 2), &[0]));
        let ones = s.clip(s.cast(keys, DType::F32), s.float(1.0), s.float(1.0));
        [s.unsqueeze(ones, &[1])]
    });
    s.matmul(s.mul(p, mask), ones)
}

fn product(s: &Scope, x: Value, matrix: Value) -> Option<Value> {
    let (elements, columns) = quantized(s, matrix)?;
    let elements = match s.builder.weight_of(matrix)?.layout {
        Layout::Transposed => elements,
        Layout::AsStored => s.transpose(elements, &[1, 0]),
    };
    let [x, largest] = quantize(s, x);
    let sums = s.cast(
        s.matmul_integer(x, elements, s.uint8(ZERO_POINT)),
        DType::F32,
    );
    Some(s.mul(s.mul(sums, s.mul(step(s), columns)), largest))
}

/// 1/127, [1], known only when the graph runs.
///
/// ONNX Runtime has a MatMulIntegerToFloat for `sums·(a·columns)` with a number a for all rows, which
/// saves two passes over the result. A constant it would fold into the columns before it looks.
fn step(s: &Scope) -> Value {
    let Some(input) = s.builder.first_input() else {
        return s.float(STEP);
    };
    let [step] = s.converted(input, Conversion::Step, || {
        let size = s.cast(s.shape(input, 0, 1), DType::F32);
        [s.clip(size, s.float(STEP), s.float(STEP))]
    });
    step
}

fn rows(s: &Scope, table: Value, indices: Value) -> Option<Value> {
    let (elements, scales) = quantized(s, table)?;
    let elements = s.cast(s.gather(elements, indices, 0), DType::F32);
    let last = s.value_type(indices).shape.len() as i64;
    let scales = s.unsqueeze(s.gather(scales, indices, 0), &[last]);
    Some(s.mul(elements, scales))
}

/// The elements of a matrix of weights, as it lies, and the scale of each row as stored.
pub(super) fn quantized(s: &Scope, matrix: Value) -> Option<(Value, Value)> {
    let weight = s.builder.weight_of(matrix)?;
    let [rows, _] = weight.stored_matrix()?;
    let elements = encoded(s, matrix, &weight, Encoding::Int8, &weight.shape);
    let scales = encoded(s, matrix, &weight, Encoding::Int8Scales, &[rows]);
    Some((elements, scales))
}

/// x as uint8, and the largest magnitude of each row; after an activation that hardly goes below 0,
/// the largest element, and at least what the activation may be below.
fn quantize(s: &Scope, x: Value) -> [Value; 2] {
    s.converted(x, Conversion::Int8Rows, || {
        let largest = match s.builder.depth(x) {
            Some(depth) => s.max(s.row_max(x), s.float(depth.max(LEAST))),
            None => s.max(s.row_max(s.abs(x)), s.float(LEAST)),
        };
        let scaled = s.div(x, largest);
        let elements = s.quantize_linear(scaled, s.float(STEP), s.uint8(ZERO_POINT));
        [elements, largest]
    })
}
