//! The result of a verification, as `verification.json` and as the summary in the artifact.

use nezha_exporter::verify::{Difference, FileDigest, Verified};
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::engines::EngineReport;

/// The version of the fields of `verification.json`.
const FORMAT_VERSION: u32 = 1;

/// How many differences are listed: with a wrong checkpoint, every weight differs.
const LISTED: usize = 20;

/// The result of a verification, in the order of the document.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Certificate {
    /// The version of the fields of `verification.json`.
    pub format_version: u32,
    /// Whether no weight differs and every output is within its tolerance.
    pub passed: bool,
    /// The program that verified, with its version.
    pub verified_by: String,
    /// The program that exported, with its version.
    pub exported_by: String,
    /// The artifact's head.
    pub head: &'static str,
    /// The opset of its graph.
    pub opset: u32,
    /// XXH3-128 of the checkpoint's tensors, as recorded in the artifact.
    pub source_digest: String,
    /// The `.onnx` file and its files of weights.
    pub files: Vec<FileDigest>,
    /// The comparison of the weights with those of the checkpoint.
    pub initializers: Initializers,
    /// The engines that ran the artifact, and those that could not.
    pub engines: Vec<EngineReport>,
}

/// The comparison of an artifact's weights with those of its checkpoint.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Initializers {
    /// How many initializers there are.
    pub count: usize,
    /// How many elements they have.
    pub elements: u64,
    /// How they were compared: `exact`.
    pub comparison: &'static str,
    /// The largest distance of a quantized weight from the checkpoint's, in quantization steps;
    /// `None` if no weight is quantized.
    pub worst_rounding: Option<f64>,
    /// How many differences there are.
    pub differing: usize,
    /// The first of them.
    pub differences: Vec<Difference>,
}

impl Certificate {
    /// Joins the results for an artifact and for the engines that ran it.
    pub fn new(verified: &Verified, engines: Vec<EngineReport>) -> Self {
        let sound = verified.differences.is_empty();
        let differences = verified.differences.iter().take(LISTED);
        Self {
            format_version: FORMAT_VERSION,
            passed: sound && engines.iter().all(EngineReport::passed),
            verified_by: format!("nezha-onnx {}", env!("CARGO_PKG_VERSION")),
            exported_by: format!("nezha-onnx {}", verified.metadata.exporter_version),
            head: verified.head().name(),
            opset: verified.opset,
            source_digest: verified.metadata.source_digest.clone(),
            files: verified.files.clone(),
            initializers: Initializers {
                count: verified.initializers,
                elements: verified.elements,
                comparison: "exact",
                worst_rounding: verified.worst_rounding,
                differing: verified.differences.len(),
                differences: differences.cloned().collect(),
            },
            engines,
        }
    }

    /// The document as JSON.
    pub fn to_json(&self) -> String {
        serde_json::to_string_pretty(self).unwrap_or_default()
    }

    /// The summary that is written into the artifact.
    pub fn summary(&self) -> String {
        let engines: Map<String, Value> = self
            .engines
            .iter()
            .filter(|it| it.available)
            .map(|it| (it.engine.to_owned(), json!(it.worst())))
            .collect();
        json!({
            "format_version": self.format_version,
            "passed": self.passed,
            "initializers": self.initializers.count,
            "worst_errors": engines,
        })
        .to_string()
    }
}
