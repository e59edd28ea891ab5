//! `nezha bench-worker`: the process that loads one model in one engine and runs what it is told.
//!
//! An engine of its own process can't be slowed down by another one's threads, has its memory to
//! itself and, where it dies, leaves the rest of the table standing.

use std::collections::{BTreeMap, VecDeque};
use std::io::{self, BufRead};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use nezha_graphs::error_chain;
use nezha_runtime::{EngineKind, EngineOptions, OrtOptions, Session, Tensors, TractOptions};

use super::protocol::{Reply, Request};
use super::{matmul, memory, statistics};
use crate::openvino::OpenVinoArgs;
use crate::{output, tensors_file, texts};

/// Runs that have to take about as long as those before them.
const STABLE_RUNS: usize = 5;
/// How much longer or shorter the runs before may have taken.
const STABLE_WITHIN: f64 = 0.05;

/// A turn's first runs, 50 to 75 ms of them, take longer than those after.
const WARM_UP: Duration = Duration::from_millis(100);

/// Compute what another process measures; started by `nezha bench`.
#[derive(clap::Args)]
pub struct Args {
    model: PathBuf,
    #[arg(long)]
    engine: EngineKind,
    #[arg(long)]
    threads: Option<NonZeroUsize>,
    #[arg(long, default_value_t = 0)]
    tract_plans: usize,
    #[arg(long)]
    ort_library: Option<PathBuf>,
    #[command(flatten)]
    openvino: OpenVinoArgs,
    #[arg(long, value_delimiter = ',')]
    cpus: Vec<usize>,
}

/// Answers requests until there are no more.
pub fn run(args: Args) -> Result<()> {
    pin(&args.cpus)?;
    let options = EngineOptions::default()
        .threads(args.threads)
        .ort(OrtOptions::default().library(args.ort_library))
        .openvino(args.openvino.options())
        .tract(TractOptions::default().plans(args.tract_plans))
        .of(args.engine);
    let start = Instant::now();
    let session = match Session::load(&args.model, &args.engine.into(), &options) {
        Ok(session) => session,
        Err(error) => return say(&Reply::Failed(error_chain(&error))),
    };
    say(&Reply::Loaded {
        description: session.engine().description().to_owned(),
        load_ms: milliseconds(start),
    })?;
    let mut worker = Worker {
        model: args.model,
        session,
        options,
        engine: args.engine,
        batches: Vec::new(),
    };
    for line in io::stdin().lock().lines() {
        let request = serde_json::from_str(&line?).context("malformed request")?;
        let reply = worker.answer(request);
        say(&reply.unwrap_or_else(|error| Reply::Failed(error_chain(error.as_ref()))))?;
    }
    Ok(())
}

fn say(reply: &Reply) -> Result<()> {
    output::line(serde_json::to_string(reply)?)
}

/// Keeps this process, with all threads that it will start, on some processors.
#[cfg(target_os = "linux")]
fn pin(cpus: &[usize]) -> Result<()> {
    use nix::sched::{CpuSet, sched_setaffinity};
    if cpus.is_empty() {
        return Ok(());
    }
    let mut set = CpuSet::new();
    for cpu in cpus {
        set.set(*cpu)
            .with_context(|| format!("there is no processor {cpu}"))?;
    }
    let this = nix::unistd::Pid::from_raw(0);
    sched_setaffinity(this, &set).with_context(|| format!("can't run on processors {cpus:?}"))
}

#[cfg(not(target_os = "linux"))]
fn pin(cpus: &[usize]) -> Result<()> {
    match cpus {
        [] => Ok(()),
        _ => anyhow::bail!("--cpus works on Linux only"),
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
    fn answer(&mut self, request: Request) -> Result<Reply> {
        match request {
            Request::Prepare {
                batches,
                seconds,
                outputs,
            } => {
                memory::forget_peak();
                let ports = &self.session.signature().inputs;
                let batches = batches.iter().map(|batch| texts::tensors(ports, batch));
                self.batches = batches.collect::<Result<_>>()?;
                self.prepare(seconds, &outputs)
            }
            Request::Measure { runs, seconds } => self.measure(runs, seconds),
            Request::Memory => Ok(Reply::Memory(memory::peak())),
            Request::MatMul => Ok(Reply::MatMul(matmul::rate(self.engine, &self.options)?)),
            Request::Nodes => Ok(Reply::Nodes(self.nodes()?)),
        }
    }

    fn prepare(&self, seconds: f64, outputs: &Path) -> Result<Reply> {
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
            first_ms: first_ms.context("no batch")?,
            runs: count,
            stable,
        })
    }

    /// Profiling costs time, so a session of its own does it.
    fn nodes(&self) -> Result<BTreeMap<String, usize>> {
        let has_providers = self.engine.spec().capabilities.has_providers;
        let Some(batch) = self.batches.first().filter(|_| has_providers) else {
            return Ok(BTreeMap::new());
        };
        let folder = tempfile::tempdir().context("no temporary folder for the profile")?;
        let options = self.options.clone().profile(folder.path().join("profile"));
        let session = Session::load(&self.model, &self.engine.into(), &options)?;
        session.run(batch.clone())?;
        let profile = session.end_profiling()?;
        let providers = profile.providers().into_iter();
        Ok(providers
            .map(|(provider, nodes)| (provider.to_owned(), nodes))
            .collect())
    }

    /// Others ran in between: the caches are theirs, the threads asleep.
    fn warm_up(&self) -> Result<()> {
        let begin = Instant::now();
        for batch in self.batches.iter().cycle() {
            self.session.run(batch.clone())?;
            if begin.elapsed() >= WARM_UP {
                break;
            }
        }
        Ok(())
    }

    fn measure(&self, runs: usize, seconds: f64) -> Result<Reply> {
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

/// Whether the last runs take about as long as those before them.
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
