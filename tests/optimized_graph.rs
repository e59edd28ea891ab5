//! What ONNX Runtime makes of a graph on the CPU. It ignores an option or an optimizer that it does
//! not know without a word, and graphs that miss its patterns too.

use std::path::Path;

use nezha_exporter::checkpoint::{Checkpoint, OpenOptions};
use nezha_exporter::{ExportOptions, export};
use nezha_graphs::{Precision, read_model};
use nezha_runtime::{EngineChoice, EngineOptions, OrtOptions, Session};
use testkit::repository;

/// The operators of a model.
struct Operators(Vec<String>);

impl Operators {
    fn read(path: &Path) -> Self {
        let model = read_model(path).unwrap();
        let nodes = model.graph.unwrap().node;
        Self(nodes.into_iter().map(|it| it.op_type).collect())
    }

    fn count(&self, name: &str) -> usize {
        self.0.iter().filter(|it| *it == name).count()
    }
}

/// The operators of the exported graph, and those that ONNX Runtime runs.
fn operators(precision: Precision) -> [Operators; 2] {
    let folder = tempfile::tempdir().unwrap();
    let checkpoint =
        Checkpoint::open(repository("models/nezha-tiny-zh"), &OpenOptions::default()).unwrap();
    let options = ExportOptions::default().precisions(vec![precision]);
    let exported = export(&checkpoint, folder.path(), &options).unwrap();
    let model = &exported.artifacts[0].file.path;
    let optimized = folder.path().join("optimized.onnx");
    let options =
        EngineOptions::default().ort(OrtOptions::default().optimized_graph(optimized.clone()));
    let engine: EngineChoice = "ort".parse().unwrap();
    Session::builder()
        .engine(engine)
        .engine_options(options.clone())
        .load(model)
        .unwrap();
    [model, &optimized].map(|it| Operators::read(it))
}

#[test]
fn what_is_slower_fused_stays_apart() {
    let [exported, optimized] = operators(Precision::Fp32);
    let normalizations = exported.count("LayerNormalization");
    assert!(normalizations > 0);
    assert_eq!(optimized.count("SkipLayerNormalization"), 0);
    assert_eq!(optimized.count("LayerNormalization"), normalizations);
    assert_eq!(optimized.count("BiasGelu"), 0);
    // Fusions that pay are there.
    assert_eq!(optimized.count("Gelu"), exported.count("Erf"));
    assert_eq!(optimized.count("Erf"), 0);
}

#[test]
fn products_of_bytes_are_scaled_in_the_kernel_that_makes_them() {
    let [exported, optimized] = operators(Precision::Int8);
    let products = exported.count("MatMulInteger");
    assert!(products > 0);
    assert_eq!(optimized.count("MatMulInteger"), 0);
    assert_eq!(optimized.count("MatMulIntegerToFloat"), products);
}
