//! What fewer bits cost, as a table.

use anyhow::{Result, bail};
use comfy_table::Table;
use comfy_table::presets::UTF8_FULL_CONDENSED;
use nezha_exporter::Artifact;
use nezha_graphs::Precision;
use nezha_verify::{AgreementReport, Comparison};
use std::path::Path;

use crate::output;

/// Compares each artifact of fewer bits, prints a table and writes `agreement.json` beside it.
///
/// # Errors
/// If the questions can't be made or answered, or an answer is NaN where that of fp32 is not.
pub(super) fn compare(comparison: &Comparison, artifacts: &[Artifact]) -> Result<()> {
    let mut broken = Vec::new();
    let narrow = artifacts
        .iter()
        .filter(|it| it.precision != Precision::Fp32);
    for artifact in narrow {
        let path = &artifact.file.path;
        let report = comparison.report(artifact, artifacts)?;
        output::line(title(&report, path))?;
        output::line(table(&report))?;
        report.write(path)?;
        if report.is_broken() {
            broken.push(path.display().to_string());
        }
    }
    if !broken.is_empty() {
        bail!(
            "{}: some answers are NaN where those of fp32 are not: these weights need more bits",
            broken.join(", ")
        );
    }
    Ok(())
}

fn title(report: &AgreementReport, path: &Path) -> String {
    let asked = match &report.questions.texts {
        Some(file) => format!("{} texts of {}", report.questions.count, file.display()),
        None => format!(
            "{} batches of token ids at random (real texts say more: --agreement=FILE)",
            report.questions.count
        ),
    };
    format!(
        "{}: {} beside fp32 in {}, nothing calibrated, {asked}",
        path.display(),
        report.dtype,
        report.engine
    )
}

fn table(report: &AgreementReport) -> Table {
    let mut table = Table::new();
    table.load_style(UTF8_FULL_CONDENSED).set_header([
        "output",
        "worst error",
        "of the largest",
        "mean error",
        "cosine",
        "same argmax",
    ]);
    for output in &report.outputs {
        let argmax = output.argmax_agreement;
        table.add_row([
            output.name.clone(),
            format!("{:.1e}", output.worst_error),
            format!("{:.1e}", output.worst_relative_error),
            format!("{:.1e}", output.mean_error),
            format!("{:.6}", output.cosine_similarity),
            argmax.map_or_else(String::new, |it| format!("{:.1} %", 100.0 * it)),
        ]);
    }
    table
}
