use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

/// A bar on standard error, for exports that take their time and have somebody watching.
pub(crate) struct Bar {
    start: Instant,
    bar: Option<ProgressBar>,
}

impl Bar {
    /// Nothing is shown yet.
    pub(crate) fn new() -> Self {
        Self {
            start: Instant::now(),
            bar: None,
        }
    }

    /// So many bytes are written, of so many.
    pub(crate) fn show(&mut self, done: u64, total: u64) {
        const PATIENCE: Duration = Duration::from_secs(1);
        if self.bar.is_none() && self.start.elapsed() > PATIENCE {
            let style =
                ProgressStyle::with_template("{bar:40} {decimal_bytes} of {decimal_total_bytes}");
            // It hides itself where standard error is no terminal.
            let bar = ProgressBar::new(total);
            self.bar =
                Some(style.map_or_else(|_| bar.clone(), |style| bar.clone().with_style(style)));
        }
        if let Some(bar) = &self.bar {
            bar.set_length(total);
            bar.set_position(done);
        }
    }

    /// Takes the bar away.
    pub(crate) fn clear(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
