use super::Pass;
use super::conditions::{is_in_single_precision, reads_no_matrix_in_single};
use super::int8::Products;
use super::matrix::MatrixOp;
use super::rewrite::{Rule, rewrite};
use crate::graph::{Graph, GraphError, Layout, Node, Scope, Value};

/// Stores weights in 8 bits, and computes in single precision with the numbers that they represent:
///
/// ```text
/// W ≈ c·V            each row of W with the scale c, V int8, see `quantize::rows`
/// x·Wᵀ ≈ x·(c·V)ᵀ    by DequantizeLinear in front of an ordinary product
/// ```
///
/// An engine with products for such weights recognizes the pair of operators and never dequantizes
/// the whole matrix. Other engines dequantize it once, and still have a smaller file. The
/// vocabulary's table, and the decoder that may share it, are stored as in [`Int8`](super::Int8).
///
/// Precondition: a graph in single precision. Postcondition: every matrix, and every table except
/// small ones, is in 8 bits.
#[derive(Clone, Copy, Debug)]
pub struct W8;

impl Pass for W8 {
    fn name(&self) -> &'static str {
        "w8"
    }

    fn requires(&self, graph: &Graph) -> Result<(), String> {
        is_in_single_precision(graph)
    }

    fn run(&self, graph: Graph) -> Result<Graph, GraphError> {
        rewrite(graph, &mut Dequantized::default())
    }

    fn leaves(&self, graph: &Graph) -> Result<(), String> {
        reads_no_matrix_in_single(graph)
    }
}

#[derive(Default)]
struct Dequantized {
    int8: Products,
}

impl Rule for Dequantized {
    fn result(&mut self, s: &Scope, node: &Node, inputs: &[Value]) -> Option<Value> {
        let op = s.read(|graph| MatrixOp::of(graph, &node.op, inputs))?;
        match op {
            MatrixOp::Product { x, matrix, bias }
                if s.read(|graph| graph.weight(matrix))?.layout == Layout::Transposed =>
            {
                let (elements, scales) = self.int8.quantized(s, matrix)?;
                // The matrix is [inputs, outputs], with one scale for each column.
                let product = s.matmul(x, s.dequantize_linear(elements, scales, 1));
                Some(bias.map_or(product, |bias| s.add(product, bias)))
            }
            MatrixOp::Product { .. } | MatrixOp::Rows { .. } => self.int8.result(s, &op),
        }
    }
}

#[cfg(test)]
mod tests {
    use nezha_graphs::DType;

    use super::*;
    use crate::graph::Builder;
    use crate::passes::testing::{after, built, dense, input};

    #[test]
    fn a_product_is_with_what_the_bytes_stand_for() {
        let graph = built(|builder| dense(builder, input(builder, "x", DType::F32, "batch, 4")));
        assert_eq!(
            after(&W8, graph),
            [
                "dense/DequantizeLinear: float32[4, 6] = DequantizeLinear(dense.weight.T.int8, dense.weight.scales)",
                "dense/MatMul: float32[batch, 6] = MatMul(x, dense/DequantizeLinear)"
            ]
        );
    }

    #[test]
    fn the_vocabulary_is_as_in_int8() {
        let words = |builder: &Builder| {
            let x = input(builder, "x", DType::F32, "batch, 4");
            let ids = input(builder, "ids", DType::I64, "batch");
            let s = builder.scope("words");
            let table = s.weight("weight", &[32, 4]);
            s.gemm(
                s.add(s.gather(table, ids, 0), x),
                table,
                s.weight("bias", &[32]),
            )
        };
        assert_eq!(
            after(&W8, built(words)),
            after(&crate::passes::Int8, built(words))
        );
    }
}
