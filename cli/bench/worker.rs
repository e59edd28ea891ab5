//! `nezha bench-worker`: the process that loads one model in one engine and runs what it is told.

use std::io;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;
use nezha_measure::bench::{Work, serve};
use nezha_runtime::{EngineOptions, Model, OrtOptions, TractOptions, Way};

use crate::openvino::OpenVinoArgs;
use crate::output::Output;

/// Compute what another process measures; started by `nezha bench`.
#[derive(clap::Args)]
pub(crate) struct Args {
    model: PathBuf,
    #[arg(long)]
    engine: Way,
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
pub(crate) fn run(args: Args) -> Result<()> {
    let work = Work {
        options: EngineOptions::default()
            .threads(args.threads)
            .ort(OrtOptions::default().library(args.ort_library))
            .openvino(args.openvino.options())
            .tract(TractOptions::default().plans(args.tract_plans)),
        model: args.model,
        way: args.engine,
        cpus: args.cpus,
    };
    Ok(serve(work, io::stdin().lock(), &mut Output)?)
}

/// This program as a worker for a model in a way, as [`Args`] are read.
pub(crate) fn command(
    program: &Path,
    model: &Model,
    way: Way,
    threads: Option<NonZeroUsize>,
) -> Command {
    let mut command = Command::new(program);
    command.arg("bench-worker").arg(model.path());
    command.args(["--engine", &way.to_string()]);
    if let Some(threads) = threads {
        command.args(["--threads", &threads.to_string()]);
    }
    command
}

/// Adds what `nezha bench` says to all of its workers.
pub(crate) fn arguments(command: &mut Command, args: &super::Args) {
    if args.tract_plans > 0 {
        command.args(["--tract-plans", &args.tract_plans.to_string()]);
    }
    if let Some(library) = &args.ort_library {
        command.arg("--ort-library").arg(library);
    }
    command.args(args.openvino.arguments());
    if !args.cpus.is_empty() {
        let cpus: Vec<String> = args.cpus.iter().map(usize::to_string).collect();
        command.args(["--cpus", &cpus.join(",")]);
    }
}
