//! Weights in 8 bits, computing in single precision with what they stand for:
//!
//! ```text
//! W ≈ c·V            each row of W with the scale c, V int8, see `quantize::rows`
//! x·Wᵀ ≈ x·(c·V)ᵀ    by DequantizeLinear in front of an ordinary product
//! ```
//!
//! Engines that have products with such weights recognise the pair and never widen them; the others
//! widen them once, and have a smaller file. The vocabulary's table, and the decoder that may share it,
//! are those of [`int8`](super::int8).

use super::{MatrixOp, int8};
use crate::graph::weight::Layout;
use crate::graph::{Scope, Value};

pub(super) fn lower(s: &Scope, op: &MatrixOp) -> Option<Value> {
    match *op {
        MatrixOp::Product { x, matrix, bias }
            if s.builder.weight_of(matrix)?.layout == Layout::Transposed =>
        {
            let (elements, scales) = int8::quantized(s, matrix)?;
            // [inputs, outputs]: a scale for each column.
            let product = s.matmul(x, s.dequantize_linear(elements, scales, 1));
            Some(bias.map_or(product, |bias| s.add(product, bias)))
        }
        MatrixOp::Product { .. } | MatrixOp::Rows { .. } => int8::lower(s, op),
    }
}
