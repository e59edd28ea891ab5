//! `nezha score`: a corpus in, a corpus with answers out, on one machine or on many.

mod finish;
mod part;
mod plan;
mod progress;
mod question;
mod status;
mod stream;
mod whole;

use std::num::NonZeroUsize;

use anyhow::{Result, bail};
use nezha_runtime::{EngineChoice, EngineOptions, OrtOptions};
use nezha_score::{Asked, OnError, Scorer};

use crate::engine::announce;
use crate::output::note;

/// Add a model's answers as columns to the rows of Parquet, CSV, TSV or JSON lines files: every row once,
/// in its order.
///
/// The work is cut into parts, which stay in OUT.parts until OUT appears whole. Whatever stops it, the same
/// command continues with the parts that are missing. `plan`, `part` and `finish` are its steps, for
/// several machines that share a folder.
#[derive(clap::Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(crate) struct Args {
    #[command(subcommand)]
    step: Option<Step>,
    #[command(flatten)]
    whole: whole::Args,
}

#[derive(clap::Subcommand)]
enum Step {
    Plan(Box<plan::Args>),
    Part(Box<part::Args>),
    Finish(finish::Args),
}

/// Scores, or does the step that is asked for.
pub(crate) fn run(args: Args) -> Result<()> {
    match args.step {
        Some(Step::Plan(args)) => plan::run(*args),
        Some(Step::Part(args)) => part::run(*args),
        Some(Step::Finish(args)) => finish::run(args),
        None => whole::run(args.whole),
    }
}

/// How parts are worked on: none of it changes an answer.
#[derive(clap::Args)]
pub(crate) struct WorkArgs {
    /// Runs at the same time in ONNX Runtime, each on --threads; by default the threads are divided among as
    /// many runs, at most 8.
    #[arg(long, value_name = "N")]
    sessions: Option<NonZeroUsize>,
    /// What to do with a row that can't be answered.
    #[arg(long, value_name = "WHAT", default_value = "null")]
    on_error: Failure,
    /// How to show progress, on standard error.
    #[arg(long, value_name = "HOW", default_value = "auto")]
    progress: progress::Show,
    /// Stop when standard input ends: for workers whose parent may be killed.
    #[arg(long)]
    stop_with_stdin: bool,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum Failure {
    /// Keep it with the reason in the column error, go on, and end with exit code 1.
    Null,
    /// Stop.
    Fail,
}

impl From<Failure> for OnError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Null => OnError::Null,
            Failure::Fail => OnError::Fail,
        }
    }
}

impl WorkArgs {
    /// The engine's options for many texts.
    fn engine_options(&self, choice: &EngineChoice, options: EngineOptions) -> EngineOptions {
        let Some(sessions) = self.sessions else {
            return options.throughput(true);
        };
        let mut engines = choice.candidates().iter();
        let is_ort = engines.any(|it| it.name().starts_with("ort"));
        match is_ort {
            true => {
                let ort: OrtOptions = options.ort.clone();
                options.ort(ort.sessions(sessions))
            }
            false => options,
        }
    }
}

/// Opens the model and says what runs.
fn load(
    model: &std::path::Path,
    asked: &Asked,
    choice: &EngineChoice,
    options: &EngineOptions,
) -> Result<Box<dyn Scorer>> {
    let scorer = nezha_score::load(model, asked, choice, options)?;
    announce(scorer.session());
    for said in scorer.notes() {
        note(format_args!("note: {said}"));
    }
    Ok(scorer)
}

/// The exit code for rows without answer.
fn settle(failed: u64, rows: u64) -> Result<()> {
    if failed > 0 {
        bail!("{failed} of {rows} rows have no answer: the column 'error' says why");
    }
    Ok(())
}
