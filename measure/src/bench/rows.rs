//! A benchmark as rows of text, for tables.

use super::{Cell, Contender, ContenderKey, Document, Measured};

const MIB: f64 = 1048576.0;

/// Where, when and how it was measured.
pub fn heading(document: &Document) -> String {
    let method = &document.method;
    let texts = method.text.as_deref().map(|it| format!("texts of {it}"));
    format!(
        "nezha {}, {}, {}\n{}; {} turns, {} runs or {} s\n",
        document.nezha,
        document.started,
        document.machine,
        texts.as_deref().unwrap_or("random token ids"),
        method.rounds,
        method.runs,
        method.seconds,
    )
}

/// The header and the rows of the contenders.
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

/// The header and the rows of the cells.
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
        measured
            .ratio
            .as_ref()
            .map_or_else(String::new, ToString::to_string),
        agreement.map_or_else(String::new, |it| format!("{:.1e}", it.worst_error)),
        agreement.map_or_else(String::new, |it| {
            format!("{:.1}", 100.0 * it.argmax_agreement)
        }),
    ]
}

fn threads(key: &ContenderKey) -> String {
    key.threads
        .map_or_else(|| "default".to_owned(), |it| it.to_string())
}
