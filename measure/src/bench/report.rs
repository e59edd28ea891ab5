//! Writes a benchmark as one HTML file with tables and charts, without JavaScript or network
//! access.

use std::fmt::Write;

use super::chart::{Chart, Series};
use super::{Cell, Contender, Document, Measured, ReportError, cell_rows, contender_rows, heading};

const STYLE: &str = "body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:86rem;\
padding:0 1rem;color:#222;background:#fff}table{border-collapse:collapse;font-size:13px;margin:1rem 0}\
td,th{border:1px solid #ccc;padding:.2rem .5rem;text-align:left}\
td.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}\
.scroll{overflow-x:auto}.charts{display:grid;\
grid-template-columns:repeat(auto-fit,minmax(min(100%,30rem),1fr));gap:1rem}\
svg{width:100%;height:auto}\
pre{white-space:pre-wrap}";

/// The HTML file.
///
/// # Errors
/// [`ReportError::Chart`].
pub fn html(document: &Document) -> Result<String, ReportError> {
    let mut html =
        String::from("<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">");
    let _ = write!(
        html,
        "<title>nezha bench</title><style>{STYLE}</style></head><body><h1>nezha bench</h1>\n\
         <pre>{}</pre>\n",
        escape(&heading(document))
    );
    if !document.complete {
        html.push_str("<p><strong>Not complete:</strong> some cells have no numbers.</p>\n");
    }
    html.push_str("<div class=\"charts\">\n");
    for chart in charts(document) {
        html.push_str(&chart.svg()?);
    }
    html.push_str("</div>\n<h2>Numbers</h2>\n");
    let (header, rows) = cell_rows(document);
    push_table(&mut html, &header, &rows, 4);
    html.push_str("<h2>What ran</h2>\n");
    let (header, rows) = contender_rows(document);
    push_table(&mut html, &header, &rows, 4);
    let failed = document.cells.iter().filter_map(|cell| {
        let error = cell.error.clone()?;
        Some(vec![cell.contender.to_string(), cell.shape.label(), error])
    });
    let failed: Vec<Vec<String>> = failed.collect();
    if !failed.is_empty() {
        html.push_str("<h2>Without numbers</h2>\n");
        push_table(&mut html, &["model", "batch×sequence", "why"], &failed, 3);
    }
    html.push_str("</body></html>\n");
    Ok(html)
}

fn push_table(html: &mut String, header: &[&str], rows: &[Vec<String>], numbers: usize) {
    html.push_str("<div class=\"scroll\"><table><tr>");
    for name in header {
        let _ = write!(html, "<th>{}</th>", escape(name));
    }
    html.push_str("</tr>\n");
    for row in rows {
        html.push_str("<tr>");
        for (column, value) in row.iter().enumerate() {
            let class = if column < numbers { "" } else { " class=\"n\"" };
            let _ = write!(html, "<td{class}>{}</td>", escape(value));
        }
        html.push_str("</tr>\n");
    }
    html.push_str("</table></div>\n");
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

/// The charts that are not empty.
fn charts(document: &Document) -> Vec<Chart> {
    let smallest = smallest_batch(document);
    let longest = document.cells.iter().map(|it| it.shape.sequence).max();
    let by_sequence = |cell: &Cell| Some(cell.shape.batch) == smallest;
    let by_batch = |cell: &Cell| cell.shape.is_text || Some(cell.shape.sequence) == longest;
    let batch = smallest.unwrap_or(0);
    let charts = [
        Chart {
            title: format!("Latency, p50, batch {batch}"),
            x: "tokens of the longest text".to_owned(),
            y: "ms".to_owned(),
            series: series(document, &by_sequence, sequence, |_, it| {
                Some(it.summary.p50_ms)
            }),
        },
        Chart {
            title: "Throughput, longest texts".to_owned(),
            x: "texts in a batch".to_owned(),
            y: "texts / s".to_owned(),
            series: series(document, &by_batch, batch_size, |_, it| {
                Some(it.sequences_per_second)
            }),
        },
        Chart {
            title: "Peak resident memory".to_owned(),
            x: "tokens of a batch".to_owned(),
            y: "MiB".to_owned(),
            series: series(document, &|_| true, tokens, |_, it| {
                Some(it.peak_resident_bytes? as f64 / 1048576.0)
            }),
        },
        roofline(document),
    ];
    charts.into_iter().filter(|it| !it.is_empty()).collect()
}

fn smallest_batch(document: &Document) -> Option<usize> {
    document.cells.iter().map(|it| it.shape.batch).min()
}

fn sequence(cell: &Cell) -> f64 {
    cell.shape.sequence as f64
}

fn batch_size(cell: &Cell) -> f64 {
    cell.shape.batch as f64
}

fn tokens(cell: &Cell) -> f64 {
    cell.shape.tokens
}

/// The rate of the products with weight matrices, below the rate of the engine's own matrix
/// product.
fn roofline(document: &Document) -> Chart {
    let rate = |flop: f64, measured: &Measured| flop * measured.tokens_per_second / 1e9;
    let mut lines = series(document, &|_| true, tokens, |flop, it| {
        Some(rate(flop, it)).filter(|it| *it > 0.0)
    });
    let all = document.cells.iter().map(tokens);
    let (low, high) = all.fold((f64::INFINITY, 0.0_f64), |(low, high), it| {
        (low.min(it), high.max(it))
    });
    let mut roofs: Vec<Series> = Vec::new();
    for contender in &document.contenders {
        let Some(flops) = contender.matmul_flops else {
            continue;
        };
        let name = format!("1024³ matmul, {}", engine(contender));
        if roofs.iter().all(|it| it.name != name) && low < high {
            roofs.push(Series {
                name,
                points: vec![(low, flops / 1e9), (high, flops / 1e9)],
                is_line: true,
            });
        }
    }
    if !lines.is_empty() {
        lines.extend(roofs);
    }
    Chart {
        title: "Roofline: the weight matrices' products".to_owned(),
        x: "tokens of a batch".to_owned(),
        y: "GFLOP / s".to_owned(),
        series: lines,
    }
}

fn engine(contender: &Contender) -> String {
    match contender.key.threads {
        Some(threads) => format!("{}, {threads} threads", contender.key.engine),
        None => contender.key.engine.clone(),
    }
}

/// The points of each contender: one for each of its cells that are `shown`.
fn series(
    document: &Document,
    shown: &dyn Fn(&Cell) -> bool,
    x: fn(&Cell) -> f64,
    y: impl Fn(f64, &Measured) -> Option<f64>,
) -> Vec<Series> {
    let contenders = document.contenders.iter().map(|contender| {
        let cells = document.cells.iter();
        let cells = cells.filter(|it| it.contender == contender.key && shown(it));
        let mut points: Vec<(f64, f64)> = cells
            .filter_map(|cell| {
                let measured = cell.measured.as_ref()?;
                Some((x(cell), y(contender.flop_per_token, measured)?))
            })
            .collect();
        points.sort_by(|a, b| a.0.total_cmp(&b.0));
        Series {
            name: contender.key.to_string(),
            // Batches of different shapes may have the same number of tokens; no line is drawn
            // through them.
            is_line: points.is_sorted_by(|a, b| a.0 < b.0),
            points,
        }
    });
    contenders.filter(|it| !it.points.is_empty()).collect()
}
