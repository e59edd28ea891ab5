//! `nezha bench`: models in engines side by side, with how far their answers are apart.

mod compare;
pub(crate) mod table;
pub(crate) mod worker;

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, Result, bail};
use indicatif::{ProgressBar, ProgressStyle};
use nezha_graphs::files::write_file;
use nezha_measure::bench::{self, Benchmark, Case, Cell, Document, Method, Progress};
use nezha_runtime::{EngineKind, EngineOptions, Model, OrtOptions, TractOptions, Way};

use crate::model::model_file;
use crate::openvino::OpenVinoArgs;
use crate::output;

/// Measure models in engines side by side: latency, throughput, memory, agreement.
///
/// Each model in each engine is a process of its own. For every shape they take turns (A B A B) until
/// each has had --runs runs or --seconds; what slows down the machine for a while slows down all.
/// Any model with BERT's inputs can take part. What doesn't start, fails or dies is a row with the
/// reason, and the exit code is 1; a process that died of one shape is started again for the next.
/// Ctrl-C prints and saves what is finished.
#[derive(clap::Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Option<Command>,
    /// The .onnx files; the first one in the first engine is what the others are compared with.
    #[arg(required = true)]
    models: Vec<PathBuf>,
    #[arg(
        long,
        value_name = "E,E",
        value_delimiter = ',',
        help = format!("{}; OpenVINO also with its precision: openvino@bf16", EngineKind::names()),
        default_value = "ort:cpu,tract"
    )]
    engines: Vec<Way>,
    /// Texts in a batch.
    #[arg(long, value_name = "N,N", value_delimiter = ',', default_value = "1,8")]
    batch: Vec<NonZeroUsize>,
    /// Tokens in each text.
    #[arg(
        long,
        value_name = "N,N",
        value_delimiter = ',',
        default_value = "16,128,512"
    )]
    sequence: Vec<NonZeroUsize>,
    /// Sizes as texts by tokens (1x16,8x128), instead of every --batch with every --sequence.
    #[arg(
        long,
        value_name = "BxN,BxN",
        value_delimiter = ',',
        value_parser = shape,
        conflicts_with_all = ["batch", "sequence", "text"]
    )]
    shapes: Vec<(NonZeroUsize, NonZeroUsize)>,
    /// Threads of a run; by default the engine's.
    #[arg(long, value_name = "N,N", value_delimiter = ',')]
    threads: Vec<NonZeroUsize>,
    /// A file of texts, a line each, instead of random token ids of the --sequence lengths.
    ///
    /// The first model's folder has to hold the tokenizer.
    #[arg(long, value_name = "FILE", conflicts_with = "sequence")]
    text: Option<PathBuf>,
    /// Runs of each shape, as far as --seconds allow.
    #[arg(long, value_name = "N", default_value = "50")]
    runs: NonZeroUsize,
    /// Seconds for each shape in each contender, without the warm-up, which takes as long at most.
    #[arg(long, value_name = "S", default_value = "5", value_parser = seconds)]
    seconds: f64,
    /// Turns that each contender takes with each shape.
    #[arg(long, value_name = "N", default_value = "5")]
    rounds: NonZeroUsize,
    /// Keep the workers on these processors (Linux).
    #[arg(long, value_name = "N,N", value_delimiter = ',')]
    cpus: Vec<usize>,
    /// Have tract keep a plan for each of the last N shapes.
    #[arg(long, value_name = "N", default_value_t = 0)]
    tract_plans: usize,
    /// The ONNX Runtime library, or the folder that holds it.
    #[arg(long, value_name = "PATH")]
    ort_library: Option<PathBuf>,
    #[command(flatten)]
    openvino: OpenVinoArgs,
    /// Write everything, all samples included, as JSON; `-` for standard output, without the table.
    #[arg(long, value_name = "F")]
    json: Option<PathBuf>,
    /// Write a row for each shape in each contender.
    #[arg(long, value_name = "F.csv")]
    csv: Option<PathBuf>,
    /// Write tables and charts as one HTML file.
    #[arg(long, value_name = "F.html")]
    report: Option<PathBuf>,
}

#[derive(clap::Subcommand)]
enum Command {
    Compare(compare::Args),
}

pub(crate) fn seconds(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(seconds) if seconds > 0.0 && f64::is_finite(seconds) => Ok(seconds),
        _ => Err("expected a number of seconds above 0".to_owned()),
    }
}

fn shape(text: &str) -> Result<(NonZeroUsize, NonZeroUsize), String> {
    let numbers = text.split_once('x');
    let shape = numbers.and_then(|(batch, sequence)| batch.parse().ok().zip(sequence.parse().ok()));
    shape.ok_or_else(|| "expected two numbers above 0, like 8x128".to_owned())
}

/// Measures and prints, or compares.
pub(crate) fn run(args: Args) -> Result<()> {
    if let Some(Command::Compare(args)) = args.command {
        return compare::run(args);
    }
    let engines: Vec<EngineKind> = args.engines.iter().map(|it| it.engine).collect();
    options(&args).check(&engines)?;
    let open = |path: &PathBuf| Ok(Model::open(model_file(path)?)?);
    let models: Vec<Model> = args.models.iter().map(open).collect::<Result<_>>()?;
    let cases = cases(&args, &models)?;
    let stop = stop_by_ctrl_c()?;
    let program = crate::program::program().context("this program's own file is unknown")?;
    let threads = match args.threads.as_slice() {
        [] => vec![None],
        threads => threads.iter().copied().map(Some).collect(),
    };
    let contenders = models.iter();
    let contenders = contenders.flat_map(|model| args.engines.iter().map(move |it| (model, *it)));
    let contenders: Vec<(&Model, Way)> = contenders.collect();
    let benchmark = Benchmark {
        contenders: &contenders,
        threads: &threads,
        cases: &cases,
        method: Method {
            rounds: args.rounds.get(),
            runs: args.runs.get(),
            seconds: args.seconds,
            cpus: args.cpus.clone(),
            text: args.text.as_ref().map(|it| it.display().to_string()),
        },
        worker: &|model, way, threads| {
            let mut command = worker::command(&program, model, way, threads);
            worker::arguments(&mut command, &args);
            command
        },
    };
    let document = behind_bar(|progress| benchmark.run(&stop, progress))?;
    let failed = failures(&document);
    write(&args, &document)?;
    if stop.load(Ordering::Relaxed) {
        bail!("stopped; without numbers:{failed}");
    }
    match document.complete {
        true => Ok(()),
        false => bail!("without numbers:{failed}"),
    }
}

/// Measures behind a bar.
pub(crate) fn behind_bar<T>(measure: impl FnOnce(&mut dyn FnMut(&Progress)) -> T) -> T {
    let bar = ProgressBar::no_length().with_style(
        ProgressStyle::with_template("{msg} {wide_bar} {pos}/{len} {eta}")
            .unwrap_or_else(|_| ProgressStyle::default_bar()),
    );
    let measured = measure(&mut |at| {
        bar.set_length(at.total as u64);
        bar.set_position(at.done as u64);
        bar.set_message(at.shape.clone().unwrap_or_else(|| "loading".to_owned()));
    });
    bar.finish_and_clear();
    measured
}

/// Becomes true when Ctrl-C is pressed: what is finished then is given.
pub(crate) fn stop_by_ctrl_c() -> Result<Arc<AtomicBool>> {
    let stop = Arc::new(AtomicBool::new(false));
    let stopped = stop.clone();
    ctrlc::set_handler(move || stopped.store(true, Ordering::Relaxed))?;
    Ok(stop)
}

/// What the engines are started with, beside their threads.
fn options(args: &Args) -> EngineOptions {
    EngineOptions::default()
        .ort(OrtOptions::default().library(args.ort_library.clone()))
        .openvino(args.openvino.options())
        .tract(TractOptions::default().plans(args.tract_plans))
}

/// The batches that every contender runs.
fn cases(args: &Args, models: &[Model]) -> Result<Vec<Case>> {
    if let Some(file) = &args.text {
        let first = model_file(&args.models[0])?;
        let folder = first.parent().unwrap_or(Path::new(""));
        let batches = args.batch.iter().map(|it| it.get());
        return batches
            .map(|batch| Ok(Case::text(file, folder, batch)?))
            .collect();
    }
    let vocabularies = models.iter().map(bench::vocabulary);
    let vocabularies = vocabularies.collect::<Result<Vec<_>, _>>()?;
    let vocabulary = vocabularies.into_iter().min().context("no model")?;
    let mut shapes = args.shapes.clone();
    if shapes.is_empty() {
        let batches = args.batch.iter();
        shapes = batches
            .flat_map(|batch| args.sequence.iter().map(|sequence| (*batch, *sequence)))
            .collect();
    }
    let shapes = shapes.into_iter();
    Ok(shapes
        .map(|(batch, sequence)| Case::random(batch.get(), sequence.get(), vocabulary))
        .collect())
}

/// What has no numbers, a line each.
fn failures(document: &Document) -> String {
    let line = |cell: &Cell| {
        let Some(error) = &cell.error else {
            return String::new();
        };
        format!("\n  {}, {}: {error}", cell.contender, cell.shape.label())
    };
    document.cells.iter().map(line).collect()
}

fn write(args: &Args, document: &Document) -> Result<()> {
    if let Some(path) = args.csv.as_deref() {
        write_file(path, bench::csv(document)?)?;
    }
    if let Some(path) = args.report.as_deref() {
        write_file(path, bench::html(document)?)?;
    }
    match args.json.as_deref() {
        Some(path) if path == Path::new("-") => {
            return output::json(document);
        }
        Some(path) => write_file(path, serde_json::to_vec_pretty(document)?)?,
        None => {}
    }
    output::text(table::text(document))
}
