//! What was verified, as `verification.json` and as the artifact's own summary.

use nezha_exporter::verify::{Difference, FileDigest, Verified};
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::engines::EngineReport;

/// Version of the fields of `verification.json`.
const FORMAT_VERSION: u32 = 1;

/// Differences that are listed; a wrong checkpoint differs everywhere.
const LISTED: usize = 20;

/// The result of a verification, in the order of the document.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Certificate {
    /// Version of the fields of `verification.json`.
    pub format_version: u32,
    /// Whether no weight differs and every answer is within its tolerance.
    pub passed: bool,
    /// The program that verified, with its version.
    pub verified_by: String,
    /// The program that exported, with its version.
    pub exported_by: String,
    /// What the artifact computes.
    pub head: &'static str,
    /// The operator set of its graph.
    pub opset: u32,
    /// XXH3-128 of the checkpoint's tensors, as the artifact has it.
    pub source_digest: String,
    /// The `.onnx` and its files of weights.
    pub files: Vec<FileDigest>,
    /// The weights beside the checkpoint's.
    pub initializers: Initializers,
    /// The engines that were asked, and those that could not be.
    pub engines: Vec<EngineReport>,
}

/// The weights of an artifact beside its checkpoint's.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Initializers {
    /// How many there are.
    pub count: usize,
    /// How many elements they have.
    pub elements: u64,
    /// How they were compared: `exact`.
    pub comparison: &'static str,
    /// Of quantized weights, the largest distance from the checkpoint's, in steps.
    pub worst_rounding: Option<f64>,
    /// How many differences there are; the first ones follow.
    pub differing: usize,
    /// The first ones.
    pub differences: Vec<Difference>,
}

impl Certificate {
    /// Of an artifact and the engines that were asked about it.
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

    /// The whole document.
    pub fn to_json(&self) -> String {
        serde_json::to_string_pretty(self).unwrap_or_default()
    }

    /// What the artifact carries of it.
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
