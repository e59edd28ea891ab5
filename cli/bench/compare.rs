//! `nezha bench compare`: whether something became slower from one benchmark to the next.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{CellAlignment, Table};

use super::record::{Cell, Document, SCHEMA};
use super::statistics::Ratio;
use super::table;
use crate::output;

/// Compare two benchmarks that `--json` wrote; exit code 1 where one became slower.
///
/// Cells are the same where model, engine, threads, batch and sequence are. A ratio above 1 is a new
/// cell that takes longer; its interval says how much of that may be noise.
#[derive(clap::Args)]
pub struct Args {
    /// The benchmark from before.
    old: PathBuf,
    /// The one to judge.
    new: PathBuf,
    /// The ratio from which on a cell counts as slower.
    #[arg(long, value_name = "RATIO", default_value = "1.10")]
    fail_above: f64,
}

/// Prints the ratios; cells that are gone or fail now count as slower.
pub fn run(args: Args) -> Result<()> {
    let (old, new) = (read(&args.old)?, read(&args.new)?);
    let mut table = Table::new();
    table.load_style(UTF8_FULL_CONDENSED).set_header([
        "model, engine, threads",
        "batch×sequence",
        "old p50 ms",
        "new p50 ms",
        "new ÷ old [95 %]",
        "",
    ]);
    let mut slower = Vec::new();
    let mut compared = 0;
    for before in old.cells.iter().filter(|it| it.measured.is_some()) {
        let after = new.cells.iter().find(|it| is_same(it, before));
        let (row, verdict) = judge(before, after, args.fail_above);
        if let Some(reason) = verdict {
            let name = table::name(&before.contender);
            slower.push(format!("\n  {name}, {}: {reason}", before.shape.label()));
        }
        table.add_row(row);
        compared += 1;
    }
    for column in table.column_iter_mut().skip(2).take(3) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    output::line(table)?;
    if compared == 0 {
        bail!("{} has no cell to compare with", args.old.display());
    }
    match slower.is_empty() {
        true => Ok(()),
        false => bail!("{} of {compared} cells:{}", slower.len(), slower.concat()),
    }
}

fn read(path: &Path) -> Result<Document> {
    let text = std::fs::read(path).with_context(|| format!("{}: can't be read", path.display()))?;
    let value: serde_json::Value =
        serde_json::from_slice(&text).with_context(|| format!("{}: not JSON", path.display()))?;
    if value["schema"] != SCHEMA {
        bail!(
            "{}: its schema is {}, expected \"{SCHEMA}\": write it with `nezha bench --json`",
            path.display(),
            value["schema"]
        );
    }
    serde_json::from_value(value).with_context(|| format!("{}: not a benchmark", path.display()))
}

fn is_same(a: &Cell, b: &Cell) -> bool {
    a.contender == b.contender && a.shape == b.shape
}

/// The table's row, and why the cell counts as slower if it does.
fn judge(before: &Cell, after: Option<&Cell>, limit: f64) -> (Vec<String>, Option<String>) {
    let old = before.measured.as_ref();
    let new = after.and_then(|it| it.measured.as_ref());
    let ratio = old
        .zip(new)
        .and_then(|(old, new)| Ratio::unpaired(&new.samples_ms, &old.samples_ms));
    let verdict = match (after, ratio) {
        (None, _) => Some("gone".to_owned()),
        (Some(after), None) => Some(match &after.error {
            Some(error) => format!("fails now: {error}"),
            None => "has no samples".to_owned(),
        }),
        (_, Some(ratio)) if ratio.value > limit => {
            Some(format!("{} times as long", table::ratio(&ratio)))
        }
        _ => None,
    };
    let p50 = |it: &super::record::Measured| format!("{:.2}", it.summary.p50_ms);
    let row = vec![
        table::name(&before.contender),
        before.shape.label(),
        old.map_or_else(String::new, p50),
        new.map_or_else(String::new, p50),
        ratio.as_ref().map_or_else(String::new, table::ratio),
        verdict
            .as_ref()
            .map_or_else(String::new, |_| "slower".to_owned()),
    ];
    (row, verdict)
}
