//! A benchmark as tables: for people, and as CSV.

use std::fmt::Write;

use anyhow::Result;
use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{CellAlignment, ColumnConstraint, Table, Width};

use super::record::{Cell, Contender, ContenderKey, Document, Machine, Measured};
use super::statistics::Ratio;

const MIB: f64 = 1048576.0;
/// Reasons wrap at this width.
const REASON: u16 = 60;

/// What runs, on one line.
pub fn name(key: &ContenderKey) -> String {
    match key.threads {
        Some(1) => format!("{} in {}, 1 thread", key.model, key.engine),
        Some(threads) => format!("{} in {}, {threads} threads", key.model, key.engine),
        None => format!("{} in {}", key.model, key.engine),
    }
}

/// All of it.
pub fn text(document: &Document) -> String {
    let mut text = heading(document);
    let _ = writeln!(text, "{}\n{}", contenders(document), cells(document));
    let failed = document.cells.iter().any(|it| it.error.is_some());
    if failed {
        let _ = writeln!(text, "{}", failures(document));
    }
    text
}

/// Where, when and how.
pub fn heading(document: &Document) -> String {
    let method = &document.method;
    let texts = method.text.as_deref().map(|it| format!("texts of {it}"));
    format!(
        "nezha {}, {}, {}\n{}; {} turns, {} runs or {} s\n",
        document.nezha,
        document.started,
        machine(&document.machine),
        texts.as_deref().unwrap_or("random token ids"),
        method.rounds,
        method.runs,
        method.seconds,
    )
}

/// Processor, memory, system and load.
pub fn machine(machine: &Machine) -> String {
    let cores = match machine.physical_cores {
        Some(cores) => format!("{cores} cores"),
        None => format!("{} logical cores", machine.logical_cores),
    };
    format!(
        "{}, {cores}, {:.0} GiB, {}, load {:.1}",
        machine.cpu,
        machine.memory_bytes as f64 / MIB / 1024.0,
        machine.system,
        machine.load_average,
    )
}

/// The header and the rows of what took part.
pub fn contender_rows(document: &Document) -> (Vec<&'static str>, Vec<Vec<String>>) {
    let header = vec![
        "model",
        "engine",
        "threads",
        "what ran",
        "MiB",
        "load ms",
        "first answer ms",
        "GFLOP/s of a matmul",
    ];
    let row = |it: &Contender| {
        let nodes: Vec<String> = it
            .nodes
            .iter()
            .map(|(provider, nodes)| format!("{nodes} on {provider}"))
            .collect();
        let ran = match (&it.description, &it.error) {
            (_, Some(error)) => error.clone(),
            (Some(description), None) if nodes.is_empty() => description.clone(),
            (Some(description), None) => format!("{description}: {}", nodes.join(", ")),
            (None, None) => String::new(),
        };
        let optional = |value: Option<f64>| value.map_or_else(String::new, |it| format!("{it:.0}"));
        vec![
            it.key.model.clone(),
            it.key.engine.clone(),
            threads(&it.key),
            ran,
            format!("{:.1}", it.model_bytes as f64 / MIB),
            optional(it.load_ms),
            optional(it.first_answer_ms),
            optional(it.matmul_flops.map(|it| it / 1e9)),
        ]
    };
    (header, document.contenders.iter().map(row).collect())
}

/// The header and the rows of the numbers.
pub fn cell_rows(document: &Document) -> (Vec<&'static str>, Vec<Vec<String>>) {
    let header = vec![
        "model",
        "engine",
        "threads",
        "batch×sequence",
        "p50 ms",
        "p90",
        "p99",
        "min",
        "CV %",
        "outliers",
        "sequences/s",
        "tokens/s",
        "peak MiB",
        "× the first [95 %]",
        "worst error",
        "argmax %",
    ];
    let row = |cell: &Cell| {
        let mut row = vec![
            cell.contender.model.clone(),
            cell.contender.engine.clone(),
            threads(&cell.contender),
            cell.shape.label(),
        ];
        match &cell.measured {
            Some(measured) => row.extend(numbers(measured)),
            None => row.push("failed".to_owned()),
        }
        row
    };
    (header, document.cells.iter().map(row).collect())
}

fn numbers(measured: &Measured) -> Vec<String> {
    let summary = &measured.summary;
    let agreement = measured.agreement.as_ref();
    let unstable = if measured.stable { "" } else { " (unstable)" };
    let peak = measured.peak_resident_bytes;
    vec![
        format!("{:.2}{unstable}", summary.p50_ms),
        format!("{:.2}", summary.p90_ms),
        format!("{:.2}", summary.p99_ms),
        format!("{:.2}", summary.min_ms),
        format!("{:.1}", 100.0 * summary.coefficient_of_variation),
        format!("{}/{}", summary.outliers, summary.runs),
        format!("{:.1}", measured.sequences_per_second),
        format!("{:.0}", measured.tokens_per_second),
        peak.map_or_else(String::new, |it| format!("{:.0}", it as f64 / MIB)),
        measured.ratio.as_ref().map_or_else(String::new, ratio),
        agreement.map_or_else(String::new, |it| format!("{:.1e}", it.worst_error)),
        agreement.map_or_else(String::new, |it| {
            format!("{:.1}", 100.0 * it.argmax_agreement)
        }),
    ]
}

/// A ratio with its interval.
pub fn ratio(ratio: &Ratio) -> String {
    match ratio.interval {
        Some((low, high)) => format!("{:.2} [{low:.2}, {high:.2}]", ratio.value),
        None => format!("{:.2}", ratio.value),
    }
}

fn threads(key: &ContenderKey) -> String {
    key.threads
        .map_or_else(|| "default".to_owned(), |it| it.to_string())
}

fn contenders(document: &Document) -> Table {
    let (header, rows) = contender_rows(document);
    let mut table = aligned(header, rows, 4);
    if let Some(column) = table.column_mut(3) {
        column.set_constraint(ColumnConstraint::UpperBoundary(Width::Fixed(REASON)));
    }
    table
}

fn cells(document: &Document) -> Table {
    let (header, rows) = cell_rows(document);
    aligned(header, rows, 4)
}

fn failures(document: &Document) -> Table {
    let failed = document.cells.iter().filter_map(|cell| {
        let error = cell.error.clone()?;
        Some(vec![name(&cell.contender), cell.shape.label(), error])
    });
    let mut table = aligned(
        vec!["no numbers", "batch×sequence", "why"],
        failed.collect(),
        3,
    );
    if let Some(column) = table.column_mut(2) {
        column.set_constraint(ColumnConstraint::UpperBoundary(Width::Fixed(REASON)));
    }
    table
}

/// A table whose columns from `numbers` on are aligned to the right.
pub fn aligned(header: Vec<&str>, rows: Vec<Vec<String>>, numbers: usize) -> Table {
    let mut table = Table::new();
    table.load_style(UTF8_FULL_CONDENSED).set_header(header);
    table.add_rows(rows);
    for column in table.column_iter_mut().skip(numbers) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

/// A row for each cell, numbers in full.
pub fn csv(document: &Document) -> Result<Vec<u8>> {
    let mut out = csv::Writer::from_writer(Vec::new());
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
    Ok(out.into_inner()?)
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
