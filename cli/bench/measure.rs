//! The rounds: every contender takes its turn with a shape, again and again, so that what slows down
//! the machine for a while slows down all of them.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, Result, anyhow, bail};
use indicatif::ProgressBar;
use nezha_graphs::error_chain;
use tempfile::TempDir;

use super::agreement::Agreement;
use super::inputs::Case;
use super::process::{Dead, Process};
use super::protocol::{Reply, Request};
use super::record::{Cell, Contender, Measured, Method, Shape};
use super::statistics::{Ratio, Summary};
use crate::tensors_file;

/// A contender and its process, as long as that lives.
pub struct Runner {
    pub contender: Contender,
    arguments: Vec<OsString>,
    process: Option<Process>,
    /// Whether its process was there and is gone.
    died: bool,
}

/// What a contender's warm-up found.
struct WarmUp {
    runs: usize,
    stable: bool,
}

/// A contender's samples for one shape, while they are taken.
struct Turns {
    warm_up: Result<WarmUp>,
    rounds: Vec<Vec<f64>>,
    outputs: PathBuf,
}

impl Runner {
    /// Starts the worker; why it doesn't start is the contender's error.
    pub fn start(contender: Contender, arguments: Vec<OsString>) -> Self {
        let mut runner = Self {
            contender,
            arguments,
            process: None,
            died: false,
        };
        runner.load();
        runner
    }

    fn load(&mut self) {
        match Process::start(&self.arguments) {
            Ok(process) => {
                self.contender.error = None;
                self.contender.description = Some(process.description.clone());
                self.contender.load_ms = Some(process.load_ms);
                self.process = Some(process);
            }
            Err(error) => self.note(&error),
        }
    }

    /// Starts the worker again if it died: the next shape may be smaller.
    fn revive(&mut self) {
        if std::mem::take(&mut self.died) {
            self.load();
        }
    }

    /// Remembers an error that leaves no process.
    fn note(&mut self, error: &anyhow::Error) {
        self.contender.error = Some(error_chain(error.as_ref()));
        self.died = error.is::<Dead>();
        self.process = None;
    }

    fn ask(&mut self, request: &Request) -> Result<Reply> {
        let Some(process) = &mut self.process else {
            bail!(
                "{}",
                self.contender.error.as_deref().unwrap_or("not running")
            );
        };
        let reply = process.ask(request);
        if let Some(error) = reply.as_ref().err().filter(|it| it.is::<Dead>()) {
            self.note(error);
        }
        reply
    }

    fn warm_up(&mut self, case: &Case, seconds: f64, outputs: &Path) -> Result<WarmUp> {
        self.revive();
        let request = Request::Prepare {
            batches: case.batches.clone(),
            seconds,
            outputs: outputs.to_owned(),
        };
        let Reply::Prepared {
            first_ms,
            runs,
            stable,
        } = self.ask(&request)?
        else {
            return Err(out_of_turn());
        };
        if let (Some(load_ms), None) = (self.contender.load_ms, self.contender.first_answer_ms) {
            self.contender.first_answer_ms = Some(load_ms + first_ms);
        }
        Ok(WarmUp { runs, stable })
    }

    fn turn(&mut self, runs: usize, seconds: f64) -> Result<Vec<f64>> {
        match self.ask(&Request::Measure { runs, seconds })? {
            Reply::Measured(samples) => Ok(samples),
            _ => Err(out_of_turn()),
        }
    }

    fn peak_memory(&mut self) -> Option<u64> {
        match self.ask(&Request::Memory) {
            Ok(Reply::Memory(bytes)) => bytes,
            _ => None,
        }
    }

    /// How fast the engine multiplies matrices, and what computed which nodes. Both are said where
    /// they can be; the numbers of the cells stand without them.
    pub fn finish(&mut self) {
        if let Ok(Reply::Nodes(nodes)) = self.ask(&Request::Nodes) {
            self.contender.nodes = nodes;
        }
        if let Ok(Reply::MatMul(rate)) = self.ask(&Request::MatMul) {
            self.contender.matmul_flops = Some(rate);
        }
    }
}

fn out_of_turn() -> anyhow::Error {
    anyhow!("the worker answered something else than it was asked")
}

/// Measures one shape in all contenders; a cell each, in their order.
pub fn shape(
    runners: &mut [Runner],
    case: &Case,
    method: &Method,
    stop: &AtomicBool,
    bar: &ProgressBar,
) -> Result<Vec<Cell>> {
    let folder = TempDir::new().context("no temporary folder for the answers")?;
    let mut turns: Vec<Turns> = Vec::new();
    for (number, runner) in runners.iter_mut().enumerate() {
        let outputs = folder.path().join(format!("{number}.safetensors"));
        let warm_up = match stop.load(Ordering::Relaxed) {
            true => Err(anyhow!("stopped")),
            false => runner.warm_up(case, method.seconds, &outputs),
        };
        turns.push(Turns {
            warm_up,
            rounds: Vec::new(),
            outputs,
        });
        bar.inc(1);
    }
    let runs = method.runs.div_ceil(method.rounds);
    let seconds = method.seconds / method.rounds as f64;
    for _ in 0..method.rounds {
        for (runner, turns) in runners.iter_mut().zip(&mut turns) {
            if turns.warm_up.is_ok() {
                let stopped = stop.load(Ordering::Relaxed);
                match runner.turn(runs, seconds) {
                    _ if stopped => turns.warm_up = Err(anyhow!("stopped")),
                    Ok(samples) => turns.rounds.push(samples),
                    Err(error) => turns.warm_up = Err(error),
                }
            }
            bar.inc(1);
        }
    }
    let memory: Vec<Option<u64>> = runners.iter_mut().map(Runner::peak_memory).collect();
    cells(runners, case, turns, memory)
}

fn cells(
    runners: &[Runner],
    case: &Case,
    turns: Vec<Turns>,
    memory: Vec<Option<u64>>,
) -> Result<Vec<Cell>> {
    let first = turns.first().filter(|it| it.warm_up.is_ok());
    let first_rounds = first.map(|it| it.rounds.clone());
    let first_answer = first
        .map(|it| tensors_file::read(&it.outputs))
        .transpose()?;
    let shape = Shape {
        batch: case.batch,
        sequence: case.sequence,
        tokens: case.tokens(),
        is_text: case.is_text,
    };
    let entries = runners.iter().zip(turns).zip(memory).enumerate();
    entries
        .map(|(number, ((runner, turns), peak_resident_bytes))| {
            let mut cell = Cell {
                contender: runner.contender.key.clone(),
                shape: shape.clone(),
                measured: None,
                error: None,
            };
            match turns.warm_up {
                Err(error) => cell.error = Some(error_chain(error.as_ref())),
                Ok(warm_up) => {
                    let samples = turns.rounds.concat();
                    let summary = Summary::new(&samples);
                    let agreement = match &first_answer {
                        Some(expected) if number > 0 => {
                            Agreement::of(&tensors_file::read(&turns.outputs)?, expected)
                        }
                        _ => None,
                    };
                    let others = first_rounds.as_ref().filter(|_| number > 0);
                    cell.measured = Some(Measured {
                        ratio: others.and_then(|first| Ratio::paired(&turns.rounds, first)),
                        warm_up_runs: warm_up.runs,
                        stable: warm_up.stable,
                        sequences_per_second: 1e3 * shape.batch as f64 / summary.mean_ms,
                        tokens_per_second: 1e3 * shape.tokens / summary.mean_ms,
                        samples_ms: turns.rounds,
                        summary,
                        peak_resident_bytes,
                        agreement,
                    });
                }
            }
            Ok(cell)
        })
        .collect()
}
