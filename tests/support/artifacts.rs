//! A fixture's graph in an engine: exported to a scratch folder, loaded, fed by name.
#![allow(dead_code, reason = "each test uses a part")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use nezha_exporter::checkpoint::{Checkpoint, OpenOptions};
use nezha_exporter::{ExportOptions, Heads, export};
use nezha_graphs::{GraphOptions, Head, Precision};
use nezha_runtime::{EngineChoice, EngineOptions, Session, Tensors};
use tempfile::TempDir;

use crate::fixtures::{Case, Tensor};

/// The engines, and how far each may be off, of the largest magnitude in a tensor.
pub const ENGINES: [(&str, f64); 2] = [("ort", 1e-5), ("tract", 1e-4)];

/// Exports one head in single precision; the artifact lives as long as the folder.
pub fn artifact(folder: &Path, head: Head, graph: &GraphOptions, opset: u32) -> (TempDir, PathBuf) {
    artifact_in(Precision::Fp32, folder, head, graph, opset)
}

/// Exports one head in some precision; the artifact lives as long as the folder.
pub fn artifact_in(
    precision: Precision,
    folder: &Path,
    head: Head,
    graph: &GraphOptions,
    opset: u32,
) -> (TempDir, PathBuf) {
    let context = format!("{}, {head}, {precision}", folder.display());
    let checkpoint = Checkpoint::open(folder, &OpenOptions::default())
        .unwrap_or_else(|error| panic!("{context}: {error}"));
    let options = ExportOptions {
        heads: Heads::Named(vec![head]),
        graph: graph.clone(),
        opset,
        precisions: vec![precision],
        ..ExportOptions::default()
    };
    let target = TempDir::new().unwrap();
    let exported = export(&checkpoint, target.path(), &options)
        .unwrap_or_else(|error| panic!("{context}: {error}"));
    (target, exported.artifacts[0].file.path.clone())
}

/// The graph that takes what the case gives and gives what it took from transformers.
pub fn options(case: &Case) -> GraphOptions {
    let takes = |name: &str| case.inputs.contains_key(name);
    let gives = |name: &str| case.outputs.contains_key(name);
    GraphOptions {
        inputs_embeds: takes("inputs_embeds"),
        head_mask: takes("head_mask"),
        hidden_states: gives("hidden_states.0"),
        attentions: gives("attentions.0"),
        loss: gives("loss"),
        problem_type: case.problem_type,
        ..GraphOptions::default()
    }
}

/// Starts an engine; it is a failure where it is not there.
pub fn session(path: &Path, engine: &str) -> Session {
    let choice: EngineChoice = engine.parse().unwrap();
    Session::load(path, &choice, &EngineOptions::default())
        .unwrap_or_else(|error| panic!("{engine}: {error}"))
}

/// A fixture's tensors, as the runtime takes them.
pub fn tensors(inputs: &BTreeMap<String, Tensor>) -> Tensors {
    let tensors = inputs.iter().map(|(name, tensor)| match tensor {
        Tensor::I64(array) => (name.as_str(), array.clone().into()),
        Tensor::F32(array) => (name.as_str(), array.clone().into()),
    });
    tensors.collect()
}
