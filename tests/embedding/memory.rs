//! The same bits, from a file and from memory, in every engine.

use std::fs;

use nezha_exporter::Placement;
use nezha_graphs::{Artifact, error_chain};
use nezha_runtime::{EngineKind, EngineOptions, OrtOptions, Session, TextClassification};
use testkit::engines::{ENGINES, tensors};
use testkit::fixtures::fixtures;

use crate::{exported, sentiment};

/// A session of a folder's model that was never in a file.
fn from_bytes(folder: &std::path::Path, engine: EngineKind, options: &EngineOptions) -> Session {
    let artifact = Artifact::in_folder(folder);
    let names = artifact.names().unwrap();
    let parts = names.into_iter().map(|name| {
        let bytes = fs::read(folder.join(&name)).unwrap();
        (name, bytes)
    });
    let session = Session::builder()
        .engine(engine)
        .engine_options(options.clone());
    let memory = Artifact::from_parts(parts).unwrap();
    match session.load_artifact(&memory) {
        Ok(session) => session,
        Err(error) => panic!(
            "{engine}: {}; `cargo run --release -- setup`, and again with --openvino, installs what is \
             missing",
            error_chain(&error)
        ),
    }
}

#[test]
fn every_head_answers_from_memory_as_from_a_file_with_weights_embedded_and_external() {
    for fixture in fixtures()
        .iter()
        .filter(|it| it.name.starts_with("reach-4/"))
    {
        for weights in [Placement::Embedded, Placement::External] {
            let folder = exported(&fixture.folder, fixture.head, weights);
            for engine in ENGINES {
                let context = format!("{}, {weights:?}, {engine}", fixture.name);
                let file = engine.session(&folder.path().join("model.onnx"));
                let memory = from_bytes(folder.path(), engine.kind, &EngineOptions::default());
                assert_eq!(memory.signature(), file.signature(), "{context}");
                let takes = |case: &&testkit::fixtures::Case| {
                    let mut names = case.inputs.keys();
                    names.all(|name| file.signature().input(name).is_ok())
                };
                let case = fixture.cases.iter().find(takes).unwrap();
                let [from_file, from_memory] =
                    [&file, &memory].map(|it| it.run(tensors(&case.inputs)).unwrap());
                assert_eq!(from_memory, from_file, "{context}, {}", case.name);
            }
        }
    }
}

#[test]
fn sessions_that_share_weights_and_optimised_models_answer_from_memory_too() {
    let cache = tempfile::tempdir().unwrap();
    let two = || OrtOptions::default().sessions(2.try_into().unwrap());
    for (weights, ort) in [
        (Placement::Embedded, two()),
        (Placement::External, two()),
        (Placement::External, two().low_memory(true)),
        (
            Placement::Embedded,
            two().optimized_models(cache.path().to_owned()),
        ),
    ] {
        let folder = sentiment(weights);
        let options = EngineOptions::default().ort(ort.clone());
        let memory = from_bytes(folder.path(), EngineKind::OrtCpu, &options);
        let file = Session::builder().engine(EngineKind::OrtCpu);
        let file = file.load(folder.path().join("model.onnx")).unwrap();
        let ids = ndarray::array![[101_i64, 6421, 102]];
        let inputs = || nezha_runtime::Tensors::from([("input_ids", ids.clone().into())]);
        for turn in 0..2 {
            let [expected, found] = [&file, &memory].map(|it| it.run(inputs()).unwrap());
            let pairs = expected.array::<f32>("logits").unwrap().iter();
            for (a, b) in pairs.zip(found.array::<f32>("logits").unwrap()) {
                assert!((a - b).abs() < 1e-5, "{ort:?}, turn {turn}: {a} and {b}");
            }
        }
    }
    assert_eq!(fs::read_dir(cache.path()).unwrap().count(), 1, "saved once");
}

#[test]
fn weights_that_are_not_among_the_parts_are_told_by_name() {
    let folder = sentiment(Placement::External);
    let model = fs::read(folder.path().join("model.onnx")).unwrap();
    for engine in [EngineKind::OpenVinoCpu, EngineKind::Tract] {
        let artifact = Artifact::from_parts([("model.onnx", model.clone())]).unwrap();
        let error = Session::builder().engine(engine).load_artifact(&artifact);
        let error = error_chain(&error.unwrap_err());
        assert!(error.contains("onnx_data"), "{engine}: {error}");
        assert!(error.contains("the elements of '"), "{engine}: {error}");
    }
    // ONNX Runtime says it in its own words.
    let artifact = Artifact::from_parts([("model.onnx", model)]).unwrap();
    let session = Session::builder().engine(EngineKind::OrtCpu);
    assert!(session.load_artifact(&artifact).is_err());
}

#[test]
fn an_artifact_without_a_tokenizer_or_a_graph_is_told_so() {
    let folder = sentiment(Placement::Embedded);
    let model = fs::read(folder.path().join("model.onnx")).unwrap();
    let artifact = Artifact::from_parts([("model.onnx", model)]).unwrap();
    let error = TextClassification::from_artifact(&artifact).unwrap_err();
    assert!(
        error_chain(&error).contains("no tokenizer.json and no vocab.txt"),
        "{error}"
    );
    let artifact = Artifact::from_parts([("vocab.txt", b"[PAD]\n".to_vec())]).unwrap();
    let error = TextClassification::from_artifact(&artifact).unwrap_err();
    assert!(
        error_chain(&error).contains("none of model.onnx"),
        "{error}"
    );
}
