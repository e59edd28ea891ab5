use std::collections::HashMap;

use nezha_graphs::DType;

use super::Pass;
use super::conditions::{every, is_in_single_precision, reads_no_matrix_in_single};
use super::encoded::Encoded;
use super::matrix::MatrixOp;
use super::rewrite::{Rule, rewrite};
use crate::graph::{Element, Encoding, Graph, GraphError, Layout, Node, Op, Scope, Value};

/// int8 in standard operators, so that rows don't depend on each other:
///
/// ```text
/// x ≈ r·(X − 128)    each row of x with the scale r = max|x|/127, X uint8
/// W ≈ c·V            each row of W with the scale c, V int8, see `quantize::rows`
/// x·Wᵀ ≈ r·c·((X − 128)·Vᵀ)
/// ```
///
/// The products are sums of integers, which are exact in any order. So a token's answer has the
/// same bits alone, padded at the end and in any batch, if the engine adds later terms after
/// earlier ones. A sum over a mask becomes a matrix product too: the order in which a `ReduceSum`
/// adds depends on the number of terms, so padding would change the last bit.
///
/// With m = max|x|, r is m/127. The division by 127 is applied to the scales of the columns, which
/// are fewer. Since it is one number for all rows, ONNX Runtime computes the whole product in one
/// kernel; see `Products::step`.
///
/// Precondition: a graph in single precision. Postcondition: every matrix, and every table except
/// small ones, is in 8 bits, and no `ReduceSum` over a mask is left.
#[derive(Clone, Copy, Debug)]
pub struct Int8;

impl Pass for Int8 {
    fn name(&self) -> &'static str {
        "int8"
    }

    fn requires(&self, graph: &Graph) -> Result<(), String> {
        is_in_single_precision(graph)
    }

    fn run(&self, graph: Graph) -> Result<Graph, GraphError> {
        let mut quantized = Quantized {
            products: Products::default(),
            masked: MaskedSums::of(&graph),
            ones: HashMap::new(),
        };
        rewrite(graph, &mut quantized)
    }

    fn leaves(&self, graph: &Graph) -> Result<(), String> {
        reads_no_matrix_in_single(graph)?;
        let left = MaskedSums::of(graph).sums;
        every(graph, |node| {
            let is_left = node.outputs.iter().any(|it| left.contains_key(it));
            is_left.then(|| "sums over a mask".to_owned())
        })
    }
}

/// The step of a row whose largest magnitude is 1: the largest magnitude that both signs of an int8
/// have is 127.
const STEP: f32 = 1.0 / 127.0;

/// The unsigned byte that represents 0.
const ZERO_POINT: u8 = 128;

/// A lower bound for divisors, so that a row of zeros is not divided by 0.
const LEAST: f32 = 1e-30;

struct Quantized {
    products: Products,
    masked: MaskedSums,
    /// A column of ones for the last axis of each mask of the old graph.
    ones: HashMap<Value, Value>,
}

impl Rule for Quantized {
    fn reads<'n>(&self, node: &'n Node) -> &'n [Value] {
        let is_masked = |it: &Value| self.masked.sums.contains_key(it);
        match node.outputs.iter().any(is_masked) {
            // The axes are not read.
            true => &node.inputs[..1],
            false => &node.inputs,
        }
    }

    fn result(&mut self, s: &Scope, node: &Node, inputs: &[Value]) -> Option<Value> {
        let made = node.outputs.first()?;
        if let Some(mask) = self.masked.products.get(made) {
            self.ones.entry(*mask).or_insert_with(|| ones(s, inputs[1]));
            return None;
        }
        if let Some(mask) = self.masked.sums.get(made) {
            let ones = *self.ones.get(mask)?;
            return Some(s.matmul(inputs[0], ones));
        }
        let op = s.read(|graph| MatrixOp::of(graph, &node.op, inputs))?;
        self.products.result(s, &op)
    }
}

/// Ones [keys, 1] for a mask [queries, keys].
fn ones(s: &Scope, mask: Value) -> Value {
    let keys = s.range(s.squeeze(s.shape(mask, 1, 2), &[0]));
    let ones = s.clip(s.cast(keys, DType::F32), s.float(1.0), s.float(1.0));
    s.unsqueeze(ones, &[1])
}

/// `Σ p·mask` along the last axis, as a `ReduceSum` of a Mul. p has any rank; one mask [queries,
/// keys] applies to all of its leading axes.
struct MaskedSums {
    /// The mask of each `p·mask`.
    products: HashMap<Value, Value>,
    /// The mask of each sum.
    sums: HashMap<Value, Value>,
}

impl MaskedSums {
    fn of(graph: &Graph) -> Self {
        let rank = |value: &Value| graph.value_type(*value).shape.len();
        let mut masked = HashMap::new();
        let mut found = Self {
            products: HashMap::new(),
            sums: HashMap::new(),
        };
        for node in &graph.nodes {
            match (&node.op, node.inputs.as_slice(), node.outputs.as_slice()) {
                (Op::Mul, [p, mask], [product]) if rank(mask) == 2 && rank(p) > 2 => {
                    masked.insert(*product, *mask);
                }
                (Op::ReduceSum, [product, axes], [sum]) => {
                    let last = Element::Number(rank(product) as i64 - 1);
                    let is_last = graph.value_type(*axes).elements == Some(vec![last]);
                    if let Some(mask) = masked.get(product).filter(|_| is_last) {
                        found.products.insert(*product, *mask);
                        found.sums.insert(*sum, *mask);
                    }
                }
                _ => (),
            }
        }
        found
    }
}

/// Operations with matrices of weights in 8 bits.
#[derive(Default)]
pub(super) struct Products {
    weights: Encoded,
    /// The rows of a value in 8 bits, and the largest magnitude of each row.
    rows: HashMap<Value, [Value; 2]>,
    step: Option<Value>,
}

impl Products {
    /// The result of an operation; `None` if it has no matrix in single precision.
    pub(super) fn result(&mut self, s: &Scope, op: &MatrixOp) -> Option<Value> {
        match *op {
            MatrixOp::Product { x, matrix, bias } => {
                let product = self.product(s, x, matrix)?;
                Some(bias.map_or(product, |bias| s.add(product, bias)))
            }
            MatrixOp::Rows { table, indices } => self.picked(s, table, indices),
        }
    }

    /// The elements of a matrix of weights, in the graph's axis order, and the scale of each stored
    /// row.
    pub(super) fn quantized(&mut self, s: &Scope, matrix: Value) -> Option<(Value, Value)> {
        let weight = s.read(|graph| graph.weight(matrix))?;
        let [rows, _] = weight.stored_matrix()?;
        let (int8, scales) = (Encoding::Int8, Encoding::Int8Scales);
        let elements = self.weights.weight(s, matrix, &weight, int8, &weight.shape);
        let scales = self.weights.weight(s, matrix, &weight, scales, &[rows]);
        Some((elements, scales))
    }

    fn product(&mut self, s: &Scope, x: Value, matrix: Value) -> Option<Value> {
        let (elements, columns) = self.quantized(s, matrix)?;
        let elements = match s.read(|graph| graph.weight(matrix))?.layout {
            Layout::Transposed => elements,
            Layout::AsStored => s.transpose(elements, &[1, 0]),
        };
        let [x, largest] = *self.rows.entry(x).or_insert_with(|| quantize(s, x));
        let sums = s.cast(
            s.matmul_integer(x, elements, s.uint8(ZERO_POINT)),
            DType::F32,
        );
        let scales = s.mul(self.step(s), columns);
        Some(s.mul(s.mul(sums, scales), largest))
    }

    /// 1/127, [1], known only when the graph runs.
    ///
    /// ONNX Runtime has a `MatMulIntegerToFloat` for `sums·(a·columns)`, with a number a for all
    /// rows, which saves two passes over the result. If a were a constant, ONNX Runtime would fold
    /// it into the columns before it looks for this pattern.
    fn step(&mut self, s: &Scope) -> Value {
        *self.step.get_or_insert_with(|| {
            let first = s.read(|graph| graph.inputs.first().map(|(_, value)| *value));
            match first {
                Some(input) => {
                    let size = s.cast(s.shape(input, 0, 1), DType::F32);
                    s.clip(size, s.float(STEP), s.float(STEP))
                }
                None => s.float(STEP),
            }
        })
    }

    fn picked(&mut self, s: &Scope, table: Value, indices: Value) -> Option<Value> {
        let (elements, scales) = self.quantized(s, table)?;
        let elements = s.cast(s.gather(elements, indices, 0), DType::F32);
        let last = s.rank(indices) as i64;
        let scales = s.unsqueeze(s.gather(scales, indices, 0), &[last]);
        Some(s.mul(elements, scales))
    }
}

/// x as uint8, and the largest magnitude of each row. If x is known to lie hardly below 0, as after
/// an activation, the largest element is used instead, but at least the depth that x can have below
/// 0.
fn quantize(s: &Scope, x: Value) -> [Value; 2] {
    let largest = match s.read(|graph| graph.least(x)) {
        Some(least) => s.max(s.row_max(x), s.float((-least).max(LEAST))),
        None => s.max(s.row_max(s.abs(x)), s.float(LEAST)),
    };
    let scaled = s.div(x, largest);
    let elements = s.quantize_linear(scaled, s.float(STEP), s.uint8(ZERO_POINT));
    [elements, largest]
}

#[cfg(test)]
mod tests {
    use nezha_graphs::DType;

    use super::*;
    use crate::graph::Builder;
    use crate::passes::rewrite::rewrite;
    use crate::passes::testing::{after, built, dense, input, lines};

    #[test]
    fn a_product_is_of_whole_numbers_with_a_scale_for_each_row_and_column() {
        let graph = built(|builder| dense(builder, input(builder, "x", DType::F32, "batch, 4")));
        assert_eq!(
            after(&Int8, graph),
            [
                "dense/Abs: float32[batch, 4] = Abs(x)",
                "dense/ReduceMax: float32[batch, 1] = ReduceMax(dense/Abs)",
                "dense/Max: float32[batch, 1] = Max(dense/ReduceMax, constants/float_1eminus_30)",
                "dense/Div: float32[batch, 4] = Div(x, dense/Max)",
                "dense/QuantizeLinear: uint8[batch, 4] = QuantizeLinear(dense/Div, constants/float_0.007874016, constants/uint8_128)",
                "dense/MatMulInteger: int32[batch, 6] = MatMulInteger(dense/QuantizeLinear, dense.weight.T.int8, constants/uint8_128)",
                "dense/Cast: float32[batch, 6] = Cast(dense/MatMulInteger)",
                "dense/Shape: int64[1] = Shape(x)",
                "dense/Cast_1: float32[1] = Cast(dense/Shape)",
                "dense/Clip: float32[1] = Clip(dense/Cast_1, constants/float_0.007874016, constants/float_0.007874016)",
                "dense/Mul: float32[6] = Mul(dense/Clip, dense.weight.scales)",
                "dense/Mul_1: float32[batch, 6] = Mul(dense/Cast, dense/Mul)",
                "dense/Mul_2: float32[batch, 6] = Mul(dense/Mul_1, dense/Max)"
            ]
        );
    }

    #[test]
    fn the_rows_of_a_value_are_quantized_once_for_all_products_with_it() {
        let graph = built(|builder| {
            let x = input(builder, "x", DType::F32, "batch, 4");
            let s = builder.scope("words");
            let words = s.gemm(x, s.weight("weight", &[32, 4]), s.weight("bias", &[32]));
            s.concat(1, &[dense(builder, x), words])
        });
        let lines = after(&Int8, graph);
        for (operator, expected) in [("QuantizeLinear", 1), ("MatMulInteger", 2)] {
            let is_one = |line: &&String| line.contains(&format!("= {operator}("));
            let count = lines.iter().filter(is_one).count();
            assert_eq!(count, expected, "{operator} in {lines:#?}");
        }
    }

    #[test]
    fn what_is_never_far_below_0_needs_no_magnitudes() {
        let graph = built(|builder| {
            let x = input(builder, "x", DType::F32, "batch, 4");
            let s = builder.scope("place");
            let active = s.relu(x);
            s.at_least(active, -0.25);
            dense(builder, active)
        });
        assert_eq!(
            after(&Int8, graph),
            [
                "place/Relu: float32[batch, 4] = Relu(x)",
                "dense/ReduceMax: float32[batch, 1] = ReduceMax(place/Relu)",
                "dense/Max: float32[batch, 1] = Max(dense/ReduceMax, constants/float_0.25)",
                "dense/Div: float32[batch, 4] = Div(place/Relu, dense/Max)",
                "dense/QuantizeLinear: uint8[batch, 4] = QuantizeLinear(dense/Div, constants/float_0.007874016, constants/uint8_128)",
                "dense/MatMulInteger: int32[batch, 6] = MatMulInteger(dense/QuantizeLinear, dense.weight.T.int8, constants/uint8_128)",
                "dense/Cast: float32[batch, 6] = Cast(dense/MatMulInteger)",
                "dense/Shape: int64[1] = Shape(x)",
                "dense/Cast_1: float32[1] = Cast(dense/Shape)",
                "dense/Clip: float32[1] = Clip(dense/Cast_1, constants/float_0.007874016, constants/float_0.007874016)",
                "dense/Mul: float32[6] = Mul(dense/Clip, dense.weight.scales)",
                "dense/Mul_1: float32[batch, 6] = Mul(dense/Cast, dense/Mul)",
                "dense/Mul_2: float32[batch, 6] = Mul(dense/Mul_1, dense/Max)"
            ]
        );
    }

    #[test]
    fn rows_of_a_table_are_picked_with_their_scales_and_a_small_table_stays() {
        let graph = built(|builder| {
            let ids = input(builder, "ids", DType::I64, "batch");
            let (words, types) = (builder.scope("words"), builder.scope("types"));
            words.add(
                words.gather(words.weight("weight", &[32, 4]), ids, 0),
                types.gather(types.weight("weight", &[2, 4]), ids, 0),
            )
        });
        assert_eq!(
            after(&Int8, graph),
            [
                "words/Gather: int8[batch, 4] = Gather(words.weight.int8, ids)",
                "words/Cast: float32[batch, 4] = Cast(words/Gather)",
                "words/Gather_1: float32[batch] = Gather(words.weight.scales, ids)",
                "words/Unsqueeze: float32[batch, 1] = Unsqueeze(words/Gather_1, constants/int64s_1)",
                "words/Mul: float32[batch, 4] = Mul(words/Cast, words/Unsqueeze)",
                "types/Gather: float32[batch, 4] = Gather(types.weight, ids)",
                "words/Add: float32[batch, 4] = Add(words/Mul, types/Gather)"
            ]
        );
    }

    fn masked_sums(builder: &Builder) -> Value {
        let p = input(builder, "p", DType::F32, "batch, 2, queries, keys");
        let mask = input(builder, "mask", DType::F32, "queries, keys");
        let s = builder.scope("place");
        let sum = |p: Value| s.reduce_sum(s.mul(p, mask), 3);
        s.add(sum(p), sum(s.exp(p)))
    }

    #[test]
    fn sums_over_a_mask_are_products_with_one_column_of_ones() {
        assert_eq!(
            after(&Int8, built(masked_sums)),
            [
                "place/Shape: int64[1] = Shape(mask)",
                "place/Squeeze: int64[] = Squeeze(place/Shape, constants/int64s_0)",
                "place/Range: int64[keys] = Range(constants/int64_0, place/Squeeze, constants/int64_1)",
                "place/Cast: float32[keys] = Cast(place/Range)",
                "place/Clip: float32[keys] = Clip(place/Cast, constants/float_1.0, constants/float_1.0)",
                "place/Unsqueeze: float32[keys, 1] = Unsqueeze(place/Clip, constants/int64s_1)",
                "place/Mul: float32[batch, 2, queries, keys] = Mul(p, mask)",
                "place/MatMul: float32[batch, 2, queries, 1] = MatMul(place/Mul, place/Unsqueeze)",
                "place/Exp: float32[batch, 2, queries, keys] = Exp(p)",
                "place/Mul_1: float32[batch, 2, queries, keys] = Mul(place/Exp, mask)",
                "place/MatMul_1: float32[batch, 2, queries, 1] = MatMul(place/Mul_1, place/Unsqueeze)",
                "place/Add: float32[batch, 2, queries, 1] = Add(place/MatMul, place/MatMul_1)"
            ]
        );
    }

    #[test]
    fn other_sums_stay() {
        let graph = built(|builder| {
            let x = input(builder, "x", DType::F32, "batch, 8");
            let mask = input(builder, "mask", DType::F32, "batch, sequence, 1");
            let tokens = input(builder, "tokens", DType::F32, "batch, sequence, 8");
            let s = builder.scope("place");
            let pooled = s.reduce_sum(s.mul(tokens, mask), 1);
            let norm = s.reduce_sum(s.mul(x, x), 1);
            s.add(pooled, norm)
        });
        let before = lines(&graph);
        assert_eq!(after(&Int8, graph), before);
    }

    struct Nothing;

    impl Rule for Nothing {
        fn result(&mut self, _s: &Scope, _node: &Node, _inputs: &[Value]) -> Option<Value> {
            None
        }
    }

    #[test]
    fn what_is_left_in_single_precision_is_told() {
        let product = built(|builder| dense(builder, input(builder, "x", DType::F32, "batch, 4")));
        for (graph, expected) in [
            (product, "dense/MatMul reads a matrix in single precision"),
            (built(masked_sums), "place/ReduceSum sums over a mask"),
        ] {
            let graph = rewrite(graph, &mut Nothing).unwrap();
            assert_eq!(Int8.leaves(&graph), Err(expected.to_owned()));
        }
    }
}
