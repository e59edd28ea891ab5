use nezha_graphs::DType;

use super::Pass;
use super::conditions::{is_in_single_precision, reads_no_matrix_in_single};
use super::encoded::Encoded;
use super::matrix::MatrixOp;
use super::rewrite::{Rule, rewrite};
use crate::graph::{Blocks, Encoding, Graph, GraphError, Layout, Node, Scope, Value, Weight};

/// Stores weights in blocks of few bits, and computes with the numbers that they represent:
///
/// ```text
/// W ≈ s·(V − z)      each block of a row of W with the scale s, see `quantize::blocks`
/// ```
///
/// Products use ONNX Runtime's `MatMulNBits`. The rows that are picked from a table are dequantized
/// by standard operators, from the same initializers.
///
/// Precondition: a graph in single precision. Postcondition: every matrix, and every table except
/// small ones, is in blocks.
#[derive(Clone, Copy, Debug)]
pub struct InBlocks(
    /// The blocks of all matrices except the vocabulary's.
    pub Blocks,
);

impl Pass for InBlocks {
    fn name(&self) -> &'static str {
        match self.0 {
            Blocks::Q8 => "q8",
            Blocks::Q4 => "q4",
        }
    }

    fn requires(&self, graph: &Graph) -> Result<(), String> {
        is_in_single_precision(graph)
    }

    fn run(&self, graph: Graph) -> Result<Graph, GraphError> {
        let mut divided = Divided {
            blocks: self.0,
            weights: Encoded::default(),
        };
        rewrite(graph, &mut divided)
    }

    fn leaves(&self, graph: &Graph) -> Result<(), String> {
        reads_no_matrix_in_single(graph)
    }
}

/// The blocks of the vocabulary's table, and of the decoder that may share it. These are the only
/// matrices that are not transposed. In 4 bits, the error of the bundled masked-lm's logits was
/// twice as large.
const VOCABULARY: Blocks = Blocks::Q8;

struct Divided {
    blocks: Blocks,
    weights: Encoded,
}

impl Rule for Divided {
    fn result(&mut self, s: &Scope, node: &Node, inputs: &[Value]) -> Option<Value> {
        match s.read(|graph| MatrixOp::of(graph, &node.op, inputs))? {
            MatrixOp::Product { x, matrix, bias } => {
                let weight = s.read(|graph| graph.weight(matrix))?;
                let blocks = match weight.layout {
                    Layout::Transposed => self.blocks,
                    Layout::AsStored => VOCABULARY,
                };
                let shape = weight.stored_matrix()?;
                let parts = self.parts(s, matrix, &weight, blocks)?;
                let product = s.matmul_nbits(x, parts, blocks, shape);
                Some(bias.map_or(product, |bias| s.add(product, bias)))
            }
            MatrixOp::Rows { table, indices } => self.rows(s, table, indices),
        }
    }
}

impl Divided {
    fn rows(&mut self, s: &Scope, table: Value, indices: Value) -> Option<Value> {
        let weight = s.read(|graph| graph.weight(table))?;
        let [_, columns] = weight.stored_matrix()?;
        let [elements, scales] = self.parts(s, table, &weight, VOCABULARY)?;
        let elements = s.cast(s.gather(elements, indices, 0), DType::F32);
        let centred = s.sub(elements, s.float(VOCABULARY.zero().into()));
        let last = s.rank(indices);
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

    /// The elements and the scales of a matrix, with the rows of the stored matrix.
    fn parts(
        &mut self,
        s: &Scope,
        matrix: Value,
        weight: &Weight,
        blocks: Blocks,
    ) -> Option<[Value; 2]> {
        let [rows, columns] = weight.stored_matrix()?;
        let shape = [rows, blocks.of_row(columns), blocks.bytes()];
        let encodings = [
            (Encoding::Blocks(blocks), &shape[..]),
            (Encoding::BlockScales(blocks), &shape[..2]),
        ];
        Some(
            encodings
                .map(|(encoding, shape)| self.weights.weight(s, matrix, weight, encoding, shape)),
        )
    }
}

#[cfg(test)]
mod tests {
    use nezha_graphs::DType;

    use super::*;
    use crate::graph::Builder;
    use crate::passes::testing::{after, built, dense, initializers, input};
    use crate::passes::{DropUnused, apply};

    fn words(builder: &Builder) -> Value {
        let x = input(builder, "x", DType::F32, "batch, 4");
        let s = builder.scope("words");
        s.gemm(x, s.weight("weight", &[32, 4]), s.weight("bias", &[32]))
    }

    #[test]
    fn a_product_is_one_operator_on_elements_and_scales() {
        let graph = built(|builder| dense(builder, input(builder, "x", DType::F32, "batch, 4")));
        assert_eq!(
            after(&InBlocks(Blocks::Q4), graph),
            [
                "dense/MatMulNBits: float32[batch, 6] = MatMulNBits(x, dense.weight.q4, dense.weight.q4.scales)"
            ]
        );
    }

    #[test]
    fn the_vocabulary_is_in_8_bits_whatever_the_other_matrices_are_in() {
        for blocks in [Blocks::Q4, Blocks::Q8] {
            let graph = apply(&InBlocks(blocks), built(words)).unwrap();
            let graph = apply(&DropUnused, graph).unwrap();
            assert_eq!(
                initializers(&graph),
                ["words.bias", "words.weight.q8", "words.weight.q8.scales"]
            );
        }
    }

    #[test]
    fn rows_of_a_table_are_widened_and_cut_to_their_columns() {
        let graph = built(|builder| {
            let ids = input(builder, "ids", DType::I64, "batch");
            let s = builder.scope("words");
            s.gather(s.weight("weight", &[32, 4]), ids, 0)
        });
        assert_eq!(
            after(&InBlocks(Blocks::Q4), graph),
            [
                "words/Gather: uint8[batch, 1, 128] = Gather(words.weight.q8, ids)",
                "words/Cast: float32[batch, 1, 128] = Cast(words/Gather)",
                "words/Sub: float32[batch, 1, 128] = Sub(words/Cast, constants/float_128.0)",
                "words/Gather_1: float32[batch, 1] = Gather(words.weight.q8.scales, ids)",
                "words/Unsqueeze: float32[batch, 1, 1] = Unsqueeze(words/Gather_1, constants/int64s_2)",
                "words/Mul: float32[batch, 1, 128] = Mul(words/Sub, words/Unsqueeze)",
                "words/Reshape: float32[batch, 128] = Reshape(words/Mul, constants/int64s_0_128)",
                "words/Slice: float32[batch, 4] = Slice(words/Reshape, constants/int64s_0, constants/int64s_4, constants/int64s_1)"
            ]
        );
    }
}
