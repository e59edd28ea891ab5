//! What ONNX Runtime makes of a graph on the CPU.

use std::path::Path;

use nezha_exporter::checkpoint::{Checkpoint, OpenOptions};
use nezha_exporter::{ExportOptions, export};
use nezha_graphs::decode_model;
use nezha_runtime::{EngineChoice, EngineOptions, Session};

/// ONNX Runtime ignores an option or an optimizer that it does not know without a word.
#[test]
fn residual_and_layer_normalization_are_not_one_slower_operator() {
    let folder = tempfile::tempdir().unwrap();
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/nezha-tiny-zh");
    let checkpoint = Checkpoint::open(&source, &OpenOptions::default()).unwrap();
    let exported = export(&checkpoint, folder.path(), &ExportOptions::default()).unwrap();
    let optimized = folder.path().join("optimized.onnx");
    let options = EngineOptions {
        optimized_graph: Some(optimized.clone()),
        ..EngineOptions::default()
    };
    let engine: EngineChoice = "ort".parse().unwrap();
    Session::load(&exported.artifacts[0].file.path, &engine, &options).unwrap();
    let model = decode_model(std::fs::read(&optimized).unwrap().into()).unwrap();
    let nodes = model.graph.unwrap().node;
    let count = |name| nodes.iter().filter(|it| it.op_type == name).count();
    assert_eq!(count("SkipLayerNormalization"), 0);
    // One for the embeddings, two in each layer, one in the head.
    let layers = checkpoint.config().num_hidden_layers;
    assert_eq!(count("LayerNormalization"), 2 * layers + 2);
    // Fusions that pay are there: one in each layer, one in the head.
    assert_eq!(count("BiasGelu"), layers + 1);
}
