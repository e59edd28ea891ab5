//! A profile as tables, for people.

use std::fmt::Write;

use comfy_table::Table;
use nezha_measure::profile::{Document, Group, OperatorTime, Time};

use crate::bench::table::aligned;

/// Operators of no known part are named up to here; JSON has all of them.
const NAMES: usize = 10;

/// All of it, with the `top` operators that take longest.
pub(super) fn text(document: &Document, top: usize) -> String {
    let mut text = heading(document);
    let _ = writeln!(text, "{}", groups(document));
    if top > 0 && !document.operators.is_empty() {
        let _ = writeln!(text, "{}", operators(document, top));
    }
    text.push_str(&unaccounted(document));
    text
}

fn heading(document: &Document) -> String {
    let method = &document.method;
    format!(
        "nezha {}, {}, {}\n{} in {}, {}×{} random token ids, {} runs\n",
        document.nezha,
        document.started,
        document.machine,
        method.model,
        method.description,
        method.batch,
        method.sequence,
        method.runs,
    )
}

fn groups(document: &Document) -> Table {
    let mut rows: Vec<Vec<String>> = Vec::new();
    for group in &document.groups {
        let mut row = vec![group.group.clone()];
        row.extend(numbers(group.time.ms, group.time.share));
        row.push(group.operators.to_string());
        rows.push(row);
    }
    let mut row = vec!["no operator".to_owned()];
    row.extend(numbers(document.unaccounted.ms, document.unaccounted.share));
    rows.push(row);
    let mut row = vec!["run".to_owned()];
    row.extend(numbers(document.run_ms, 1.0));
    row.push(document.operators.len().to_string());
    rows.push(row);
    aligned(vec!["part", "ms", "%", "operators"], rows, 1)
}

fn operators(document: &Document, top: usize) -> Table {
    let row = |it: &OperatorTime| {
        let name = match &it.origin {
            Some(origin) if !it.name.starts_with(origin.as_str()) => {
                format!("{origin} ({})", it.name)
            }
            _ => it.name.clone(),
        };
        let mut row = vec![name, it.op_type.clone(), it.provider.clone()];
        row.extend(numbers(it.time.ms, it.time.share));
        row.push(format!("{:.0}", it.calls));
        row
    };
    let rows = document.operators.iter().take(top).map(row).collect();
    aligned(
        vec!["operator", "type", "provider", "ms", "%", "calls"],
        rows,
        3,
    )
}

fn numbers(ms: f64, share: f64) -> [String; 2] {
    [format!("{ms:.3}"), format!("{:.1}", 100.0 * share)]
}

/// What the tables leave open.
fn unaccounted(document: &Document) -> String {
    let Time { ms, share, .. } = document.unaccounted;
    let mut text = format!(
        "{ms:.3} of {:.3} ms ({:.1} %) are in no operator; without profiling a run takes {:.3} ms\n",
        document.run_ms,
        100.0 * share,
        document.unprofiled_run_ms
    );
    let other = Group::Other.to_string();
    let other = document.operators.iter().filter(|it| it.group == other);
    let names: Vec<&str> = other.map(|it| it.name.as_str()).collect();
    if !names.is_empty() {
        let shown = &names[..names.len().min(NAMES)];
        let more = match names.len() - shown.len() {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        let _ = writeln!(text, "of no known part: {}{more}", shown.join(", "));
    }
    text
}
