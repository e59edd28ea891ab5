//! `nezha bench compare`: whether something became slower from one benchmark to the next.

use std::path::PathBuf;

use anyhow::{Result, bail};
use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{CellAlignment, Table};
use nezha_measure::bench::{Change, Document, compare};

use crate::output;

/// Compare two benchmarks that `--json` wrote; the exit code is 1 if something became slower.
///
/// Cells with the same model, engine, threads, batch and sequence are compared. A ratio above 1 means that
/// the new one takes longer; its interval says how much of that may be noise.
#[derive(clap::Args)]
pub(super) struct Args {
    /// The earlier benchmark.
    old: PathBuf,
    /// The new benchmark.
    new: PathBuf,
    /// The ratio above which a cell counts as slower.
    #[arg(long, value_name = "RATIO", default_value = "1.10")]
    fail_above: f64,
}

/// Prints the ratios; cells that are missing or fail in the new benchmark count as slower.
pub(super) fn run(args: Args) -> Result<()> {
    let (old, new) = (Document::read(&args.old)?, Document::read(&args.new)?);
    let changes = compare(&old, &new, args.fail_above);
    output::line(table(&changes))?;
    if changes.is_empty() {
        bail!("{} has no cell to compare with", args.old.display());
    }
    let slower: Vec<String> = changes.iter().filter_map(slower).collect();
    match slower.is_empty() {
        true => Ok(()),
        false => bail!(
            "{} of {} cells:{}",
            slower.len(),
            changes.len(),
            slower.concat()
        ),
    }
}

fn table(changes: &[Change]) -> Table {
    let mut table = Table::new();
    table.load_style(UTF8_FULL_CONDENSED).set_header([
        "model, engine, threads",
        "batch×sequence",
        "old p50 ms",
        "new p50 ms",
        "new ÷ old [95 %]",
        "",
    ]);
    for change in changes {
        let new = change.new_ms.map(|it| format!("{it:.2}"));
        let ratio = change.ratio.map(|it| it.to_string());
        let slower = change.slower.as_ref().map(|_| "slower".to_owned());
        table.add_row([
            change.contender.to_string(),
            change.shape.label(),
            format!("{:.2}", change.old_ms),
            new.unwrap_or_default(),
            ratio.unwrap_or_default(),
            slower.unwrap_or_default(),
        ]);
    }
    for column in table.column_iter_mut().skip(2).take(3) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

/// A line about a cell that is slower.
fn slower(change: &Change) -> Option<String> {
    let reason = change.slower.as_ref()?;
    let Change {
        contender, shape, ..
    } = change;
    Some(format!("\n  {contender}, {}: {reason}", shape.label()))
}
