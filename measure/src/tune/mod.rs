//! Finds the fastest way to compute a model on this machine whose answers stay the same: the file,
//! the engine and the threads.
//!
//! First every model answers all texts in every way, one by one. Those whose answers change too
//! often are omitted; with labels, those whose score drops too much. If many are left, each is
//! measured alone for a moment. The fastest take turns as in a [`Benchmark`], with one text and with
//! a batch.

mod answers;
mod error;
mod heat;
mod judge;

use std::error::Error;
use std::num::NonZeroUsize;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};

use nezha_graphs::files::write_file;
use nezha_runtime::tuned::{FILE, FORMAT_VERSION, LeftOut, Machine, Measured, Tuned};
use nezha_runtime::{EngineOptions, Model, Way};

pub use error::TuneError;
use judge::{Judge, Verdict};

use crate::bench::{Benchmark, Case, Cell, ContenderKey, Document, Method, Progress};
use crate::machine::now;

/// Texts in a batch.
const BATCH: usize = 8;
/// Texts of a measurement. A turn asks each once at least, so that with hundreds a model of base
/// size would take half an hour.
const TEXTS: usize = 4 * BATCH;
/// Why there are no numbers after a stop.
const STOPPED: &str = "stopped before its turn";

/// What is run, and how.
pub struct Tuning<'t> {
    /// The folder of the models.
    pub folder: &'t Path,
    /// Models of one head, and the ways to compute each. Answers are compared with those of the
    /// first model, in the first of its ways that starts; all its ways must come first.
    pub contenders: &'t [(&'t Model, Way)],
    /// Threads of a run: each number is measured in turn.
    pub threads: &'t [Option<NonZeroUsize>],
    /// Token ids of the texts.
    pub texts: &'t [Vec<u32>],
    /// The share of answers that may change, or with labels how much the score may drop.
    pub max_change: f64,
    /// Scores a model in a way, from 0 to 1; if it is given, it replaces the comparison of answers.
    pub score: Option<&'t Score<'t>>,
    /// The options that the engines are started with.
    pub options: &'t EngineOptions,
    /// The number and the time of the runs.
    pub method: Method,
    /// Like [`Benchmark::worker`].
    pub worker: &'t dyn Fn(&Model, Way, Option<NonZeroUsize>) -> Command,
}

/// Scores a model's answers in a way, from 0 to 1, or fails.
pub type Score<'t> = dyn Fn(&Model, Way) -> Result<f64, Box<dyn Error + Send + Sync>> + 't;

impl std::fmt::Debug for Tuning<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tuning")
            .field("folder", &self.folder)
            .field("contenders", &self.contenders)
            .field("threads", &self.threads)
            .field("texts", &self.texts.len())
            .finish_non_exhaustive()
    }
}

/// A model and a way whose answers are good enough.
struct Sound<'t> {
    model: &'t Model,
    way: Way,
    verdict: Verdict,
}

impl Tuning<'_> {
    /// Measures.
    ///
    /// # Errors
    /// [`TuneError`] if there are no texts, the first model can't be run, or no measurement was
    /// finished.
    pub fn run(
        &self,
        stop: &AtomicBool,
        progress: &mut dyn FnMut(&Progress),
    ) -> Result<Tuned, TuneError> {
        let started = now();
        let (sound, mut left_out) = self.sound(stop, progress)?;
        let (sound, slow) = self.fastest(sound, stop, progress)?;
        left_out.extend(slow);
        let contenders: Vec<(&Model, Way)> = sound.iter().map(|it| (it.model, it.way)).collect();
        let benchmark = Benchmark {
            contenders: &contenders,
            threads: self.threads,
            cases: &cases(self.texts, TEXTS),
            method: self.method.clone(),
            worker: self.worker,
        };
        let document = benchmark.run(stop, progress)?;
        let mut measured = Vec::new();
        for it in &sound {
            for threads in self.threads {
                match self.measured(it, *threads, &document) {
                    Ok(numbers) => measured.push(numbers),
                    Err(reason) => left_out.push(self.left_out(it.model, it.way, reason)),
                }
            }
        }
        let best = |smaller: fn(&Measured) -> f64| {
            let best = measured
                .iter()
                .min_by(|a, b| smaller(a).total_cmp(&smaller(b)));
            best.cloned().ok_or(TuneError::NothingMeasured)
        };
        Ok(Tuned {
            format_version: FORMAT_VERSION,
            tuned_by: format!("nezha-onnx {}", env!("CARGO_PKG_VERSION")),
            started,
            machine: Machine::here(),
            texts: self.texts.len(),
            max_change: self.max_change,
            latency: best(|it| it.latency_ms)?,
            throughput: best(|it| -it.texts_per_second)?,
            measured,
            left_out,
        })
    }

    /// The models and ways whose answers are as good as those of the first model.
    fn sound(
        &self,
        stop: &AtomicBool,
        progress: &mut dyn FnMut(&Progress),
    ) -> Result<(Vec<Sound<'_>>, Vec<LeftOut>), TuneError> {
        if self.texts.is_empty() {
            return Err(TuneError::NoTexts);
        }
        let judge = Judge::new(self)?;
        let (mut sound, mut left_out) = (Vec::new(), Vec::new());
        for (done, &(model, way)) in self.contenders.iter().enumerate() {
            if stop.load(Ordering::Relaxed) {
                left_out.push(self.left_out(model, way, STOPPED.to_owned()));
                continue;
            }
            progress(&self.turn(model, way, done, self.contenders.len()));
            let reason = match judge.verdict(self, model, way) {
                Ok(verdict) if verdict.change <= self.max_change => {
                    sound.push(Sound {
                        model,
                        way,
                        verdict,
                    });
                    continue;
                }
                Ok(verdict) => judge.reason(&verdict, self.max_change),
                Err(error) => nezha_graphs::error_chain(&error),
            };
            left_out.push(self.left_out(model, way, reason));
        }
        Ok((sound, left_out))
    }

    /// Whose turn it is.
    fn turn(&self, model: &Model, way: Way, done: usize, total: usize) -> Progress {
        Progress {
            done,
            total,
            shape: Some(format!("{} in {way}", self.name(model))),
        }
    }

    fn left_out(&self, model: &Model, way: Way, reason: String) -> LeftOut {
        LeftOut {
            model: self.name(model),
            way,
            reason,
        }
    }

    /// A model's path, relative to the folder.
    fn name(&self, model: &Model) -> String {
        let path = model.path();
        let name = path.strip_prefix(self.folder).unwrap_or(path);
        name.to_string_lossy().replace('\\', "/")
    }

    /// The numbers of a contender, or why there are none.
    fn measured(
        &self,
        it: &Sound<'_>,
        threads: Option<NonZeroUsize>,
        document: &Document,
    ) -> Result<Measured, String> {
        let key = ContenderKey {
            model: it.model.path().display().to_string(),
            engine: it.way.to_string(),
            threads: threads.map(NonZeroUsize::get),
        };
        let contender = document.contenders.iter().find(|it| it.key == key);
        let description = contender.and_then(|it| it.description.clone());
        let numbers = |batch| {
            let is = |cell: &&Cell| cell.contender == key && cell.shape.batch == batch;
            let cell = document.cells.iter().find(is);
            let error = || STOPPED.to_owned();
            let cell = cell.ok_or_else(error)?;
            let measured = cell.measured.as_ref();
            measured.ok_or_else(|| cell.error.clone().unwrap_or_else(error))
        };
        Ok(Measured {
            model: self.name(it.model),
            bytes: it.model.path().metadata().map_or(0, |it| it.len()),
            way: it.way,
            threads,
            description: description.unwrap_or_default(),
            change: it.verdict.change,
            score: it.verdict.score,
            latency_ms: numbers(1)?.summary.p50_ms,
            texts_per_second: numbers(BATCH)?.sequences_per_second,
        })
    }
}

/// Writes the results beside the models, atomically, in place of earlier results.
///
/// # Errors
/// [`TuneError::Json`], [`TuneError::Write`].
pub fn write(tuned: &Tuned, folder: &Path) -> Result<(), TuneError> {
    let mut text = serde_json::to_string_pretty(tuned)?;
    text.push('\n');
    Ok(write_file(folder.join(FILE), text)?)
}

/// One text at a time, and batches of texts of like lengths, as a corpus is scored; so many texts
/// at most.
fn cases(texts: &[Vec<u32>], most: usize) -> [Case; 2] {
    let texts = sample(texts, most);
    [1, BATCH].map(|batch| Case::of(&texts, batch))
}

/// So many texts at most, from all over, the shortest first.
fn sample(texts: &[Vec<u32>], most: usize) -> Vec<Vec<u32>> {
    let count = texts.len().min(most);
    let chosen = (0..count).map(|it| texts[it * texts.len() / count].clone());
    let mut chosen: Vec<Vec<u32>> = chosen.collect();
    chosen.sort_by_key(Vec::len);
    chosen
}

#[cfg(test)]
mod tests {
    use super::sample;

    #[test]
    fn texts_to_measure_with_come_from_all_over_the_shortest_first() {
        let of = |id: u32| vec![id; 10 - id as usize];
        let texts: Vec<Vec<u32>> = (0..10).map(of).collect();
        assert_eq!(sample(&texts, 4), [of(7), of(5), of(2), of(0)]);
        assert_eq!(sample(&texts, 20).len(), 10);
        assert!(sample(&[], 4).is_empty());
    }
}
