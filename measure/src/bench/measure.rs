//! The rounds of a benchmark: the contenders take turns with a shape several times, so that what
//! slows down the machine for a while slows down all of them.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};

use nezha_graphs::error_chain;
use nezha_runtime::{Tensors, tensors_file};
use tempfile::TempDir;

use super::process::Process;
use super::protocol::{Reply, Request};
use super::{Agreement, BenchError, Case, Cell, Contender, Measured, Method, WorkerError};
use crate::statistics::{Ratio, Summary};

/// A contender and its process, if it is running.
pub(super) struct Runner<'b> {
    pub contender: Contender,
    command: Box<dyn Fn() -> Command + 'b>,
    process: Option<Process>,
    /// Whether its process was started and has died.
    died: bool,
}

/// The result of a contender's warm-up.
struct WarmUp {
    runs: usize,
    stable: bool,
}

/// The samples of a contender for one shape, while they are taken.
struct Turns {
    warm_up: Result<WarmUp, WorkerError>,
    rounds: Vec<Vec<f64>>,
    outputs: PathBuf,
}

impl<'b> Runner<'b> {
    /// Starts the worker; if it can't be started, the contender gets the error.
    pub(super) fn start(contender: Contender, command: Box<dyn Fn() -> Command + 'b>) -> Self {
        let mut runner = Self {
            contender,
            command,
            process: None,
            died: false,
        };
        runner.load();
        runner
    }

    fn load(&mut self) {
        match Process::start((self.command)()) {
            Ok(process) => {
                self.contender.error = None;
                self.contender.description = Some(process.description.clone());
                self.contender.load_ms = Some(process.load_ms);
                self.process = Some(process);
            }
            Err(error) => self.note(&error),
        }
    }

    /// Restarts a worker that has died, because the next shape may be smaller.
    fn revive(&mut self) {
        if std::mem::take(&mut self.died) {
            self.load();
        }
    }

    /// Records an error after which there is no process.
    fn note(&mut self, error: &WorkerError) {
        self.contender.error = Some(error_chain(error));
        self.died = matches!(error, WorkerError::Dead(_));
        self.process = None;
    }

    fn ask(&mut self, request: &Request) -> Result<Reply, WorkerError> {
        let Some(process) = &mut self.process else {
            let reason = self.contender.error.as_deref();
            return Err(WorkerError::Failed(
                reason.unwrap_or("not running").to_owned(),
            ));
        };
        let reply = process.ask(request);
        if let Err(error @ WorkerError::Dead(_)) = &reply {
            self.note(error);
        }
        reply
    }

    fn warm_up(
        &mut self,
        case: &Case,
        seconds: f64,
        outputs: &Path,
    ) -> Result<WarmUp, WorkerError> {
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
            return Err(WorkerError::OutOfTurn);
        };
        if let (Some(load_ms), None) = (self.contender.load_ms, self.contender.first_answer_ms) {
            self.contender.first_answer_ms = Some(load_ms + first_ms);
        }
        Ok(WarmUp { runs, stable })
    }

    fn turn(&mut self, runs: usize, seconds: f64) -> Result<Vec<f64>, WorkerError> {
        match self.ask(&Request::Measure { runs, seconds })? {
            Reply::Measured(samples) => Ok(samples),
            _ => Err(WorkerError::OutOfTurn),
        }
    }

    fn peak_memory(&mut self) -> Option<u64> {
        match self.ask(&Request::Memory) {
            Ok(Reply::Memory(bytes)) => bytes,
            _ => None,
        }
    }

    /// Asks how fast the engine multiplies matrices, and what computed the nodes. If a worker can't
    /// answer, the numbers of the cells stay valid.
    pub(super) fn finish(&mut self) {
        if let Ok(Reply::Nodes(nodes)) = self.ask(&Request::Nodes) {
            self.contender.nodes = nodes;
        }
        if let Ok(Reply::MatMul(rate)) = self.ask(&Request::MatMul) {
            self.contender.matmul_flops = Some(rate);
        }
    }
}

/// One shape in all contenders.
pub(super) struct Rounds<'b> {
    pub case: &'b Case,
    pub method: &'b Method,
    pub stop: &'b AtomicBool,
}

impl Rounds<'_> {
    /// Measures a cell for each contender, in their order; `turn` is called before every turn.
    pub(super) fn measure(
        &self,
        runners: &mut [Runner],
        turn: &mut dyn FnMut(),
    ) -> Result<Vec<Cell>, BenchError> {
        let folder = TempDir::new().map_err(|source| BenchError::TemporaryFolder { source })?;
        let mut turns = self.warm_up(runners, folder.path(), turn);
        let runs = self.method.runs.div_ceil(self.method.rounds);
        let seconds = self.method.seconds / self.method.rounds as f64;
        for _ in 0..self.method.rounds {
            for (runner, turns) in runners.iter_mut().zip(&mut turns) {
                turn();
                if turns.warm_up.is_ok() {
                    let stopped = self.is_stopped();
                    match runner.turn(runs, seconds) {
                        _ if stopped => turns.warm_up = Err(WorkerError::Stopped),
                        Ok(samples) => turns.rounds.push(samples),
                        Err(error) => turns.warm_up = Err(error),
                    }
                }
            }
        }
        let memory: Vec<Option<u64>> = runners.iter_mut().map(Runner::peak_memory).collect();
        self.cells(runners, turns, memory)
    }

    fn warm_up(&self, runners: &mut [Runner], folder: &Path, turn: &mut dyn FnMut()) -> Vec<Turns> {
        let numbered = runners.iter_mut().enumerate();
        let turns = numbered.map(|(number, runner)| {
            turn();
            let outputs = folder.join(format!("{number}.safetensors"));
            Turns {
                warm_up: match self.is_stopped() {
                    true => Err(WorkerError::Stopped),
                    false => runner.warm_up(self.case, self.method.seconds, &outputs),
                },
                rounds: Vec::new(),
                outputs,
            }
        });
        turns.collect()
    }

    fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    fn cells(
        &self,
        runners: &[Runner],
        turns: Vec<Turns>,
        memory: Vec<Option<u64>>,
    ) -> Result<Vec<Cell>, BenchError> {
        let first = turns.first().filter(|it| it.warm_up.is_ok());
        let first = first
            .map(|it| Ok::<_, BenchError>((it.rounds.clone(), tensors_file::read(&it.outputs)?)))
            .transpose()?;
        let entries = runners.iter().zip(turns).zip(memory).enumerate();
        entries
            .map(|(number, ((runner, turns), peak_resident_bytes))| {
                let first = first.as_ref().filter(|_| number > 0);
                let mut cell = Cell {
                    contender: runner.contender.key.clone(),
                    shape: self.case.shape(),
                    measured: None,
                    error: None,
                };
                match turns.numbers(self.case, first, peak_resident_bytes)? {
                    Ok(measured) => cell.measured = Some(measured),
                    Err(error) => cell.error = Some(error_chain(&error)),
                }
                Ok(cell)
            })
            .collect()
    }
}

impl Turns {
    /// The numbers from the samples, compared with the rounds and the outputs of the `first`
    /// contender.
    fn numbers(
        self,
        case: &Case,
        first: Option<&(Vec<Vec<f64>>, Tensors)>,
        peak_resident_bytes: Option<u64>,
    ) -> Result<Result<Measured, WorkerError>, BenchError> {
        let warm_up = match self.warm_up {
            Ok(warm_up) => warm_up,
            Err(error) => return Ok(Err(error)),
        };
        let summary = Summary::new(&self.rounds.concat());
        let agreement = match first {
            Some((_, expected)) => Agreement::of(&tensors_file::read(&self.outputs)?, expected),
            None => None,
        };
        Ok(Ok(Measured {
            ratio: first.and_then(|(first, _)| Ratio::paired(&self.rounds, first)),
            warm_up_runs: warm_up.runs,
            stable: warm_up.stable,
            sequences_per_second: 1e3 * case.batch as f64 / summary.mean_ms,
            tokens_per_second: 1e3 * case.tokens() / summary.mean_ms,
            samples_ms: self.rounds,
            summary,
            peak_resident_bytes,
            agreement,
        }))
    }
}
