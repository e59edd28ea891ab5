//! How fast an engine multiplies matrices, which limits every transformer in it.

use std::time::{Duration, Instant};

use ndarray::Array2;
use nezha_graphs::files::write_file;
use nezha_graphs::proto::{GraphProto, ModelProto, NodeProto, OperatorSetIdProto};
use nezha_graphs::{DType, Dim, Port};
use nezha_runtime::{EngineKind, EngineOptions, Session, Tensors};
use prost::Message;

use super::ServeError;

/// Rows and columns: about the size of a base model's feed-forward layer on 1024 tokens.
const SIZE: usize = 1024;
/// The best run within this time counts.
const TIME: Duration = Duration::from_millis(500);

/// The best rate of floating point operations per second, for two square f32 matrices.
///
/// # Errors
/// [`ServeError`] if the engine can't run the product.
pub(super) fn rate(engine: EngineKind, options: &EngineOptions) -> Result<f64, ServeError> {
    let folder = tempfile::tempdir().map_err(|source| ServeError::TemporaryFolder {
        purpose: "a matrix product",
        source,
    })?;
    let path = folder.path().join("matmul.onnx");
    write_file(&path, model().encode_to_vec())?;
    let session = Session::builder()
        .engine(engine)
        .engine_options(options.clone())
        .load(&path)?;
    let values = Array2::from_shape_fn((SIZE, SIZE), |(row, column)| {
        ((row + column) % 7) as f32 - 3.0
    });
    let inputs = Tensors::from([("a", values.clone().into()), ("b", values.into())]);
    let begin = Instant::now();
    let mut best = Duration::MAX;
    while begin.elapsed() < TIME {
        let inputs = inputs.clone();
        let start = Instant::now();
        session.run(inputs)?;
        best = best.min(start.elapsed());
    }
    Ok(2.0 * (SIZE as f64).powi(3) / best.as_secs_f64())
}

fn model() -> ModelProto {
    let port = |name: &str| {
        let size = Dim::from(SIZE);
        Port::new(name, DType::F32, &[size.clone(), size], "a square matrix").to_proto()
    };
    ModelProto {
        ir_version: 8,
        opset_import: vec![OperatorSetIdProto::new("", 17)],
        graph: Some(GraphProto {
            name: "matmul".to_owned(),
            node: vec![NodeProto {
                op_type: "MatMul".to_owned(),
                input: vec!["a".to_owned(), "b".to_owned()],
                output: vec!["product".to_owned()],
                ..NodeProto::default()
            }],
            input: vec![port("a"), port("b")],
            output: vec![port("product")],
            ..GraphProto::default()
        }),
        ..ModelProto::default()
    }
}
