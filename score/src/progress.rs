use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::Counts;

/// How far some work is, for another thread to look at, and whether it is to stop.
#[derive(Debug, Default)]
pub struct Progress {
    rows: AtomicU64,
    failed: AtomicU64,
    truncated: AtomicU64,
    tokens: AtomicU64,
    parts: AtomicU64,
    stop: AtomicBool,
}

impl Progress {
    /// What was answered since the work began, whether its part is done or not.
    pub fn counts(&self) -> Counts {
        Counts {
            rows: self.rows.load(Ordering::Relaxed),
            failed: self.failed.load(Ordering::Relaxed),
            truncated: self.truncated.load(Ordering::Relaxed),
            tokens: self.tokens.load(Ordering::Relaxed),
        }
    }

    /// Parts that were done.
    pub fn parts(&self) -> u64 {
        self.parts.load(Ordering::Relaxed)
    }

    /// Has the work end as soon as the windows under way are answered; their parts are not done.
    pub fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }

    /// Whether the work is to end.
    pub fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    pub(crate) fn add(&self, counts: Counts) {
        self.rows.fetch_add(counts.rows, Ordering::Relaxed);
        self.failed.fetch_add(counts.failed, Ordering::Relaxed);
        self.truncated
            .fetch_add(counts.truncated, Ordering::Relaxed);
        self.tokens.fetch_add(counts.tokens, Ordering::Relaxed);
    }

    pub(crate) fn add_part(&self) {
        self.parts.fetch_add(1, Ordering::Relaxed);
    }
}
