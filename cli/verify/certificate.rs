//! What was verified, as a table, as `verification.json` and as the artifact's own summary.

use std::path::Path;

use anyhow::Result;
use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{ContentArrangement, Table};
use nezha_exporter::verify::{Difference, FileDigest, Verified};
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::engines::EngineReport;
use crate::output;

/// Version of the fields of `verification.json`.
const FORMAT_VERSION: u32 = 1;

/// Differences that are listed; a wrong checkpoint differs everywhere.
const LISTED: usize = 20;

/// The result of a verification, in the order of the document.
#[derive(Serialize)]
pub struct Certificate {
    format_version: u32,
    /// Whether no weight differs and every answer is within its tolerance.
    pub passed: bool,
    verified_by: String,
    exported_by: String,
    head: &'static str,
    opset: u32,
    /// XXH3-128 of the checkpoint's tensors, as the artifact has it.
    source_digest: String,
    /// The `.onnx` and its files of weights.
    pub files: Vec<FileDigest>,
    initializers: Initializers,
    engines: Vec<EngineReport>,
}

#[derive(Serialize)]
struct Initializers {
    count: usize,
    elements: u64,
    comparison: &'static str,
    /// Of quantized weights, the largest distance from the checkpoint's, in steps.
    worst_rounding: Option<f64>,
    /// How many differences there are; the first ones follow.
    differing: usize,
    differences: Vec<Difference>,
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

    /// Prints the table.
    ///
    /// # Errors
    /// Where standard output can't be written.
    pub fn print(&self, model: &Path) -> Result<()> {
        let initializers = &self.initializers;
        output::line(format_args!(
            "{}: {} head, opset {}, {} initializers of {} elements: {}",
            model.display(),
            self.head,
            self.opset,
            initializers.count,
            initializers.elements,
            match initializers.differing {
                0 => match initializers.worst_rounding {
                    None => "each as the checkpoint has it".to_owned(),
                    Some(steps) => format!(
                        "each as the checkpoint gives it, rounded by {steps:.3} steps at most"
                    ),
                },
                some => format!("{some} differences"),
            }
        ))?;
        for difference in &initializers.differences {
            output::line(format_args!("  {difference}"))?;
        }
        if initializers.differing > initializers.differences.len() {
            output::line("  …")?;
        }
        if !self.engines.is_empty() {
            output::line(self.table())?;
        }
        Ok(())
    }

    fn table(&self) -> Table {
        let mut table = Table::new();
        table
            .load_style(UTF8_FULL_CONDENSED)
            .set_content_arrangement(ContentArrangement::Dynamic)
            .set_header([
                "engine",
                "asked",
                "batch × tokens",
                "furthest off",
                "error",
                "allowed",
                "",
            ]);
        for engine in &self.engines {
            if !engine.available {
                table.add_row([engine.engine, "not asked", "", &engine.description]);
            }
            for case in &engine.cases {
                let error = case.error.map(|it| format!("{it:.1e}"));
                table.add_row([
                    engine.description.as_str(),
                    case.name,
                    format!("{} × {}", case.batch, case.sequence).as_str(),
                    case.failure.as_ref().unwrap_or(&case.output),
                    error.unwrap_or_default().as_str(),
                    format!("{:.0e}", engine.tolerance).as_str(),
                    if case.passed { "ok" } else { "FAILED" },
                ]);
            }
            for left_out in &engine.left_out {
                table.add_row([engine.engine, "left out", "", left_out]);
            }
        }
        table
    }
}
