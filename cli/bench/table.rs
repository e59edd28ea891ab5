//! A benchmark as tables, for people.

use std::fmt::Write;

use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{CellAlignment, ColumnConstraint, Table, Width};
use nezha_measure::bench::{Document, cell_rows, contender_rows, heading};

/// Reasons wrap at this width.
const REASON: u16 = 60;

/// All of it.
pub(crate) fn text(document: &Document) -> String {
    let mut text = heading(document);
    let _ = writeln!(text, "{}\n{}", contenders(document), cells(document));
    let failed = document.cells.iter().any(|it| it.error.is_some());
    if failed {
        let _ = writeln!(text, "{}", failures(document));
    }
    text
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
        Some(vec![cell.contender.to_string(), cell.shape.label(), error])
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
pub(crate) fn aligned(header: Vec<&str>, rows: Vec<Vec<String>>, numbers: usize) -> Table {
    let mut table = Table::new();
    table.load_style(UTF8_FULL_CONDENSED).set_header(header);
    table.add_rows(rows);
    for column in table.column_iter_mut().skip(numbers) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}
