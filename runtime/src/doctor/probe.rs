use std::path::Path;

use ndarray::array;
use nezha_graphs::files::write_file;
use nezha_graphs::proto::{GraphProto, ModelProto, NodeProto, OperatorSetIdProto};
use nezha_graphs::{DType, Dim, Port, error_chain};
use prost::Message;

use crate::{EngineKind, EngineOptions, Session, Tensors};

/// Starts an engine and makes it multiply two small matrices; returns its description.
///
/// A registered execution provider doesn't always compute: the profile shows whether it did.
pub(super) fn probe(engine: EngineKind, options: &EngineOptions) -> Result<String, String> {
    let folder = tempfile::tempdir().map_err(|error| format!("no temporary folder: {error}"))?;
    let model = folder.path().join("product.onnx");
    write_file(&model, product().encode_to_vec()).map_err(|error| error_chain(&error))?;
    run(engine, options, &model).map_err(|error| error_chain(error.as_ref()))
}

fn run(
    engine: EngineKind,
    options: &EngineOptions,
    model: &Path,
) -> Result<String, Box<dyn std::error::Error>> {
    let options = options.of(engine).profile(model.with_extension("profile"));
    let session = Session::builder()
        .engine(engine)
        .engine_options(options.clone())
        .load(model)?;
    let matrix = || array![[1_f32, 2.0], [3.0, 4.0]].into();
    let outputs = session.run(Tensors::from([("a", matrix()), ("b", matrix())]))?;
    let expected = array![[7_f32, 10.0], [15.0, 22.0]].into_dyn();
    let found = outputs.array::<f32>("product")?;
    if found != expected {
        return Err(format!("{engine} multiplies wrongly: {found}, expected {expected}").into());
    }
    if let Some(provider) = engine.execution_provider() {
        let profile = session.end_profiling()?;
        if let Some(other) = profile.nodes.iter().find(|it| it.provider != provider) {
            let reason = format!("{engine} leaves the work to {}", other.provider);
            return Err(reason.into());
        }
    }
    Ok(session.engine().description().to_owned())
}

/// A model that computes `product` = `a` · `b`, each with two rows and two columns.
fn product() -> ModelProto {
    let port = |name| Port::new(name, DType::F32, &[Dim::from(2), Dim::from(2)], "").to_proto();
    ModelProto {
        ir_version: 8,
        graph: Some(GraphProto {
            name: "product".to_owned(),
            node: vec![NodeProto {
                input: vec!["a".to_owned(), "b".to_owned()],
                output: vec!["product".to_owned()],
                name: "product".to_owned(),
                op_type: "MatMul".to_owned(),
                ..NodeProto::default()
            }],
            input: vec![port("a"), port("b")],
            output: vec![port("product")],
            ..GraphProto::default()
        }),
        opset_import: vec![OperatorSetIdProto::new("", 17)],
        ..ModelProto::default()
    }
}
