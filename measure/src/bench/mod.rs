//! Compares models in engines: latency, throughput, memory and outputs.
//!
//! Each model in each engine runs in a process of its own, a *worker*. [`Benchmark::worker`] starts
//! one, and [`serve`] is all that such a program does. For every shape the contenders take turns (A
//! B A B), so that what slows down the machine for a while slows down all of them.

mod agreement;
mod chart;
mod compare;
mod csv;
mod error;
mod flop;
mod inputs;
mod matmul;
mod measure;
mod memory;
mod process;
mod protocol;
mod record;
mod report;
mod rows;
mod worker;

use std::collections::BTreeMap;
use std::fmt;
use std::num::NonZeroUsize;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};

use nezha_runtime::{Model, Way};

pub use self::csv::csv;
pub use agreement::Agreement;
pub use compare::{Change, compare};
pub use error::{BenchError, ReadError, ReportError, ServeError, WorkerError};
pub use inputs::{Case, vocabulary};
pub use record::{Cell, Contender, ContenderKey, Document, Measured, Method, SCHEMA, Shape};
pub use report::html;
pub use rows::{cell_rows, contender_rows, heading};
pub use worker::{Work, serve};

use crate::machine::{Machine, now};
use measure::{Rounds, Runner};

/// What is measured, and how.
pub struct Benchmark<'b> {
    /// Models, and the ways to compute them. The others are compared with the first.
    pub contenders: &'b [(&'b Model, Way)],
    /// Threads of a run: each number is measured in turn; `None` for the engine's default.
    pub threads: &'b [Option<NonZeroUsize>],
    /// The batches that every contender runs.
    pub cases: &'b [Case],
    /// The number and the time of the runs.
    pub method: Method,
    /// The command of a program that [serves](serve) a contender. The benchmark takes over its
    /// standard input and output.
    pub worker: &'b dyn Fn(&Model, Way, Option<NonZeroUsize>) -> Command,
}

/// The progress of a benchmark.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Progress {
    /// Turns that are done.
    pub done: usize,
    /// The number of all turns.
    pub total: usize,
    /// The shape that takes its turns; `None` while models are loaded.
    pub shape: Option<String>,
}

impl fmt::Debug for Benchmark<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Benchmark")
            .field("contenders", &self.contenders)
            .field("threads", &self.threads)
            .field("cases", &self.cases)
            .field("method", &self.method)
            .finish_non_exhaustive()
    }
}

impl<'b> Benchmark<'b> {
    /// Measures. A contender that can't be started, fails or dies gets an error, and so do its
    /// cells; a process that died is restarted for the next shape.
    ///
    /// When `stop` becomes true, the turn ends, and what is finished is returned.
    ///
    /// # Errors
    /// [`BenchError`] if the outputs can't be saved or read.
    pub fn run(
        &self,
        stop: &AtomicBool,
        progress: &mut dyn FnMut(&Progress),
    ) -> Result<Document, BenchError> {
        let mut document = Document {
            schema: SCHEMA.to_owned(),
            nezha: env!("CARGO_PKG_VERSION").to_owned(),
            started: now(),
            complete: false,
            machine: Machine::describe(),
            method: self.method.clone(),
            contenders: Vec::new(),
            cells: Vec::new(),
        };
        let contenders = self.contenders.len() * self.threads.len();
        let mut at = Progress {
            done: 0,
            total: self.cases.len() * contenders * (1 + self.method.rounds),
            shape: None,
        };
        // Contenders with the same number of threads take turns; each number of threads is measured
        // by itself.
        for threads in self.threads {
            at.shape = None;
            progress(&at);
            let mut runners = self.start(*threads);
            for case in self.cases {
                at.shape = Some(case.shape().label());
                let mut turn = || {
                    progress(&at);
                    at.done += 1;
                };
                let rounds = Rounds {
                    case,
                    method: &self.method,
                    stop,
                };
                let cells = rounds.measure(&mut runners, &mut turn)?;
                document.cells.extend(cells);
            }
            if !stop.load(Ordering::Relaxed) {
                runners.iter_mut().for_each(Runner::finish);
            }
            let contenders = runners.into_iter().map(|it| it.contender);
            document.contenders.extend(contenders);
        }
        document.complete = document.cells.iter().all(|it| it.error.is_none());
        Ok(document)
    }

    fn start(&'b self, threads: Option<NonZeroUsize>) -> Vec<Runner<'b>> {
        let runner = |(model, way): &(&'b Model, Way)| {
            let (model, way) = (*model, *way);
            let command = move || (self.worker)(model, way, threads);
            Runner::start(contender(model, way, threads), Box::new(command))
        };
        self.contenders.iter().map(runner).collect()
    }
}

fn contender(model: &Model, way: Way, threads: Option<NonZeroUsize>) -> Contender {
    let graph = model.proto().graph.as_ref();
    Contender {
        key: ContenderKey {
            model: model.path().display().to_string(),
            engine: way.to_string(),
            threads: threads.map(NonZeroUsize::get),
        },
        model_bytes: model.path().metadata().map_or(0, |it| it.len()),
        flop_per_token: graph.map_or(0.0, flop::per_token),
        description: None,
        load_ms: None,
        first_answer_ms: None,
        matmul_flops: None,
        nodes: BTreeMap::new(),
        error: None,
    }
}
