//! A certificate for people.

use std::path::Path;

use anyhow::Result;
use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{ContentArrangement, Table};
use nezha_verify::Certificate;

use crate::output;

/// Prints the table.
///
/// # Errors
/// Where standard output can't be written.
pub(super) fn print(certificate: &Certificate, model: &Path) -> Result<()> {
    let initializers = &certificate.initializers;
    output::line(format_args!(
        "{}: {} head, opset {}, {} initializers of {} elements: {}",
        model.display(),
        certificate.head,
        certificate.opset,
        initializers.count,
        initializers.elements,
        match initializers.differing {
            0 => match initializers.worst_rounding {
                None => "each as the checkpoint has it".to_owned(),
                Some(steps) =>
                    format!("each as the checkpoint gives it, rounded by {steps:.3} steps at most"),
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
    if !certificate.engines.is_empty() {
        output::line(table(certificate))?;
    }
    Ok(())
}

fn table(certificate: &Certificate) -> Table {
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
    for engine in &certificate.engines {
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
