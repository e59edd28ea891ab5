//! The process that loads one model in one engine, and does what the benchmark requests.
//!
//! In a process of its own, an engine can't be slowed down by the threads of another one, its
//! memory can be measured, and if it dies, the other results remain.

use std::collections::{BTreeMap, VecDeque};
use std::io::{BufRead, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nezha_graphs::error_chain;
use nezha_runtime::{EngineKind, EngineOptions, Session, SessionError, Tensors, Way, tensors_file};
use nezha_verify::texts;

use super::protocol::{Reply, Request};
use super::{ServeError, matmul, memory};
use crate::statistics;

/// The number of runs that must take about as long as the same number before them.
const STABLE_RUNS: usize = 5;
/// How much the times of the two may differ.
const STABLE_WITHIN: f64 = 0.05;

/// The first runs of a turn, for 50 to 75 ms, take longer than those after them.
const WARM_UP: Duration = Duration::from_millis(100);

/// What a worker loads.
#[derive(Clone, Debug)]
pub struct Work {
    /// The model.
    pub model: PathBuf,
    /// The way to compute it; its engine must start.
    pub way: Way,
    /// The options that the engine is started with.
    pub options: EngineOptions,
    /// The processors that it is bound to (Linux); empty for all.
    pub cpus: Vec<usize>,
}

/// Loads the model and answers the requests of a [`Benchmark`](super::Benchmark), one per line,
/// until there are no more. This is all that a worker's process does, over its standard input and
/// output.
///
/// # Errors
/// [`ServeError`] if the process can't be bound to its processors, or the connection breaks. If the
/// model can't be loaded or run, the reply says so.
pub fn serve(
    work: Work,
    requests: impl BufRead,
    replies: &mut dyn Write,
) -> Result<(), ServeError> {
    pin(&work.cpus)?;
    let engine = work.way.engine;
    let options = work.way.options(&work.options);
    let start = Instant::now();
    let session = match Session::builder()
        .engine(engine)
        .engine_options(options.clone())
        .load(&work.model)
    {
        Ok(session) => session,
        Err(error) => return say(replies, &Reply::Failed(error_chain(&error))),
    };
    let loaded = Reply::Loaded {
        description: session.engine().description().to_owned(),
        load_ms: milliseconds(start),
    };
    say(replies, &loaded)?;
    let mut worker = Worker {
        model: work.model,
        session,
        options,
        engine,
        batches: Vec::new(),
    };
    for line in requests.lines() {
        let reply = worker.answer(serde_json::from_str(&line?)?);
        let reply = reply.unwrap_or_else(|error| Reply::Failed(error_chain(&error)));
        say(replies, &reply)?;
    }
    Ok(())
}

fn say(replies: &mut dyn Write, reply: &Reply) -> Result<(), ServeError> {
    writeln!(replies, "{}", serde_json::to_string(reply)?)?;
    Ok(replies.flush()?)
}

/// Binds this process, with all threads that it will start, to some processors.
#[cfg(target_os = "linux")]
fn pin(cpus: &[usize]) -> Result<(), ServeError> {
    use nix::sched::{CpuSet, sched_setaffinity};
    if cpus.is_empty() {
        return Ok(());
    }
    let mut set = CpuSet::new();
    for cpu in cpus {
        set.set(*cpu)
            .map_err(|_| ServeError::NoProcessor { cpu: *cpu })?;
    }
    let this = nix::unistd::Pid::from_raw(0);
    sched_setaffinity(this, &set).map_err(|error| ServeError::Processors {
        cpus: cpus.to_vec(),
        source: error.into(),
    })
}

#[cfg(not(target_os = "linux"))]
fn pin(cpus: &[usize]) -> Result<(), ServeError> {
    match cpus {
        [] => Ok(()),
        _ => Err(ServeError::NotLinux),
    }
}

struct Worker {
    model: PathBuf,
    session: Session,
    options: EngineOptions,
    engine: EngineKind,
    batches: Vec<Tensors>,
}

impl Worker {
    fn answer(&mut self, request: Request) -> Result<Reply, ServeError> {
        match request {
            Request::Prepare {
                batches,
                seconds,
                outputs,
            } => {
                memory::forget_peak();
                let ports = &self.session.signature().inputs;
                let batches = batches.iter().map(|batch| texts::tensors(ports, batch));
                self.batches = batches.collect::<Result<_, _>>()?;
                self.prepare(seconds, &outputs)
            }
            Request::Measure { runs, seconds } => self.measure(runs, seconds),
            Request::Memory => Ok(Reply::Memory(memory::peak())),
            Request::MatMul => Ok(Reply::MatMul(matmul::rate(self.engine, &self.options)?)),
            Request::Nodes => Ok(Reply::Nodes(self.nodes()?)),
        }
    }

    fn prepare(&self, seconds: f64, outputs: &Path) -> Result<Reply, ServeError> {
        let start = Instant::now();
        let mut first_ms = None;
        let mut passes = VecDeque::new();
        let mut count = 0;
        let stable = loop {
            let mut pass = 0.0;
            for batch in &self.batches {
                let start = Instant::now();
                let answer = self.session.run(batch.clone())?;
                let took = milliseconds(start);
                if first_ms.is_none() {
                    first_ms = Some(took);
                    tensors_file::write(outputs, &answer)?;
                }
                pass += took;
                count += 1;
            }
            passes.push_back(pass);
            if passes.len() > 2 * STABLE_RUNS {
                passes.pop_front();
            }
            if is_stable(passes.make_contiguous()) {
                break true;
            }
            if start.elapsed().as_secs_f64() > seconds {
                break false;
            }
        };
        Ok(Reply::Prepared {
            first_ms: first_ms.ok_or(ServeError::NoBatch)?,
            runs: count,
            stable,
        })
    }

    /// Profiling takes time, so it is done in a session of its own.
    fn nodes(&self) -> Result<BTreeMap<String, usize>, ServeError> {
        let has_providers = self.engine.spec().capabilities.has_providers;
        let Some(batch) = self.batches.first().filter(|_| has_providers) else {
            return Ok(BTreeMap::new());
        };
        let folder = tempfile::tempdir().map_err(|source| ServeError::TemporaryFolder {
            purpose: "the profile",
            source,
        })?;
        let options = self.options.clone().profile(folder.path().join("profile"));
        let session = Session::builder()
            .engine(self.engine)
            .engine_options(options.clone())
            .load(&self.model)?;
        session.run(batch.clone())?;
        let profile = session.end_profiling().map_err(SessionError::from)?;
        let providers = profile.providers().into_iter();
        Ok(providers
            .map(|(provider, nodes)| (provider.to_owned(), nodes))
            .collect())
    }

    /// Other workers ran in the meantime: the caches have their data, and this one's threads sleep.
    fn warm_up(&self) -> Result<(), ServeError> {
        let begin = Instant::now();
        for batch in self.batches.iter().cycle() {
            self.session.run(batch.clone())?;
            if begin.elapsed() >= WARM_UP {
                break;
            }
        }
        Ok(())
    }

    fn measure(&self, runs: usize, seconds: f64) -> Result<Reply, ServeError> {
        self.warm_up()?;
        let begin = Instant::now();
        let mut samples = Vec::new();
        while samples.is_empty()
            || (samples.len() < runs && begin.elapsed().as_secs_f64() < seconds)
        {
            for batch in &self.batches {
                let inputs = batch.clone();
                let start = Instant::now();
                self.session.run(inputs)?;
                samples.push(milliseconds(start));
            }
        }
        Ok(Reply::Measured(samples))
    }
}

/// Whether the last runs took about as long as those before them.
fn is_stable(passes: &[f64]) -> bool {
    if passes.len() < 2 * STABLE_RUNS {
        return false;
    }
    let (before, last) = passes.split_at(STABLE_RUNS);
    let [before, last] = [before, last].map(statistics::median);
    (last / before - 1.0).abs() <= STABLE_WITHIN
}

fn milliseconds(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1e3
}
