//! How far the work is, for whoever watches.

use std::io::{self, IsTerminal};
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Result;
use clap::ValueEnum;
use indicatif::{ProgressBar, ProgressStyle};
use nezha_score::Progress;
use serde_json::json;

use crate::output::note;

/// How the work shows how far it is.
#[derive(Clone, Copy, PartialEq, ValueEnum)]
pub(super) enum Show {
    /// A bar on a terminal, else a line each minute.
    Auto,
    /// A line each minute.
    Lines,
    /// A JSON object on a line, every five seconds and at the end.
    Json,
    /// Nothing.
    None,
}

/// What there is to do.
#[derive(Clone, Copy)]
pub(super) struct Total {
    /// Rows of the parts that are done already.
    pub before: u64,
    /// Rows of all parts that are asked for.
    pub rows: u64,
}

/// Does the work, and shows meanwhile how far it is.
pub(super) fn shown(
    show: Show,
    total: Total,
    progress: &Arc<Progress>,
    work: impl FnOnce() -> Result<()>,
) -> Result<()> {
    let (end, ended) = channel::<()>();
    let watched = progress.clone();
    thread::scope(|scope| {
        scope.spawn(move || {
            let view = View::new(show, total);
            let start = Instant::now();
            while let Err(RecvTimeoutError::Timeout) = ended.recv_timeout(view.interval()) {
                view.show(&watched, start.elapsed());
            }
            view.end(&watched, start.elapsed());
        });
        let done = work();
        drop(end);
        done
    })
}

struct View {
    show: Show,
    total: Total,
    bar: Option<ProgressBar>,
}

impl View {
    fn new(show: Show, total: Total) -> Self {
        let bar = (show == Show::Auto && io::stderr().is_terminal()).then(|| {
            let bar = ProgressBar::new(total.rows).with_position(total.before);
            let style =
                ProgressStyle::with_template("{bar:30} {human_pos}/{human_len} rows, {msg}");
            match style {
                Ok(style) => bar.with_style(style),
                Err(_) => bar,
            }
        });
        Self { show, total, bar }
    }

    fn interval(&self) -> Duration {
        match (self.show, &self.bar) {
            (_, Some(_)) => Duration::from_millis(200),
            (Show::Json, _) => Duration::from_secs(5),
            _ => Duration::from_mins(1),
        }
    }

    fn show(&self, progress: &Progress, elapsed: Duration) {
        let counts = progress.counts();
        let done = self.total.before + counts.rows;
        let rate = |number: u64| number as f64 / elapsed.as_secs_f64().max(1e-9);
        let (rows_rate, tokens_rate) = (rate(counts.rows), rate(counts.tokens));
        let left = self.total.rows.saturating_sub(done) as f64 / rows_rate;
        let speed = || {
            let mut text = format!("{rows_rate:.0} rows/s, {tokens_rate:.0} tokens/s");
            if left.is_finite() {
                text.push_str(&format!(", {} left", duration(left)));
            }
            if counts.failed > 0 {
                text.push_str(&format!(", {} without answer", counts.failed));
            }
            text
        };
        match (&self.bar, self.show) {
            (Some(bar), _) => {
                bar.set_position(done);
                bar.set_message(speed());
            }
            (None, Show::Auto | Show::Lines) => {
                note(format_args!(
                    "{done} of {} rows, {}",
                    self.total.rows,
                    speed()
                ));
            }
            (None, Show::Json) => note(json!({
                "rows": done,
                "rows_total": self.total.rows,
                "failed": counts.failed,
                "truncated": counts.truncated,
                "parts": progress.parts(),
                "rows_per_second": rows_rate,
                "tokens_per_second": tokens_rate,
                "seconds_left": left.is_finite().then_some(left),
            })),
            (None, Show::None) => {}
        }
    }

    fn end(&self, progress: &Progress, elapsed: Duration) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
        if self.show == Show::Json {
            self.show(progress, elapsed);
        }
    }
}

/// Seconds for people: `45 s`, `12 min`, `3 h 20 min`.
pub(super) fn duration(seconds: f64) -> String {
    let minutes = (seconds / 60.0).round() as u64;
    match seconds {
        seconds if seconds < 90.0 => format!("{seconds:.0} s"),
        _ if minutes < 90 => format!("{minutes} min"),
        _ => format!("{} h {} min", minutes / 60, minutes % 60),
    }
}
