use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::Counts;

/// The progress of some work, which another thread may read and which can stop the work.
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
    /// The rows that were answered since the work began, including those whose part is not done
    /// yet.
    pub fn counts(&self) -> Counts {
        Counts {
            rows: self.rows.load(Ordering::Relaxed),
            failed: self.failed.load(Ordering::Relaxed),
            truncated: self.truncated.load(Ordering::Relaxed),
            tokens: self.tokens.load(Ordering::Relaxed),
        }
    }

    /// The number of parts that were done.
    pub fn parts(&self) -> u64 {
        self.parts.load(Ordering::Relaxed)
    }

    /// Stops the work as soon as the windows in progress are answered; their parts are not done.
    pub fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }

    /// Whether the work is to stop.
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
