use std::collections::{BTreeSet, HashSet};

use bytes::Bytes;
use nezha_graphs::Port;
use nezha_graphs::proto::{
    AttributeProto, GraphProto, ModelProto, NodeProto, OperatorSetIdProto, TensorProto,
    ValueInfoProto,
};

use super::ir_version;
use crate::graph::{Blocks, Graph, Initializer, Node, Op, Value};

/// The message of a graph, without its initializers, which are written one by one, and without
/// metadata.
pub(super) fn model(graph: &Graph) -> ModelProto {
    ModelProto {
        ir_version: ir_version(graph.opset),
        producer_name: "nezha-onnx".to_owned(),
        producer_version: env!("CARGO_PKG_VERSION").to_owned(),
        graph: Some(GraphProto {
            node: graph.nodes.iter().map(|it| node(graph, it)).collect(),
            name: graph.name.clone(),
            initializer: Vec::new(),
            doc_string: format!("NEZHA, {} head", graph.name),
            input: graph
                .inputs
                .iter()
                .map(|(port, _)| port.to_proto())
                .collect(),
            output: graph
                .outputs
                .iter()
                .map(|(port, _)| port.to_proto())
                .collect(),
            value_info: value_info(graph),
        }),
        opset_import: opset_import(graph),
        metadata_props: Vec::new(),
    }
}

/// The operator sets: ONNX's standard operators, and the other domains of the graph's operators.
fn opset_import(graph: &Graph) -> Vec<OperatorSetIdProto> {
    let others: BTreeSet<&str> = graph.nodes.iter().map(|it| it.op.domain()).collect();
    let others = others.into_iter().filter(|it| !it.is_empty());
    // Only ONNX's own operators have more than one version.
    let versions = others.map(|domain| (domain, 1));
    std::iter::once(("", i64::from(graph.opset)))
        .chain(versions)
        .map(|(domain, version)| OperatorSetIdProto::new(domain, version))
        .collect()
}

/// Name, type and shape of an initializer, without its elements.
pub(super) fn tensor(graph: &Graph, initializer: &Initializer) -> TensorProto {
    let value_type = graph.value_type(initializer.value);
    TensorProto {
        dims: value_type
            .shape
            .iter()
            .map(|dim| dim.as_fixed().unwrap_or(0) as i64)
            .collect(),
        data_type: value_type.dtype.onnx(),
        name: graph.value_name(initializer.value).to_owned(),
        raw_data: Bytes::new(),
        external_data: Vec::new(),
        data_location: 0,
    }
}

/// The size of an initializer's elements, in bytes.
pub(super) fn tensor_bytes(graph: &Graph, initializer: &Initializer) -> u64 {
    let value_type = graph.value_type(initializer.value);
    let sizes = value_type
        .shape
        .iter()
        .map(|dim| dim.as_fixed().unwrap_or(0) as u64);
    sizes.product::<u64>() * value_type.dtype.size() as u64
}

/// The index of the lengths among a recurrent operator's inputs.
const LENGTHS: usize = 4;

fn node(graph: &Graph, node: &Node) -> NodeProto {
    let name = |value: &Value| graph.value_name(*value).to_owned();
    let mut input: Vec<String> = node.inputs.iter().map(name).collect();
    if matches!(node.op, Op::Lstm { .. } | Op::Gru { .. }) {
        // The lengths of the texts are omitted, which is written as an empty name.
        input.insert(LENGTHS, String::new());
    }
    NodeProto {
        input,
        output: node.outputs.iter().map(name).collect(),
        name: node.name.clone(),
        op_type: node.op.name().to_owned(),
        attribute: attributes(node),
        domain: node.op.domain().to_owned(),
    }
}

/// Types and shapes of the values between nodes; inputs and outputs state their own.
fn value_info(graph: &Graph) -> Vec<ValueInfoProto> {
    let outputs: HashSet<Value> = graph.outputs.iter().map(|(_, value)| *value).collect();
    let edges = graph.nodes.iter().flat_map(|node| &node.outputs).copied();
    edges
        .filter(|value| !outputs.contains(value))
        .map(|value| {
            let value_type = graph.value_type(value);
            let name = graph.value_name(value);
            Port::new(name, value_type.dtype, &value_type.shape, "").to_proto()
        })
        .collect()
}

fn attributes(node: &Node) -> Vec<AttributeProto> {
    match &node.op {
        Op::Cast { to } => vec![AttributeProto::int("to", to.onnx().into())],
        Op::Concat { axis }
        | Op::DequantizeLinear { axis }
        | Op::Gather { axis }
        | Op::GatherElements { axis } => vec![AttributeProto::int("axis", *axis as i64)],
        Op::Conv { padding, dilation } => {
            let padding = *padding as i64;
            vec![
                AttributeProto::ints("dilations", vec![*dilation as i64]),
                AttributeProto::ints("pads", vec![padding, padding]),
            ]
        }
        Op::Gelu { tanh: true } => vec![AttributeProto::text("approximate", "tanh")],
        Op::Gemm => vec![AttributeProto::int("transB", 1)],
        Op::Gru { hidden } => vec![
            AttributeProto::int("hidden_size", *hidden as i64),
            AttributeProto::int("linear_before_reset", 1),
        ],
        Op::Lstm { hidden } => vec![AttributeProto::int("hidden_size", *hidden as i64)],
        Op::LayerNormalization { epsilon } => vec![
            AttributeProto::int("axis", -1),
            AttributeProto::float("epsilon", *epsilon),
        ],
        Op::MatMulNBits {
            blocks,
            columns,
            rows,
        } => vec![
            AttributeProto::int("K", *columns as i64),
            AttributeProto::int("N", *rows as i64),
            AttributeProto::int("bits", blocks.bits() as i64),
            AttributeProto::int("block_size", blocks.size() as i64),
            AttributeProto::int("accuracy_level", accuracy_level(*blocks)),
        ],
        Op::MeanAll | Op::SumAll => vec![AttributeProto::int("keepdims", 0)],
        Op::ReduceMax { axis, keep } => {
            let axes =
                (node.inputs.len() == 1).then(|| AttributeProto::ints("axes", vec![*axis as i64]));
            let keep = AttributeProto::int("keepdims", (*keep).into());
            [keep].into_iter().chain(axes).collect()
        }
        Op::ReduceSum => vec![AttributeProto::int("keepdims", 1)],
        Op::Shape { start, end } => vec![
            AttributeProto::int("start", *start as i64),
            AttributeProto::int("end", *end as i64),
        ],
        Op::LogSoftmax | Op::Softmax | Op::TopK => vec![AttributeProto::int("axis", -1)],
        Op::Transpose { perm } => {
            let perm = perm.iter().map(|it| *it as i64);
            vec![AttributeProto::ints("perm", perm.collect())]
        }
        Op::Abs
        | Op::Add
        | Op::Clip
        | Op::Cos
        | Op::Div
        | Op::Equal
        | Op::Erf
        | Op::Exp
        | Op::Expand
        | Op::GatherNd
        | Op::Gelu { tanh: false }
        | Op::Identity
        | Op::Log
        | Op::MatMul
        | Op::MatMulInteger
        | Op::Max
        | Op::Mul
        | Op::Neg
        | Op::QuantizeLinear
        | Op::Range
        | Op::Relu
        | Op::Reshape
        | Op::Sigmoid
        | Op::Sin
        | Op::Slice
        | Op::Sqrt
        | Op::Squeeze
        | Op::Sub
        | Op::Tanh
        | Op::Unsqueeze => Vec::new(),
    }
}

/// The accuracy level of `MatMulNBits` on a CPU. At level 1, activations stay in single precision.
/// At level 4, the activations of a block are converted to int8, which costs 0.5 % of the largest
/// result.
///
/// For 8 bits, ONNX Runtime 1.32 only has a kernel at level 4: it takes 0.5 to 1.05 of the time of
/// an fp32 product of 1 to 128 rows. At level 1 it unpacks the matrix in every run, which takes 2
/// to 6 times as long as the fp32 product. For 4 bits there is a kernel at level 1 too: it takes
/// 0.4 to 1.3 of the fp32 product's time, and is not slower on many rows than the one at level 4.
fn accuracy_level(blocks: Blocks) -> i64 {
    match blocks {
        Blocks::Q8 => 4,
        Blocks::Q4 => 1,
    }
}
