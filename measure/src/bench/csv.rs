//! Writes a benchmark as comma-separated values.

use super::{Cell, Document, ReportError};

/// One row for each cell, with unrounded numbers.
///
/// # Errors
/// [`ReportError::Csv`].
pub fn csv(document: &Document) -> Result<Vec<u8>, ReportError> {
    let mut out = ::csv::Writer::from_writer(Vec::new());
    out.write_record([
        "model",
        "engine",
        "threads",
        "batch",
        "sequence",
        "tokens",
        "text",
        "runs",
        "min_ms",
        "p50_ms",
        "p90_ms",
        "p99_ms",
        "mean_ms",
        "coefficient_of_variation",
        "outliers",
        "stable",
        "sequences_per_second",
        "tokens_per_second",
        "peak_resident_bytes",
        "ratio",
        "ratio_low",
        "ratio_high",
        "worst_error",
        "worst_relative_error",
        "argmax_agreement",
        "error",
    ])?;
    for cell in &document.cells {
        out.write_record(record(cell))?;
    }
    out.into_inner()
        .map_err(|error| ReportError::Csv(error.into_error().into()))
}

fn record(cell: &Cell) -> Vec<String> {
    let (key, shape) = (&cell.contender, &cell.shape);
    let mut record = vec![
        key.model.clone(),
        key.engine.clone(),
        optional(key.threads),
        shape.batch.to_string(),
        shape.sequence.to_string(),
        shape.tokens.to_string(),
        shape.is_text.to_string(),
    ];
    match &cell.measured {
        None => record.extend(std::iter::repeat_n(String::new(), 18)),
        Some(measured) => {
            let summary = &measured.summary;
            let (ratio, agreement) = (measured.ratio, measured.agreement.as_ref());
            let interval = ratio.and_then(|it| it.interval);
            record.extend([
                summary.runs.to_string(),
                summary.min_ms.to_string(),
                summary.p50_ms.to_string(),
                summary.p90_ms.to_string(),
                summary.p99_ms.to_string(),
                summary.mean_ms.to_string(),
                summary.coefficient_of_variation.to_string(),
                summary.outliers.to_string(),
                measured.stable.to_string(),
                measured.sequences_per_second.to_string(),
                measured.tokens_per_second.to_string(),
                optional(measured.peak_resident_bytes),
                optional(ratio.map(|it| it.value)),
                optional(interval.map(|it| it.0)),
                optional(interval.map(|it| it.1)),
                optional(agreement.map(|it| it.worst_error)),
                optional(agreement.map(|it| it.worst_relative_error)),
                optional(agreement.map(|it| it.argmax_agreement)),
            ]);
        }
    }
    record.push(cell.error.clone().unwrap_or_default());
    record
}

fn optional(value: Option<impl ToString>) -> String {
    value.map_or_else(String::new, |it| it.to_string())
}
