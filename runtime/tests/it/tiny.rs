//! Tiny graphs, and how tests load them.

use std::fs;
use std::path::PathBuf;
use std::sync::LazyLock;

use bytes::Bytes;
use ndarray::Array2;
use nezha_graphs::proto::{
    AttributeProto, GraphProto, ModelProto, NodeProto, OperatorSetIdProto, StringStringEntryProto,
    TensorProto,
};
use nezha_graphs::{DType, Dim, GraphOptions, Head, Metadata, Port, Precision, error_chain};
use nezha_runtime::{EngineChoice, EngineKind, EngineOptions, Session, SessionError, Tensors};
use prost::Message;
use tempfile::TempDir;
use testkit::compare::{Tolerance, assert_near};

/// Rows of the word embeddings in [`embeddings`]: `[10·id, 10·id + 1]`.
pub(crate) const VOCAB_SIZE: usize = 5;

/// A file in a folder that goes when the test ends.
pub(crate) struct OnnxFile {
    _folder: TempDir,
    pub path: PathBuf,
}

pub(crate) fn write(bytes: &[u8]) -> OnnxFile {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.onnx");
    fs::write(&path, bytes).unwrap();
    OnnxFile {
        _folder: folder,
        path,
    }
}

pub(crate) fn save(model: &ModelProto) -> OnnxFile {
    write(&model.encode_to_vec())
}

/// A session; without an engine's library the test fails and says how to get it.
pub(crate) fn open(file: &OnnxFile, choice: &str, options: &EngineOptions) -> Session {
    let choice: EngineChoice = choice.parse().unwrap();
    match Session::builder()
        .engine(choice)
        .engine_options(options.clone())
        .load(&file.path)
    {
        Ok(session) => session,
        Err(error) => match error_chain(&error) {
            error if error.contains("`nezha setup") => {
                panic!("run `cargo run --release -- setup`, and again with --openvino\n{error}")
            }
            error => panic!("{error}"),
        },
    }
}

/// A session in one engine, with its defaults.
pub(crate) fn load(file: &OnnxFile, kind: EngineKind) -> Session {
    open(file, kind.name(), &EngineOptions::default())
}

/// The error of a load that must fail.
pub(crate) fn load_error(file: &OnnxFile, choice: EngineChoice) -> SessionError {
    match Session::builder().engine(choice).load(&file.path) {
        Ok(session) => panic!("{} took a broken model", session.engine().description()),
        Err(error) => error,
    }
}

/// An engine of each family.
pub(crate) const ENGINES: [EngineKind; 3] = [
    EngineKind::OrtCpu,
    EngineKind::OpenVinoCpu,
    EngineKind::Tract,
];

pub(crate) fn port(name: &str, dtype: DType, shape: &str) -> Port {
    let dims: Vec<Dim> = shape.split(',').map(Dim::parse).collect();
    Port::new(name, dtype, &dims, "")
}

pub(crate) fn node(op_type: &str, input: &[&str], output: &str) -> NodeProto {
    NodeProto {
        input: input.iter().map(|it| (*it).to_owned()).collect(),
        output: vec![output.to_owned()],
        name: output.to_owned(),
        op_type: op_type.to_owned(),
        ..NodeProto::default()
    }
}

fn with_int(mut node: NodeProto, name: &str, i: i64) -> NodeProto {
    node.attribute.push(AttributeProto::int(name, i));
    node
}

pub(crate) fn initializer(name: &str, dtype: DType, dims: &[i64], raw: Vec<u8>) -> TensorProto {
    TensorProto {
        dims: dims.to_vec(),
        data_type: dtype.onnx(),
        name: name.to_owned(),
        raw_data: Bytes::from(raw),
        ..TensorProto::default()
    }
}

pub(crate) fn model(
    inputs: &[Port],
    outputs: &[Port],
    node: Vec<NodeProto>,
    initializer: Vec<TensorProto>,
) -> ModelProto {
    ModelProto {
        ir_version: 8,
        graph: Some(GraphProto {
            name: "tiny".to_owned(),
            node,
            initializer,
            input: inputs.iter().map(Port::to_proto).collect(),
            output: outputs.iter().map(Port::to_proto).collect(),
            ..GraphProto::default()
        }),
        opset_import: vec![OperatorSetIdProto::new("", 17)],
        ..ModelProto::default()
    }
}

/// `last_hidden_state` = word embedding · mask + 100 · token type, `tokens` = sum of the mask.
pub(crate) fn embeddings() -> ModelProto {
    let ids = |name| port(name, DType::I64, "batch_size,sequence_length");
    let numbers = |it: Vec<f32>| it.into_iter().flat_map(f32::to_le_bytes).collect();
    let words = (0..VOCAB_SIZE).flat_map(|id| [10.0 * id as f32, 10.0 * id as f32 + 1.0]);
    model(
        &["input_ids", "attention_mask", "token_type_ids"].map(ids),
        &[
            port(
                "last_hidden_state",
                DType::F32,
                "batch_size,sequence_length,2",
            ),
            port("tokens", DType::I64, "batch_size"),
        ],
        vec![
            node("Gather", &["words", "input_ids"], "word"),
            node("Gather", &["types", "token_type_ids"], "type"),
            with_int(node("Cast", &["attention_mask"], "mask"), "to", 1),
            node("Unsqueeze", &["mask", "last"], "column"),
            node("Mul", &["word", "column"], "masked"),
            node("Add", &["masked", "type"], "last_hidden_state"),
            with_int(
                node("ReduceSum", &["attention_mask", "second"], "tokens"),
                "keepdims",
                0,
            ),
        ],
        vec![
            initializer(
                "words",
                DType::F32,
                &[VOCAB_SIZE as i64, 2],
                numbers(words.collect()),
            ),
            initializer(
                "types",
                DType::F32,
                &[2, 2],
                numbers(vec![0.0, 0.0, 100.0, 100.0]),
            ),
            initializer("last", DType::I64, &[1], (-1_i64).to_le_bytes().to_vec()),
            initializer("second", DType::I64, &[1], 1_i64.to_le_bytes().to_vec()),
        ],
    )
}

/// [`embeddings`], as if nezha-onnx had exported it.
pub(crate) fn exported_embeddings() -> ModelProto {
    let metadata = Metadata {
        head: Head::Base,
        options: GraphOptions::default(),
        precision: Precision::default(),
        config_json: format!(r#"{{"model_type": "nezha", "vocab_size": {VOCAB_SIZE}}}"#),
        source_size: 0,
        source_digest: "00".to_owned(),
        exporter_version: "0.1.0".to_owned(),
    };
    let entry = |(key, value)| StringStringEntryProto { key, value };
    ModelProto {
        metadata_props: metadata
            .to_props()
            .unwrap()
            .into_iter()
            .map(entry)
            .collect(),
        ..embeddings()
    }
}

/// Rows and columns of the weights of [`external_product`], enough for a pool to share them.
const PRODUCT: [usize; 2] = [128, 256];

/// The weights of [`external_product`], which begin 64 bytes after the start of their file.
pub(crate) static PRODUCT_WEIGHTS: LazyLock<Vec<f32>> = LazyLock::new(|| {
    let count = PRODUCT.iter().product::<usize>();
    (0..count).map(|i| (i % 97) as f32 - 48.0).collect()
});

/// A matrix product with weights in the file called `location`.
pub(crate) fn external_product(location: &str) -> ModelProto {
    let length = (4 * PRODUCT_WEIGHTS.len()).to_string();
    let entry = |(key, value): (&str, &str)| StringStringEntryProto {
        key: key.to_owned(),
        value: value.to_owned(),
    };
    let entries = [
        ("location", location),
        ("offset", "64"),
        ("length", &length),
    ];
    let weights = TensorProto {
        dims: PRODUCT.map(|it| it as i64).to_vec(),
        data_type: DType::F32.onnx(),
        name: "weights".to_owned(),
        external_data: entries.into_iter().map(entry).collect(),
        data_location: 1,
        ..TensorProto::default()
    };
    let [rows, columns] = PRODUCT;
    model(
        &[port("x", DType::F32, &format!("n,{rows}"))],
        &[port("y", DType::F32, &format!("n,{columns}"))],
        vec![node("MatMul", &["x", "weights"], "y")],
        vec![weights],
    )
}

/// Compares a run of [`external_product`] with plain loops.
pub(crate) fn check_product(session: &Session, context: &str) {
    let [rows, columns] = PRODUCT;
    let x = Array2::from_shape_fn((3, rows), |(i, j)| (i + j % 5) as f32);
    let weights = Array2::from_shape_vec((rows, columns), PRODUCT_WEIGHTS.clone()).unwrap();
    let inputs = Tensors::from([("x", x.clone().into())]);
    let outputs = session.run(inputs).unwrap();
    let found = outputs.array::<f32>("y").unwrap();
    // Whole numbers this small are exact in whatever order they are added.
    assert_near(context, "y", &x.dot(&weights), found, Tolerance::Bits);
}
