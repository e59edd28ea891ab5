//! Preconditions and postconditions that passes have in common.

use nezha_graphs::DType;

use super::matrix::MatrixOp;
use crate::graph::{Content, Encoding, Graph, Node};

/// Nothing is in half precision, and no weight is encoded.
pub(super) fn is_in_single_precision(graph: &Graph) -> Result<(), String> {
    for it in &graph.initializers {
        match &it.content {
            Content::Weight { name, encoding, .. } if *encoding != Encoding::F32 => {
                return Err(format!("the weight '{name}' is in {encoding:?} already"));
            }
            Content::Weight { .. } | Content::Inline(_) => (),
        }
    }
    let inputs = graph.inputs.iter().map(|(_, value)| value);
    let made = graph.nodes.iter().flat_map(|node| &node.outputs);
    let half = |value: &&_| graph.value_type(**value).dtype == DType::F16;
    match inputs.chain(made).find(half) {
        Some(value) => Err(format!("'{}' is float16", graph.value_name(*value))),
        None => Ok(()),
    }
}

/// No node reads a weight in single precision.
pub(super) fn reads_no_weight_in_single(graph: &Graph) -> Result<(), String> {
    every(graph, |node| {
        let mut inputs = node.inputs.iter();
        let weight = inputs.find_map(|it| graph.weight(*it))?;
        Some(format!("reads '{}' in single precision", weight.name))
    })
}

/// No product reads a matrix of weights in single precision, and no node reads a large table in it.
pub(super) fn reads_no_matrix_in_single(graph: &Graph) -> Result<(), String> {
    every(graph, |node| {
        let left = MatrixOp::of(graph, &node.op, &node.inputs);
        left.map(|_| "reads a matrix in single precision".to_owned())
    })
}

/// No node has a fault; the error names the first node that has one.
pub(super) fn every(graph: &Graph, fault: impl Fn(&Node) -> Option<String>) -> Result<(), String> {
    let mut nodes = graph.nodes.iter();
    let found = nodes.find_map(|node| Some((node, fault(node)?)));
    match found {
        Some((node, fault)) => Err(format!("{} {fault}", node.name)),
        None => Ok(()),
    }
}
