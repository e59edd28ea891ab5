use std::path::Path;
use std::time::{Duration, SystemTime};

use crate::{Counts, Manifest, ScoreError, Work};

/// The progress of the work for an output, which any machine can read from its folder.
#[derive(Clone, Debug, PartialEq)]
pub struct Status {
    /// Parts of the plan; 0 for finished work.
    pub parts: usize,
    /// Parts that are done.
    pub parts_done: usize,
    /// Rows of the plan.
    pub rows: u64,
    /// The counts of the parts that are done.
    pub done: Counts,
    /// Rows per second, from the times of the latest parts; `None` with fewer than two parts.
    pub rate: Option<f64>,
    /// The time until all parts are done, at that rate.
    pub left: Option<Duration>,
    /// Whether the output is complete.
    pub finished: bool,
}

/// How many of the latest parts give the rate.
const LATEST: usize = 64;

impl Status {
    /// Reads the status of an output and its parts.
    ///
    /// # Errors
    /// [`ScoreError::NoPlan`]; [`ScoreError::Incomplete`] if a part is damaged;
    /// [`ScoreError::Read`], [`ScoreError::Plan`].
    pub fn of(output: &Path) -> Result<Self, ScoreError> {
        let work = match Work::open(output) {
            Ok(work) => work,
            Err(no_plan @ ScoreError::NoPlan { .. }) => {
                return Manifest::load(output)?.map(Self::finished).ok_or(no_plan);
            }
            Err(error) => return Err(error),
        };
        let mut done = Counts::default();
        let mut times: Vec<(SystemTime, u64)> = Vec::new();
        for part in 0..work.plan().parts.len() {
            let Ok(metadata) = work.part_path(part).metadata() else {
                continue;
            };
            let counts = work.check(part).map_err(|reason| ScoreError::Incomplete {
                problems: vec![format!("part {part}: {reason}")],
            })?;
            done = done.and(counts);
            if let Ok(time) = metadata.modified() {
                times.push((time, counts.rows));
            }
        }
        let rows = work.plan().rows();
        let parts_done = times.len();
        let rate = rate(times);
        let left = rate.and_then(|rate| {
            Duration::try_from_secs_f64(rows.saturating_sub(done.rows) as f64 / rate).ok()
        });
        Ok(Self {
            parts: work.plan().parts.len(),
            parts_done,
            rows,
            done,
            rate,
            left,
            finished: false,
        })
    }

    fn finished(manifest: Manifest) -> Self {
        Self {
            parts: 0,
            parts_done: 0,
            rows: manifest.rows,
            done: Counts {
                rows: manifest.rows,
                failed: manifest.failed,
                truncated: manifest.truncated,
                tokens: manifest.tokens,
            },
            rate: None,
            left: None,
            finished: true,
        }
    }
}

fn rate(mut parts: Vec<(SystemTime, u64)>) -> Option<f64> {
    parts.sort_unstable();
    let latest = parts.split_off(parts.len().saturating_sub(LATEST));
    let ((first, _), rest) = latest.split_first()?;
    let (last, _) = rest.last()?;
    let seconds = last.duration_since(*first).ok()?.as_secs_f64();
    let rows: u64 = rest.iter().map(|(_, rows)| rows).sum();
    (seconds > 0.0).then(|| rows as f64 / seconds)
}
