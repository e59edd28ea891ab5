//! The whole work in one process: plan, all parts, finish.

use std::io::Read;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;
use std::{env, io, process, thread};

use anyhow::Result;
use nezha_score::{Begun, Manifest, Progress, Scorer, Work};

use super::progress::{Total, duration, shown};
use super::question::QuestionArgs;
use super::{WorkArgs, load, settle, status, stream};
use crate::engine::EngineArgs;
use crate::output::{line, note};

/// The whole work.
#[derive(clap::Args)]
pub(super) struct Args {
    /// Files, or patterns such as 'in/*.jsonl.zst'.
    #[arg(value_name = "IN", required_unless_present_any = ["status", "stream"])]
    inputs: Vec<String>,
    /// A file whose ending says its format (.parquet, .csv, .tsv, .jsonl; .csv.gz, .jsonl.zst, …), or a
    /// folder, which gets a file for each part.
    #[arg(short, long, value_name = "OUT", required_unless_present_any = ["status", "stream"])]
    output: Option<PathBuf>,
    /// A folder that `nezha export` wrote, or an .onnx file with the tokenizer beside it.
    #[arg(long, value_name = "DIR", required_unless_present = "status")]
    model: Option<PathBuf>,
    /// Discard what was done for OUT and start again.
    #[arg(long)]
    restart: bool,
    /// Show how far the work for OUT is, from any machine that sees its folder.
    #[arg(long, value_name = "OUT", exclusive = true)]
    status: Option<PathBuf>,
    /// Read an Arrow IPC stream from standard input and write each of its batches, with the answers, to
    /// standard output.
    #[arg(long, conflicts_with_all = ["inputs", "output", "restart"])]
    stream: bool,
    #[command(flatten)]
    question: QuestionArgs,
    #[command(flatten)]
    work: WorkArgs,
    #[command(flatten)]
    engine: EngineArgs,
}

/// Scores.
pub(super) fn run(args: Args) -> Result<()> {
    if let Some(output) = &args.status {
        return status::show(output);
    }
    let model = args.model.clone().unwrap_or_default();
    let asked = args.question.asked.asked(&model)?;
    let choice = &args.engine.engine;
    let options = args.work.engine_options(choice, args.engine.options());
    if args.work.stop_with_stdin && !args.stream {
        stop_with_stdin();
    }
    let scorer = load(&model, &asked, choice, &options)?;
    let Some(output) = args.output.clone() else {
        let (columns, prefix) = args.question.columns();
        return stream::answer(scorer.as_ref(), &asked, columns, prefix);
    };
    if args.restart {
        Work::discard(&output)?;
    }
    let request = args
        .question
        .request(args.inputs.clone(), output, model, asked);
    go_on_hint();
    match Work::begin(&request, scorer.as_ref())? {
        Begun::Finished(manifest) => {
            note("nothing to do: the output is there, of these inputs and this model");
            settle(manifest.failed, manifest.rows)
        }
        Begun::Work(work) => {
            work.remove_leftovers();
            let count = work.plan().parts.len();
            let start = Instant::now();
            let progress = Arc::new(Progress::default());
            answer(&work, 0..count, scorer.as_ref(), &args.work, &progress)?;
            let output = work.output().to_owned();
            let manifest = work.finish()?;
            summary(&output, &manifest, &progress, start)?;
            settle(manifest.failed, manifest.rows)
        }
    }
}

/// Answers those of some parts that are not done.
pub(super) fn answer(
    work: &Work,
    parts: std::ops::Range<usize>,
    scorer: &dyn Scorer,
    args: &WorkArgs,
    progress: &Arc<Progress>,
) -> Result<()> {
    let rows = |parts: &mut dyn Iterator<Item = usize>| -> u64 {
        let rows = parts.filter_map(|part| work.plan().parts.get(part));
        rows.map(|it| it.rows as u64).sum()
    };
    let missing = work.missing(parts.clone())?;
    let all = rows(&mut parts.clone());
    let before = all - rows(&mut missing.iter().copied());
    if before > 0 {
        note(format_args!("{before} of {all} rows were done before"));
    }
    let total = Total { before, rows: all };
    shown(args.progress, total, progress, || {
        let on_error = args.on_error.into();
        nezha_score::run(work, &missing, scorer, on_error, progress)?;
        Ok(())
    })
}

fn summary(
    output: &std::path::Path,
    manifest: &Manifest,
    progress: &Progress,
    start: Instant,
) -> Result<()> {
    let seconds = start.elapsed().as_secs_f64();
    let counts = progress.counts();
    line(format_args!(
        "{}: {} rows, {} truncated, {} without answer; {} rows and {} tokens in {}, {:.0} rows/s, {:.0} \
         tokens/s",
        output.display(),
        manifest.rows,
        manifest.truncated,
        manifest.failed,
        counts.rows,
        counts.tokens,
        duration(seconds),
        counts.rows as f64 / seconds,
        counts.tokens as f64 / seconds,
    ))
}

/// Ctrl-C ends the process: what is under its name is whole, and the command says how to go on.
pub(super) fn go_on_hint() {
    let command: Vec<String> = env::args()
        .filter(|it| it != "--restart")
        .map(|it| quoted(&it))
        .collect();
    let command = command.join(" ");
    let set = ctrlc::set_handler(move || {
        note(format_args!(
            "\nstopped; the parts that are done stay. To go on:\n{command}"
        ));
        process::exit(130);
    });
    if let Err(error) = set {
        note(format_args!("note: Ctrl-C will say nothing: {error}"));
    }
}

/// An argument as a shell takes it.
fn quoted(argument: &str) -> String {
    let plain = |it: char| it.is_ascii_alphanumeric() || "-_./=:,+@%".contains(it);
    match !argument.is_empty() && argument.chars().all(plain) {
        true => argument.to_owned(),
        false => format!("'{}'", argument.replace('\'', r"'\''")),
    }
}

/// Ends the process when nobody holds the other end of standard input any more.
pub(super) fn stop_with_stdin() {
    thread::spawn(|| {
        let mut input = io::stdin().lock();
        let mut buffer = [0; 1024];
        while input.read(&mut buffer).is_ok_and(|read| read > 0) {}
        note("stopped: standard input has ended");
        process::exit(1);
    });
}
