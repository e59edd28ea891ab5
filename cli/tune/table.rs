//! What was measured, the fastest first.

use std::num::NonZeroUsize;

use nezha_runtime::tuned::{Measured, Tuned};

use crate::bench::table::aligned;

/// The table's columns; numbers from the third on.
const HEADER: [&str; 7] = [
    "model",
    "engine",
    "threads",
    "changed",
    "score",
    "one text, ms",
    "texts a second",
];

/// The column that is there where labels were given.
const SCORE: usize = 4;

/// A table, what was left out below it, and the two winners.
pub(super) fn text(tuned: &Tuned) -> String {
    let mut measured: Vec<&Measured> = tuned.measured.iter().collect();
    measured.sort_by(|a, b| a.latency_ms.total_cmp(&b.latency_ms));
    let mut header = HEADER.to_vec();
    if measured.iter().all(|it| it.score.is_none()) {
        header.remove(SCORE);
    }
    let rows = measured.into_iter().map(|it| {
        let mut row = vec![
            it.model.clone(),
            it.way.to_string(),
            it.threads.map_or_else(String::new, |it| it.to_string()),
            format!("{:.2} %", 100.0 * it.change),
            format!("{:.2}", it.latency_ms),
            format!("{:.1}", it.texts_per_second),
        ];
        if let Some(score) = it.score {
            row.insert(SCORE, format!("{:.2} %", 100.0 * score));
        }
        row
    });
    let table = aligned(header, rows.collect(), 2);
    let mut text = format!("{table}\n");
    for it in &tuned.left_out {
        text += &format!("left out: {} in {}: {}\n", it.model, it.way, it.reason);
    }
    for (what, it) in [
        ("one text", &tuned.latency),
        ("many texts", &tuned.throughput),
    ] {
        let threads = match it.threads.map(NonZeroUsize::get) {
            Some(1) => ", 1 thread".to_owned(),
            Some(threads) => format!(", {threads} threads"),
            None => String::new(),
        };
        text += &format!(
            "fastest for {what}: {} in {}{threads}\n",
            it.model, it.description
        );
    }
    text
}
