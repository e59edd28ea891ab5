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

/// Answer about every row of Parquet, CSV, TSV or JSON lines files: the rows with the answers as
/// columns come out, in the same order, each once.
///
/// The work is cut into parts, which are in OUT.parts until OUT appears whole. Whatever stops it, the same
/// command goes on with the parts that are missing. `plan`, `part` and `finish` are its steps, for who has
/// several machines and a folder that all of them see.
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
    /// Runs of the model at the same time, where the engine is ONNX Runtime; each with --threads. Where absent,
    /// the threads are divided among as many runs, at most 8.
    #[arg(long, value_name = "N")]
    sessions: Option<NonZeroUsize>,
    /// What is done about a row that can't be answered: `null` goes on, and the exit code is 1 at
    /// the end; `fail` stops.
    #[arg(long, value_name = "WHAT", default_value = "null")]
    on_error: Failure,
    /// How the work shows how far it is, on standard error.
    #[arg(long, value_name = "HOW", default_value = "auto")]
    progress: progress::Show,
    /// Stop when standard input ends: for workers whose parent may be killed.
    #[arg(long)]
    stop_with_stdin: bool,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum Failure {
    /// Its answer is null, its error is in the column.
    Null,
    /// The work stops.
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
