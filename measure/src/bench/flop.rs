//! Counts the floating point operations of a model, from its graph.

use std::collections::HashMap;

use nezha_graphs::proto::{AttributeProto, GraphProto, NodeProto};

/// How many operators may be between a weight and its product.
const CHAIN: usize = 6;

/// Floating point operations per token: two for every element of a matrix that tokens are
/// multiplied by.
///
/// The products of attention grow with the length, and are not counted: at base size and 128 tokens
/// they add 2 %. The pooler's matrix is counted as if it read every token.
pub(super) fn per_token(graph: &GraphProto) -> f64 {
    let weights: HashMap<&str, &[i64]> = graph
        .initializer
        .iter()
        .map(|it| (it.name.as_str(), it.dims.as_slice()))
        .collect();
    let makers: HashMap<&str, &NodeProto> = graph
        .node
        .iter()
        .flat_map(|node| node.output.iter().map(move |it| (it.as_str(), node)))
        .collect();
    let elements = graph.node.iter().map(|node| match node.op_type.as_str() {
        "MatMul" | "Gemm" | "MatMulInteger" | "QLinearMatMul" => {
            let matrices = node
                .input
                .iter()
                .filter_map(|it| matrix(it, &weights, &makers));
            matrices.max().unwrap_or(0)
        }
        "MatMulNBits" => attribute(node, "K") * attribute(node, "N"),
        _ => 0,
    });
    2.0 * elements.map(|it| it as f64).sum::<f64>()
}

fn attribute(node: &NodeProto, name: &str) -> i64 {
    let mut attributes = node.attribute.iter();
    attributes
        .find(|it| it.name == name)
        .map_or(0, AttributeProto::i)
}

/// The number of elements of a matrix that depends on no input.
fn matrix(
    name: &str,
    weights: &HashMap<&str, &[i64]>,
    makers: &HashMap<&str, &NodeProto>,
) -> Option<i64> {
    let mut name = name;
    for _ in 0..CHAIN {
        if let Some(dims) = weights.get(name) {
            return (dims.len() == 2).then(|| dims.iter().product());
        }
        let node = makers.get(name)?;
        match node.op_type.as_str() {
            "Transpose" | "Cast" | "DequantizeLinear" | "Identity" => name = node.input.first()?,
            _ => return None,
        }
    }
    None
}
