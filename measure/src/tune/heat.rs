//! Heats: each way is measured alone for a moment. Only the fastest are then loaded together and
//! take turns, so that neither the time nor the memory grows with everything that is there.

use std::num::NonZeroUsize;
use std::slice;
use std::sync::atomic::AtomicBool;

use nezha_runtime::tuned::LeftOut;

use super::{BATCH, Sound, TuneError, Tuning, cases};
use crate::bench::{Benchmark, Method, Progress};

/// The most ways that take turns, each with its model in memory.
const FINALISTS: usize = 6;
/// How many times as long as the fastest a finalist may take.
const SLOWER: f64 = 1.5;
/// Texts of a heat: two batches.
const TEXTS: usize = 2 * BATCH;
/// The share of a benchmark's time that a heat takes.
const SHARE: f64 = 0.25;

/// The numbers of a heat.
#[derive(Clone, Copy)]
struct Heat {
    latency_ms: f64,
    texts_per_second: f64,
}

impl Tuning<'_> {
    /// The ways that are among the fastest, and the others with the reason. No heats are run if
    /// all can take turns.
    pub(super) fn fastest<'s>(
        &'s self,
        sound: Vec<Sound<'s>>,
        stop: &AtomicBool,
        progress: &mut dyn FnMut(&Progress),
    ) -> Result<(Vec<Sound<'s>>, Vec<LeftOut>), TuneError> {
        if sound.len() <= FINALISTS {
            return Ok((sound, Vec::new()));
        }
        let total = sound.len();
        let (mut heats, mut run, mut left_out) = (Vec::new(), Vec::new(), Vec::new());
        for (done, it) in sound.into_iter().enumerate() {
            progress(&self.turn(it.model, it.way, done, total));
            match self.heat(&it, stop)? {
                Ok(heat) => {
                    heats.push(heat);
                    run.push(it);
                }
                Err(reason) => left_out.push(self.left_out(it.model, it.way, reason)),
            }
        }
        let factors = factors(&heats);
        let limit = limit(&factors);
        let mut finalists = Vec::new();
        for (it, factor) in run.into_iter().zip(factors) {
            if factor <= limit {
                finalists.push(it);
            } else {
                let reason = format!("took {factor:.1} times as long as the fastest");
                left_out.push(self.left_out(it.model, it.way, reason));
            }
        }
        Ok((finalists, left_out))
    }

    /// Measures one way for a moment, on the most threads; the reason if it has no numbers.
    fn heat(&self, it: &Sound<'_>, stop: &AtomicBool) -> Result<Result<Heat, String>, TuneError> {
        let all = usize::MAX;
        let number = |threads: &&Option<NonZeroUsize>| threads.map_or(all, NonZeroUsize::get);
        let Some(threads) = self.threads.iter().max_by_key(number) else {
            return Ok(Err("no number of threads to measure with".to_owned()));
        };
        let benchmark = Benchmark {
            contenders: &[(it.model, it.way)],
            threads: slice::from_ref(threads),
            cases: &cases(self.texts, TEXTS),
            method: Method {
                rounds: 1,
                seconds: self.method.seconds * SHARE,
                ..self.method.clone()
            },
            worker: self.worker,
        };
        let document = benchmark.run(stop, &mut |_| ())?;
        let measured = self.measured(it, *threads, &document);
        Ok(measured.map(|it| Heat {
            latency_ms: it.latency_ms,
            texts_per_second: it.texts_per_second,
        }))
    }
}

/// How many times as long as the fastest each takes, with one text or with a batch, whichever is
/// less.
fn factors(heats: &[Heat]) -> Vec<f64> {
    let latency = heats
        .iter()
        .map(|it| it.latency_ms)
        .fold(f64::MAX, f64::min);
    let rate = heats
        .iter()
        .map(|it| it.texts_per_second)
        .fold(0.0, f64::max);
    let factor = |it: &Heat| (it.latency_ms / latency).min(rate / it.texts_per_second);
    heats.iter().map(factor).collect()
}

/// The factor up to which ways are finalists: at most [`FINALISTS`] are, but for equal ones.
fn limit(factors: &[f64]) -> f64 {
    let mut sorted = factors.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted
        .get(FINALISTS - 1)
        .map_or(SLOWER, |it| it.min(SLOWER))
}

#[cfg(test)]
mod tests {
    use super::{FINALISTS, Heat, SLOWER, factors, limit};

    fn heat(latency_ms: f64, texts_per_second: f64) -> Heat {
        Heat {
            latency_ms,
            texts_per_second,
        }
    }

    #[test]
    fn the_fastest_with_one_text_and_the_fastest_with_a_batch_are_finalists() {
        let heats = [heat(10.0, 50.0), heat(30.0, 100.0), heat(40.0, 25.0)];
        assert_eq!(factors(&heats), [1.0, 1.0, 4.0]);
    }

    #[test]
    fn finalists_are_few_and_none_is_much_slower() {
        assert!((limit(&[1.0, 1.1, 3.0]) - SLOWER).abs() < 1e-9);
        let many: Vec<f64> = (0..10).map(|it| 1.0 + f64::from(it) / 100.0).collect();
        let limit = limit(&many);
        assert_eq!(many.iter().filter(|it| **it <= limit).count(), FINALISTS);
    }
}
