//! Finds what became slower from one benchmark to another.

use super::{Cell, ContenderKey, Document, Shape};
use crate::statistics::Ratio;

/// A cell of one benchmark, compared with the same cell of a later one.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Change {
    /// The model, engine and threads.
    pub contender: ContenderKey,
    /// The size of the batch.
    pub shape: Shape,
    /// The median before, in milliseconds.
    pub old_ms: f64,
    /// The median now, in milliseconds; `None` without numbers.
    pub new_ms: Option<f64>,
    /// The time now divided by the time before.
    pub ratio: Option<Ratio>,
    /// Why the cell counts as slower; `None` if it doesn't. A cell that is missing from the
    /// later benchmark, or fails in it, is slower too.
    pub slower: Option<String>,
}

/// Compares the cells of `old` that have numbers with those of `new`. A cell is slower if its ratio
/// exceeds `limit`.
///
/// Cells are the same if model, engine, threads, batch and sequence are the same.
pub fn compare(old: &Document, new: &Document, limit: f64) -> Vec<Change> {
    let changes = old.cells.iter().filter_map(|before| {
        let after = new.cells.iter().find(|it| is_same(it, before));
        change(before, after, limit)
    });
    changes.collect()
}

fn is_same(a: &Cell, b: &Cell) -> bool {
    a.contender == b.contender && a.shape == b.shape
}

fn change(before: &Cell, after: Option<&Cell>, limit: f64) -> Option<Change> {
    let old = before.measured.as_ref()?;
    let new = after.and_then(|it| it.measured.as_ref());
    let ratio = new.and_then(|new| Ratio::unpaired(&new.samples_ms, &old.samples_ms));
    let slower = match (after, ratio) {
        (None, _) => Some("missing from the new benchmark".to_owned()),
        (Some(after), None) => Some(match &after.error {
            Some(error) => format!("fails in the new benchmark: {error}"),
            None => "has no samples".to_owned(),
        }),
        (_, Some(ratio)) if ratio.value > limit => Some(format!("{ratio} times as long")),
        _ => None,
    };
    Some(Change {
        contender: before.contender.clone(),
        shape: before.shape.clone(),
        old_ms: old.summary.p50_ms,
        new_ms: new.map(|it| it.summary.p50_ms),
        ratio,
        slower,
    })
}
