use nezha_graphs::DType;

use super::Pass;
use super::conditions::{is_in_single_precision, reads_no_weight_in_single};
use super::float16::Floats;
use super::rewrite::{Rule, rewrite};
use crate::graph::{Graph, GraphError, Node, Op, Scope, Value};

/// Half precision on disk: each weight is converted to single precision where it is read.
///
/// Precondition: a graph in single precision. Postcondition: every weight that is read is in half
/// precision, and computation is in single precision.
#[derive(Clone, Copy, Debug)]
pub struct Stored;

impl Pass for Stored {
    fn name(&self) -> &'static str {
        "stored"
    }

    fn requires(&self, graph: &Graph) -> Result<(), String> {
        is_in_single_precision(graph)
    }

    fn run(&self, graph: Graph) -> Result<Graph, GraphError> {
        rewrite(graph, &mut Widened::default())
    }

    fn leaves(&self, graph: &Graph) -> Result<(), String> {
        reads_no_weight_in_single(graph)
    }
}

#[derive(Default)]
struct Widened {
    floats: Floats,
}

impl Rule for Widened {
    fn result(&mut self, s: &Scope, node: &Node, inputs: &[Value]) -> Option<Value> {
        let is_weight = |value: &Value| s.read(|graph| graph.weight(*value)).is_some();
        match (&node.op, inputs) {
            // The rows that are picked are converted, since they are fewer than the table's.
            (Op::Gather { axis }, [table, indices]) if is_weight(table) => {
                let picked = s.gather(self.floats.half(s, *table), *indices, *axis);
                Some(s.cast(picked, DType::F32))
            }
            _ if inputs.iter().any(is_weight) => {
                let widened = |value: &Value| match is_weight(value) {
                    true => self.floats.single(s, *value),
                    false => *value,
                };
                let inputs: Vec<Value> = inputs.iter().map(widened).collect();
                Some(s.node(node.op.clone(), &inputs))
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use nezha_graphs::DType;

    use super::*;
    use crate::passes::testing::{after, built, input};

    #[test]
    fn each_weight_is_widened_once_for_all_who_read_it() {
        let graph = built(|builder| {
            let x = input(builder, "x", DType::F32, "batch, 4");
            let s = builder.scope("dense");
            let weight = s.transposed_weight("weight", [6, 4]);
            s.add(s.matmul(x, weight), s.matmul(s.tanh(x), weight))
        });
        assert_eq!(
            after(&Stored, graph),
            [
                "dense/Cast: float32[4, 6] = Cast(dense.weight.T.float16)",
                "dense/MatMul: float32[batch, 6] = MatMul(x, dense/Cast)",
                "dense/Tanh: float32[batch, 4] = Tanh(x)",
                "dense/MatMul_1: float32[batch, 6] = MatMul(dense/Tanh, dense/Cast)",
                "dense/Add: float32[batch, 6] = Add(dense/MatMul, dense/MatMul_1)"
            ]
        );
    }

    #[test]
    fn rows_are_picked_before_they_are_widened() {
        let graph = built(|builder| {
            let ids = input(builder, "ids", DType::I64, "batch");
            let s = builder.scope("words");
            s.gather(s.weight("weight", &[32, 4]), ids, 0)
        });
        assert_eq!(
            after(&Stored, graph),
            [
                "words/Gather: float16[batch, 4] = Gather(words.weight.float16, ids)",
                "words/Cast: float32[batch, 4] = Cast(words/Gather)"
            ]
        );
    }
}
