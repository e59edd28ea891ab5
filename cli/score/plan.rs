//! `nezha score plan`: which rows are in which part.

use std::path::PathBuf;

use anyhow::{Result, bail};
use nezha_score::{Begun, Work};

use super::load;
use super::question::QuestionArgs;
use crate::engine::EngineArgs;
use crate::output::line;

/// Cut the inputs into parts, for workers that share the output's folder.
///
/// The plan holds digests of the inputs and of the model, and the engine and its version: a worker with
/// another one is refused. Prints the number of parts.
#[derive(clap::Args)]
pub(super) struct Args {
    /// Files, or patterns such as 'in/*.jsonl.zst'.
    #[arg(value_name = "IN", required = true)]
    inputs: Vec<String>,
    /// A file whose ending says its format, or a folder, which gets a file for each part.
    #[arg(short, long, value_name = "OUT")]
    output: PathBuf,
    /// A folder that `nezha export` wrote, or an .onnx file with the tokenizer beside it.
    #[arg(long, value_name = "DIR")]
    model: PathBuf,
    /// Discard what was done for OUT and start again.
    #[arg(long)]
    restart: bool,
    #[command(flatten)]
    question: QuestionArgs,
    #[command(flatten)]
    engine: EngineArgs,
}

/// Plans.
pub(super) fn run(args: Args) -> Result<()> {
    let asked = args.question.asked.asked(&args.model)?;
    let options = args.engine.options();
    let scorer = load(&args.model, &asked, &args.engine.engine, &options)?;
    if args.restart {
        Work::discard(&args.output)?;
    }
    let request = args
        .question
        .request(args.inputs, args.output, args.model, asked);
    match Work::begin(&request, scorer.as_ref())? {
        Begun::Finished(_) => bail!("nothing to plan: the output is there, of these inputs"),
        Begun::Work(work) => line(work.plan().parts.len()),
    }
}
