//! A graph for tests: it gathers rows of a table and multiplies them by weights.

use bytes::Bytes;
use nezha_graphs::proto::{GraphProto, ModelProto, NodeProto, OperatorSetIdProto, TensorProto};
use nezha_graphs::{DType, Dim, Port};
use prost::Message;

/// Rows of the table; the weights are square.
pub(super) const ROWS: usize = 300;
/// Numbers in a row.
pub(super) const WIDTH: usize = 64;

/// The numbers in a table or in weights.
pub(super) fn numbers(rows: usize) -> impl Iterator<Item = f32> {
    (0..rows * WIDTH).map(|it| (it * 7 % 101) as f32 - 50.0)
}

/// `y = table[ids] × weights`, for any number of ids. Both tensors are large enough to be read
/// apart from the graph.
pub(super) fn lookup_and_product() -> Vec<u8> {
    model(["rows", "weights"])
}

/// Like [`lookup_and_product`], but with the table also as a factor; the shapes don't fit.
pub(super) fn tied() -> Vec<u8> {
    model(["weights", "table"])
}

fn model(factors: [&str; 2]) -> Vec<u8> {
    let node = |op: &str, inputs: [&str; 2], output: &str| NodeProto {
        input: inputs.map(str::to_owned).to_vec(),
        output: vec![output.to_owned()],
        name: output.to_owned(),
        op_type: op.to_owned(),
        ..NodeProto::default()
    };
    let tensor = |name: &str, rows: usize| TensorProto {
        dims: vec![rows as i64, WIDTH as i64],
        data_type: DType::F32.onnx(),
        name: name.to_owned(),
        raw_data: Bytes::from_iter(numbers(rows).flat_map(f32::to_le_bytes)),
        ..TensorProto::default()
    };
    let port = |name: &str, dtype, dims: &[&str]| {
        let dims: Vec<Dim> = dims.iter().map(|it| Dim::parse(it)).collect();
        Port::new(name, dtype, &dims, "").to_proto()
    };
    let graph = GraphProto {
        name: "sample".to_owned(),
        node: vec![
            node("Gather", ["table", "ids"], "rows"),
            node("MatMul", factors, "y"),
        ],
        initializer: vec![tensor("table", ROWS), tensor("weights", WIDTH)],
        input: vec![port("ids", DType::I64, &["n"])],
        output: vec![port("y", DType::F32, &["n", "64"])],
        ..GraphProto::default()
    };
    let model = ModelProto {
        ir_version: 8,
        graph: Some(graph),
        opset_import: vec![OperatorSetIdProto::new("", 17)],
        ..ModelProto::default()
    };
    model.encode_to_vec()
}
