use bytes::Bytes;
use nezha_graphs::Port;
use nezha_graphs::proto::{
    AttributeProto, GraphProto, ModelProto, NodeProto, OperatorSetIdProto, TensorProto,
    ValueInfoProto,
};

use super::ir_version;
use crate::graph::{Graph, Initializer, Node, Op, Value};

/// The messages of a graph but for its initializers, which are written one by one, and the metadata.
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
        opset_import: vec![OperatorSetIdProto {
            domain: String::new(),
            version: graph.opset.into(),
        }],
        metadata_props: Vec::new(),
    }
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

/// How many bytes the elements of an initializer take.
pub(super) fn tensor_bytes(graph: &Graph, initializer: &Initializer) -> u64 {
    let value_type = graph.value_type(initializer.value);
    let sizes = value_type
        .shape
        .iter()
        .map(|dim| dim.as_fixed().unwrap_or(0) as u64);
    sizes.product::<u64>() * value_type.dtype.size() as u64
}

fn node(graph: &Graph, node: &Node) -> NodeProto {
    let name = |value: &Value| graph.value_name(*value).to_owned();
    NodeProto {
        input: node.inputs.iter().map(name).collect(),
        output: node.outputs.iter().map(name).collect(),
        name: node.name.clone(),
        op_type: node.op.name().to_owned(),
        attribute: attributes(node),
        domain: String::new(),
    }
}

/// Types and shapes of the edges between nodes; inputs and outputs have theirs.
fn value_info(graph: &Graph) -> Vec<ValueInfoProto> {
    let is_output = |value: Value| graph.outputs.iter().any(|(_, it)| *it == value);
    let edges = graph.nodes.iter().flat_map(|node| &node.outputs).copied();
    edges
        .filter(|value| !is_output(*value))
        .map(|value| {
            let value_type = graph.value_type(value);
            let name = graph.value_name(value);
            Port::new(name, value_type.dtype, &value_type.shape, "").to_proto()
        })
        .collect()
}

fn attributes(node: &Node) -> Vec<AttributeProto> {
    match &node.op {
        Op::Cast { to } => vec![int("to", to.onnx().into())],
        Op::Concat { axis } | Op::Gather { axis } | Op::GatherElements { axis } => {
            vec![int("axis", *axis as i64)]
        }
        Op::Gelu { tanh: true } => vec![text("approximate", "tanh")],
        Op::Gemm => vec![int("transB", 1)],
        Op::LayerNormalization { epsilon } => vec![int("axis", -1), float("epsilon", *epsilon)],
        Op::MeanAll | Op::SumAll => vec![int("keepdims", 0)],
        Op::ReduceMax { axis, keep } => {
            let axes = (node.inputs.len() == 1).then(|| ints("axes", &[*axis]));
            let keep = int("keepdims", (*keep).into());
            [keep].into_iter().chain(axes).collect()
        }
        Op::ReduceSum => vec![int("keepdims", 1)],
        Op::Shape { start, end } => vec![int("start", *start as i64), int("end", *end as i64)],
        Op::LogSoftmax | Op::Softmax | Op::TopK => vec![int("axis", -1)],
        Op::Transpose { perm } => vec![ints("perm", perm)],
        Op::Abs
        | Op::Add
        | Op::Clip
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
        | Op::Slice
        | Op::Sqrt
        | Op::Squeeze
        | Op::Sub
        | Op::Tanh
        | Op::Unsqueeze => Vec::new(),
    }
}

/// Numbers of `AttributeProto.AttributeType`.
const FLOAT: i32 = 1;
const INT: i32 = 2;
const STRING: i32 = 3;
const INTS: i32 = 7;

fn int(name: &str, i: i64) -> AttributeProto {
    AttributeProto {
        name: name.to_owned(),
        i,
        r#type: INT,
        ..AttributeProto::default()
    }
}

fn float(name: &str, f: f32) -> AttributeProto {
    AttributeProto {
        name: name.to_owned(),
        f,
        r#type: FLOAT,
        ..AttributeProto::default()
    }
}

fn text(name: &str, s: &'static str) -> AttributeProto {
    AttributeProto {
        name: name.to_owned(),
        s: Bytes::from_static(s.as_bytes()),
        r#type: STRING,
        ..AttributeProto::default()
    }
}

fn ints(name: &str, ints: &[usize]) -> AttributeProto {
    AttributeProto {
        name: name.to_owned(),
        ints: ints.iter().map(|it| *it as i64).collect(),
        r#type: INTS,
        ..AttributeProto::default()
    }
}
