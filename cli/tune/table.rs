//! What was measured, the fastest first.

use std::num::NonZeroUsize;

use nezha_runtime::tuned::{Measured, Tuned};

use crate::bench::table::aligned;

/// The table's columns; numbers from the third on.
const HEADER: [&str; 6] = [
    "model",
    "engine",
    "threads",
    "changed",
    "one text, ms",
    "texts a second",
];

/// A table, what was left out below it, and the two winners.
pub(super) fn text(tuned: &Tuned) -> String {
    let mut measured: Vec<&Measured> = tuned.measured.iter().collect();
    measured.sort_by(|a, b| a.latency_ms.total_cmp(&b.latency_ms));
    let rows = measured.into_iter().map(|it| {
        vec![
            it.model.clone(),
            it.way.to_string(),
            it.threads.map_or_else(String::new, |it| it.to_string()),
            format!("{:.2} %", 100.0 * it.change),
            format!("{:.2}", it.latency_ms),
            format!("{:.1}", it.texts_per_second),
        ]
    });
    let table = aligned(HEADER.to_vec(), rows.collect(), 2);
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
