//! Weights in blocks of few bits, computing with what they stand for:
//!
//! ```text
//! W ≈ s·(V − z)      each block of a row of W with the scale s, see `quantize::blocks`
//! ```
//!
//! Products are ONNX Runtime's MatMulNBits; the rows of a table that are picked are widened in
//! standard operators, from the same initializers.

use nezha_graphs::DType;

use super::{MatrixOp, encoded};
use crate::graph::weight::{Blocks, Encoding, Layout, Weight};
use crate::graph::{Scope, Value};

pub(super) fn lower(s: &Scope, op: &MatrixOp, blocks: Blocks) -> Option<Value> {
    match *op {
        MatrixOp::Product { x, matrix, bias } => {
            let weight = s.builder.weight_of(matrix)?;
            let blocks = match weight.layout {
                Layout::Transposed => blocks,
                Layout::AsStored => VOCABULARY,
            };
            let shape = weight.stored_matrix()?;
            let parts = divided(s, matrix, &weight, blocks)?;
            let product = s.matmul_nbits(x, parts, blocks, shape);
            Some(bias.map_or(product, |bias| s.add(product, bias)))
        }
        MatrixOp::Rows { table, indices } => rows(s, table, indices),
    }
}

/// The blocks of a table and of the decoder that may share it, which are all that is left as stored:
/// in 4 bits the logits of the bundled masked-lm were twice as far off.
const VOCABULARY: Blocks = Blocks::Q8;

fn rows(s: &Scope, table: Value, indices: Value) -> Option<Value> {
    let weight = s.builder.weight_of(table)?;
    let [_, columns] = weight.stored_matrix()?;
    let [elements, scales] = divided(s, table, &weight, VOCABULARY)?;
    let elements = s.cast(s.gather(elements, indices, 0), DType::F32);
    let centred = s.sub(elements, s.float(VOCABULARY.zero().into()));
    let last = s.value_type(indices).shape.len();
    let scales = s.unsqueeze(s.gather(scales, indices, 0), &[last as i64 + 1]);
    let width = VOCABULARY.of_row(columns) * VOCABULARY.size();
    let keep = vec![0; last];
    let rows = s.reshape(
        s.mul(centred, scales),
        &[&keep[..], &[width as i64]].concat(),
    );
    Some(match width == columns {
        true => rows,
        false => s.slice(rows, last, 0, columns),
    })
}

/// The elements and the scales of a matrix, row by row as stored.
fn divided(s: &Scope, matrix: Value, weight: &Weight, blocks: Blocks) -> Option<[Value; 2]> {
    let [rows, columns] = weight.stored_matrix()?;
    let count = blocks.of_row(columns);
    let shape = [rows, count, blocks.bytes()];
    let elements = encoded(s, matrix, weight, Encoding::Blocks(blocks), &shape);
    let scales = encoded(
        s,
        matrix,
        weight,
        Encoding::BlockScales(blocks),
        &shape[..2],
    );
    Some([elements, scales])
}
