use nezha_graphs::DType;

use super::Pass;
use super::conditions::{every, is_in_single_precision, reads_no_weight_in_single};
use super::float16::Floats;
use super::rewrite::{Rule, rewrite};
use crate::graph::{Graph, GraphError, Node, Op, Scope, Value};

/// Half precision: matrix products, LayerNorm and activations are in half precision. Operations
/// that sum up many terms, or that are near a mask, are in single precision: the mask's least float
/// would be −∞ in half precision.
///
/// LayerNorm computes its mean and variance in single precision by definition (ONNX's
/// `stash_type`).
///
/// Precondition: a graph in single precision. Postcondition: products and LayerNorm are in half
/// precision; softmax, exponentials and sums are in single precision; every weight that is read is
/// in half precision; outputs have their ports' types.
#[derive(Clone, Copy, Debug)]
pub struct Half;

impl Pass for Half {
    fn name(&self) -> &'static str {
        "half"
    }

    fn requires(&self, graph: &Graph) -> Result<(), String> {
        is_in_single_precision(graph)
    }

    fn run(&self, graph: Graph) -> Result<Graph, GraphError> {
        rewrite(graph, &mut InHalf::default())
    }

    fn leaves(&self, graph: &Graph) -> Result<(), String> {
        reads_no_weight_in_single(graph)?;
        every(graph, |node| {
            let needed = Type::of(&node.op)?.dtype();
            let mut inputs = node.inputs.iter();
            let is_other = |value: &&Value| {
                let dtype = graph.value_type(**value).dtype;
                is_floating(dtype) && dtype != needed
            };
            let other = inputs.find(is_other)?;
            Some(format!(
                "reads '{}' not in {needed}",
                graph.value_name(*other)
            ))
        })
    }
}

/// The type that an operation computes in.
#[derive(Clone, Copy)]
enum Type {
    Half,
    Single,
}

impl Type {
    /// `None` if the inputs decide.
    fn of(op: &Op) -> Option<Self> {
        match op {
            Op::MatMul | Op::LayerNormalization { .. } => Some(Self::Half),
            Op::Softmax
            | Op::LogSoftmax
            | Op::Exp
            | Op::Log
            | Op::Sqrt
            | Op::Sin
            | Op::Cos
            | Op::Lstm { .. }
            | Op::Gru { .. }
            | Op::Conv { .. }
            | Op::ReduceMax { .. }
            | Op::ReduceSum
            | Op::MeanAll
            | Op::SumAll => Some(Self::Single),
            _ => None,
        }
    }

    fn dtype(self) -> DType {
        match self {
            Self::Half => DType::F16,
            Self::Single => DType::F32,
        }
    }
}

#[derive(Default)]
struct InHalf {
    floats: Floats,
}

impl Rule for InHalf {
    fn result(&mut self, s: &Scope, node: &Node, inputs: &[Value]) -> Option<Value> {
        if let (Op::Gemm, [x, matrix, bias]) = (&node.op, inputs) {
            // tract returns single precision for a Gemm of half precision.
            let columns = s.transpose(self.floats.half(s, *matrix), &[1, 0]);
            let product = self.compute(s, &Op::MatMul, &[*x, columns]);
            return Some(self.compute(s, &Op::Add, &[product, *bias]));
        }
        // An operation with several results gets its inputs unchanged.
        (node.outputs.len() == 1).then(|| self.compute(s, &node.op, inputs))
    }

    fn output(&mut self, s: &Scope, value: Value, dtype: DType) -> Value {
        match (s.dtype(value), dtype) {
            (DType::F16, DType::F32) => self.floats.single(s, value),
            _ => value,
        }
    }
}

impl InHalf {
    /// The result of `op` on `inputs`, in the type that it computes in.
    fn compute(&mut self, s: &Scope, op: &Op, inputs: &[Value]) -> Value {
        let Some(needed) = needed(s, op, inputs) else {
            return s.node(op.clone(), inputs);
        };
        let mut convert = |value: &Value| match (is_floating(s.dtype(*value)), needed) {
            (false, _) => *value,
            (true, Type::Half) => self.floats.half(s, *value),
            (true, Type::Single) => self.floats.single(s, *value),
        };
        let inputs: Vec<Value> = inputs.iter().map(&mut convert).collect();
        s.node(op.clone(), &inputs)
    }
}

fn is_floating(dtype: DType) -> bool {
    matches!(dtype, DType::F32 | DType::F16)
}

/// The type to which the inputs of `op` are converted; `None` if they stay.
fn needed(s: &Scope, op: &Op, inputs: &[Value]) -> Option<Type> {
    Type::of(op).or_else(|| match op {
        Op::Add | Op::Sub | Op::Mul | Op::Div | Op::Max | Op::Concat { .. } => {
            Some(s.read(|graph| common(graph, inputs)))
        }
        // Operations that only move the elements of a weight.
        Op::Gather { .. } | Op::Transpose { .. } => {
            let table = s.read(|graph| graph.weight(inputs[0]));
            table.map(|_| Type::Half)
        }
        // Operations that compute something from a weight, once for all runs.
        _ => {
            let is_weight = |value: &Value| s.read(|graph| graph.weight(*value)).is_some();
            inputs.iter().any(is_weight).then_some(Type::Single)
        }
    })
}

/// The common type of an element-wise operation's inputs. Scalars and values that follow from
/// weights alone can have either type. If all other inputs are in half precision, the operation is
/// too.
fn common(graph: &Graph, inputs: &[Value]) -> Type {
    let is_free =
        |value: &Value| graph.value_type(*value).shape.is_empty() || graph.is_constant(*value);
    let has = |dtype| {
        let mut fixed = inputs.iter().filter(|it| !is_free(it));
        fixed.any(|it| graph.value_type(*it).dtype == dtype)
    };
    match (has(DType::F32), has(DType::F16)) {
        (false, true) => Type::Half,
        // All inputs follow from weights, which are stored in half precision, so this is computed
        // only once.
        _ => Type::Single,
    }
}

#[cfg(test)]
mod tests {
    use nezha_graphs::DType;

    use super::*;
    use crate::passes::prepare;
    use crate::passes::testing::{after, built, dense, initializers, input};

    #[test]
    fn products_are_in_half_and_softmax_in_single() {
        let graph = built(|builder| {
            let x = input(builder, "x", DType::F32, "batch, 4");
            let s = builder.scope("dense");
            s.softmax(s.add(dense(builder, x), s.weight("bias", &[6])))
        });
        assert_eq!(
            after(&Half, graph),
            [
                "dense/Cast: float16[batch, 4] = Cast(x)",
                "dense/MatMul: float16[batch, 6] = MatMul(dense/Cast, dense.weight.T.float16)",
                "dense/Add: float16[batch, 6] = Add(dense/MatMul, dense.bias.float16)",
                "dense/Cast_1: float32[batch, 6] = Cast(dense/Add)",
                "dense/Softmax: float32[batch, 6] = Softmax(dense/Cast_1)"
            ]
        );
    }

    #[test]
    fn what_is_converted_is_converted_once_for_all_who_read_it() {
        let graph = built(|builder| {
            let x = input(builder, "x", DType::F32, "batch, 4, 4");
            let s = builder.scope("place");
            s.matmul(s.matmul(x, x), s.matmul(x, x))
        });
        assert_eq!(
            after(&Half, graph),
            [
                "place/Cast: float16[batch, 4, 4] = Cast(x)",
                "place/MatMul: float16[batch, 4, 4] = MatMul(place/Cast, place/Cast)",
                "place/MatMul_1: float16[batch, 4, 4] = MatMul(place/Cast, place/Cast)",
                "place/MatMul_2: float16[batch, 4, 4] = MatMul(place/MatMul, place/MatMul_1)",
                "place/Cast_1: float32[batch, 4, 4] = Cast(place/MatMul_2)"
            ]
        );
    }

    #[test]
    fn a_mask_keeps_scores_in_single_and_a_number_does_not() {
        let graph = built(|builder| {
            let x = input(builder, "x", DType::F32, "batch, 4, 4");
            let mask = input(builder, "mask", DType::F32, "batch, 1, 4");
            let s = builder.scope("place");
            s.add(s.mul(s.matmul(x, x), s.float(0.5)), mask)
        });
        assert_eq!(
            after(&Half, graph),
            [
                "place/Cast: float16[batch, 4, 4] = Cast(x)",
                "place/MatMul: float16[batch, 4, 4] = MatMul(place/Cast, place/Cast)",
                "place/Mul: float16[batch, 4, 4] = Mul(place/MatMul, constants/float_0.5.float16)",
                "place/Cast_1: float32[batch, 4, 4] = Cast(place/Mul)",
                "place/Add: float32[batch, 4, 4] = Add(place/Cast_1, mask)"
            ]
        );
    }

    #[test]
    fn a_decoder_that_is_stored_as_the_table_becomes_a_product_with_its_transpose() {
        let graph = built(|builder| {
            let x = input(builder, "x", DType::F32, "batch, 4");
            let s = builder.scope("words");
            s.gemm(x, s.weight("weight", &[32, 4]), s.weight("bias", &[32]))
        });
        assert_eq!(
            after(&Half, graph),
            [
                "words/Transpose: float16[4, 32] = Transpose(words.weight.float16)",
                "words/Cast: float16[batch, 4] = Cast(x)",
                "words/MatMul: float16[batch, 32] = MatMul(words/Cast, words/Transpose)",
                "words/Add: float16[batch, 32] = Add(words/MatMul, words.bias.float16)",
                "words/Cast_1: float32[batch, 32] = Cast(words/Add)"
            ]
        );
    }

    #[test]
    fn constants_are_in_half_without_an_operation() {
        let graph = built(|builder| {
            let x = input(builder, "x", DType::F32, "batch, 2");
            let s = builder.scope("place");
            s.matmul(x, s.floats("table", &[2, 1], &[1.0, 0.5]))
        });
        let graph = prepare(graph, nezha_graphs::Precision::Fp16).unwrap();
        assert_eq!(initializers(&graph), ["place/table.float16"]);
    }

    #[test]
    fn a_graph_that_is_in_half_already_is_refused() {
        let graph = built(|builder| dense(builder, input(builder, "x", DType::F32, "batch, 4")));
        let half = crate::passes::apply(&Half, graph).unwrap();
        let error = crate::passes::apply(&Half, half).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the pass half can't take the graph: the weight 'dense.weight' is in F16 already"
        );
    }
}
