//! `nezha tune`: the fastest model, engine and threads here whose answers stay the same.

mod labelled;
mod models;
mod table;

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::thread;

use anyhow::{Context, Result, bail};
use nezha_measure::bench::Method;
use nezha_measure::tune::{Tuning, write};
use nezha_runtime::{EngineKind, Model, Way, tuned};
use nezha_verify::texts;

use crate::bench::{behind_bar, seconds, stop_by_ctrl_c, worker};
use crate::engine::LibraryArgs;
use crate::openvino::OpenVinoLibrary;
use crate::output;
use labelled::Labelled;
use models::Candidates;

/// Find the fastest model, engine and threads on this machine, and have `--engine auto` use them.
///
/// Every precision in the folder answers the texts in every engine that is installed. What differs from
/// fp32 more often than --max-change allows, or loses more against --labelled, is left out; the rest take
/// turns, with one text at a time and with batches of 8, on each number of threads. nezha.json beside the
/// models keeps the fastest of both kinds with machine, versions and numbers: `--engine auto` takes the
/// fastest for one text, as long as machine and versions are the same.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// A folder that `nezha export` wrote, with fp32 among the precisions.
    folder: PathBuf,
    /// A file of texts as the model will meet them, a line each.
    #[arg(long, value_name = "LINES")]
    text: PathBuf,
    /// Texts to ask at most.
    #[arg(long, value_name = "N", default_value = "200")]
    lines: NonZeroUsize,
    /// Texts with the right answers, a line each: `label<TAB>text`, or JSON with `text` and either `label` or
    /// `entities`. Then accuracy or the F1 of names decides, and not how many answers change.
    #[arg(long, value_name = "LINES")]
    labelled: Option<PathBuf>,
    /// The share of answers that may change, that is, of rows whose best label changes; with --labelled, how
    /// much of the accuracy or F1 may be lost.
    #[arg(long, value_name = "SHARE", default_value = "0.5%", value_parser = share)]
    max_change: f64,
    #[arg(
        long,
        value_name = "E,E",
        value_delimiter = ',',
        help = format!(
            "{}; OpenVINO also with its precision, openvino@bf16, and how many activations share a scale in 8 bits, \
             openvino@bf16/768. By default the CPU's engines, OpenVINO in bf16 too, there with w8 also in groups of the \
             hidden size",
            EngineKind::names()
        )
    )]
    engines: Vec<Way>,
    /// Threads of a run; by default 1 and all.
    #[arg(long, value_name = "N,N", value_delimiter = ',')]
    threads: Vec<NonZeroUsize>,
    /// The checkpoint of these models: export what is missing of fp32, int8 and w8 from it; for OpenVINO
    /// also in its own form, into openvino/ in the folder.
    #[arg(long, value_name = "CHECKPOINT")]
    checkpoint: Option<PathBuf>,
    /// Time for each kind of batch in each contender.
    #[arg(long, value_name = "S", default_value = "2", value_parser = seconds)]
    seconds: f64,
    /// Print the table and write no nezha.json.
    #[arg(long)]
    dry_run: bool,
    /// Print what nezha.json holds.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    library: LibraryArgs,
    #[command(flatten)]
    openvino: OpenVinoLibrary,
}

/// Reads `0.5%` or `0.005`.
fn share(text: &str) -> Result<f64, String> {
    let (number, unit) = match text.strip_suffix('%') {
        Some(number) => (number, 100.0),
        None => (text, 1.0),
    };
    let share = number.trim().parse::<f64>().map(|it| it / unit);
    match share {
        Ok(share) if (0.0..=1.0).contains(&share) => Ok(share),
        _ => Err("expected a share from 0 to 1, or from 0% to 100%".to_owned()),
    }
}

/// Measures, prints a table and writes the file.
pub(crate) fn run(args: Args) -> Result<()> {
    if let Some(checkpoint) = &args.checkpoint {
        models::export_missing(&args.folder, checkpoint)?;
    }
    let candidates = Candidates::in_folder(&args.folder)?;
    let texts = texts::lines(&args.text, &args.folder, args.lines.get())?;
    if texts.is_empty() {
        bail!("{}: no line has text", args.text.display());
    }
    let labelled = args.labelled.as_deref().map(Labelled::read).transpose()?;
    let contenders: Vec<(&Model, Way)> = match args.engines.as_slice() {
        [] => candidates.usual(),
        named => candidates.contenders(named),
    };
    let threads = threads(&args);
    let options = args.library.options().openvino(args.openvino.options());
    let score = labelled.as_ref().map(|labelled| {
        let options = &options;
        move |model: &Model, way: Way| labelled.score(model, way, options)
    });
    let program = crate::program::program().context("this program's own file is unknown")?;
    let tuning = Tuning {
        folder: &args.folder,
        contenders: &contenders,
        threads: &threads,
        texts: &texts,
        max_change: args.max_change,
        score: score.as_ref().map(|it| it as _),
        options: &options,
        method: Method {
            rounds: 3,
            runs: 1000,
            seconds: args.seconds,
            cpus: Vec::new(),
            text: Some(args.text.display().to_string()),
        },
        worker: &|model, way, threads| {
            let mut command = worker::command(&program, model, way, threads);
            args.library.pass_on(&mut command);
            args.openvino.pass_on(&mut command);
            command
        },
    };
    let stop = stop_by_ctrl_c()?;
    let tuned = behind_bar(|progress| tuning.run(&stop, progress))?;
    match args.json {
        true => output::json(&tuned)?,
        false => output::text(table::text(&tuned))?,
    }
    if args.dry_run {
        return Ok(());
    }
    write(&tuned, &args.folder)?;
    let path = args.folder.join(tuned::FILE);
    output::note(format_args!(
        "{}: `--engine auto` follows it here",
        path.display()
    ));
    Ok(())
}

fn threads(args: &Args) -> Vec<Option<NonZeroUsize>> {
    let all = thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
    let mut threads = match args.threads.as_slice() {
        [] => vec![NonZeroUsize::MIN, all],
        named => named.to_vec(),
    };
    threads.dedup();
    threads.into_iter().map(Some).collect()
}
