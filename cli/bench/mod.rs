//! `nezha bench`: models in engines side by side, with how far their answers are apart.

mod agreement;
mod chart;
mod compare;
mod flop;
pub mod inputs;
pub mod machine;
mod matmul;
mod measure;
mod memory;
mod process;
mod protocol;
pub mod record;
mod report;
pub mod statistics;
pub mod table;
pub mod worker;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, Result, bail};
use indicatif::{ProgressBar, ProgressStyle};
use nezha_graphs::files::write_file;
use nezha_runtime::{EngineKind, EngineOptions, Model, OrtOptions, TractOptions};

use inputs::Case;
use measure::Runner;
use record::{Cell, Contender, ContenderKey, Document, Method};

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
pub struct Args {
    #[command(subcommand)]
    command: Option<Command>,
    /// The .onnx files; the first one in the first engine is what the others are compared with.
    #[arg(required = true)]
    models: Vec<PathBuf>,
    #[arg(
        long,
        value_name = "E,E",
        value_delimiter = ',',
        help = EngineKind::names(),
        default_value = "ort:cpu,tract"
    )]
    engines: Vec<EngineKind>,
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
    /// Single sizes, texts in a batch by tokens in each (1x16,8x128), in place of every --batch with
    /// every --sequence.
    #[arg(
        long,
        value_name = "BxN,BxN",
        value_delimiter = ',',
        value_parser = shape,
        conflicts_with_all = ["batch", "sequence", "text"]
    )]
    shapes: Vec<(NonZeroUsize, NonZeroUsize)>,
    /// Threads of a run; the engine's default where absent.
    #[arg(long, value_name = "N,N", value_delimiter = ',')]
    threads: Vec<NonZeroUsize>,
    /// Real texts, a line each, in place of random token ids of the --sequence lengths.
    ///
    /// The first model's folder has to hold the tokenizer.
    #[arg(long, value_name = "FILE", conflicts_with = "sequence")]
    text: Option<PathBuf>,
    /// Runs of each shape, where --seconds allow.
    #[arg(long, value_name = "N", default_value = "50")]
    runs: NonZeroUsize,
    /// Time for each shape in each contender, warm-up not counted; that takes as long at most.
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

fn seconds(text: &str) -> Result<f64, String> {
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
pub fn run(args: Args) -> Result<()> {
    if let Some(Command::Compare(args)) = args.command {
        return compare::run(args);
    }
    options(&args).check(&args.engines)?;
    let models: Vec<Model> = args
        .models
        .iter()
        .map(Model::open)
        .collect::<Result<_, _>>()?;
    let cases = cases(&args, &models)?;
    let stop = Arc::new(AtomicBool::new(false));
    let stopped = stop.clone();
    ctrlc::set_handler(move || stopped.store(true, Ordering::Relaxed))?;

    let mut document = Document {
        schema: record::SCHEMA.to_owned(),
        nezha: env!("CARGO_PKG_VERSION").to_owned(),
        started: jiff::Timestamp::now().strftime("%FT%TZ").to_string(),
        complete: false,
        machine: machine::describe(),
        method: Method {
            rounds: args.rounds.get(),
            runs: args.runs.get(),
            seconds: args.seconds,
            cpus: args.cpus.clone(),
            text: args.text.as_ref().map(|it| it.display().to_string()),
        },
        contenders: Vec::new(),
        cells: Vec::new(),
    };
    measure_all(&args, &models, &cases, &stop, &mut document)?;
    let failed = failures(&document);
    document.complete = failed.is_empty();
    write(&args, &document)?;
    if stop.load(Ordering::Relaxed) {
        bail!("stopped; without numbers:{failed}");
    }
    match failed.is_empty() {
        true => Ok(()),
        false => bail!("without numbers:{failed}"),
    }
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
        let folder = args.models[0].parent().unwrap_or(Path::new(""));
        let batches = args.batch.iter().map(|it| it.get());
        return batches
            .map(|batch| Case::text(file, folder, batch))
            .collect();
    }
    let vocabularies = models.iter().map(inputs::vocabulary);
    let vocabularies = vocabularies.collect::<Result<Vec<_>>>()?;
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

/// Those with the same number of threads run side by side, one number after the other.
fn measure_all(
    args: &Args,
    models: &[Model],
    cases: &[Case],
    stop: &AtomicBool,
    document: &mut Document,
) -> Result<()> {
    let threads: Vec<Option<usize>> = match args.threads.as_slice() {
        [] => vec![None],
        threads => threads.iter().map(|it| Some(it.get())).collect(),
    };
    let contenders = models.len() * args.engines.len();
    let turns = cases.len() * contenders * threads.len() * (1 + args.rounds.get());
    let bar = ProgressBar::new(turns as u64).with_style(
        ProgressStyle::with_template("{msg} {wide_bar} {pos}/{len} {eta}")
            .unwrap_or_else(|_| ProgressStyle::default_bar()),
    );
    for threads in threads {
        bar.set_message("loading");
        let mut runners = Vec::new();
        for model in models {
            for engine in &args.engines {
                let contender = contender(model, *engine, threads);
                runners.push(start(args, contender, model.path()));
            }
        }
        for case in cases {
            let cells = measure::shape(&mut runners, case, &document.method, stop, &bar)?;
            if let Some(cell) = cells.first() {
                bar.set_message(cell.shape.label());
            }
            document.cells.extend(cells);
        }
        if !stop.load(Ordering::Relaxed) {
            runners.iter_mut().for_each(Runner::finish);
        }
        let contenders = runners.into_iter().map(|it| it.contender);
        document.contenders.extend(contenders);
    }
    bar.finish_and_clear();
    Ok(())
}

fn contender(model: &Model, engine: EngineKind, threads: Option<usize>) -> Contender {
    let graph = model.proto().graph.as_ref();
    Contender {
        key: ContenderKey {
            model: model.path().display().to_string(),
            engine: engine.to_string(),
            threads,
        },
        model_bytes: model.path().metadata().map_or(0, |it| it.len()),
        flop_per_token: graph.map_or(0.0, flop::per_token),
        description: None,
        load_ms: None,
        first_answer_ms: None,
        matmul_flops: None,
        nodes: BTreeMap::new(),
        error: None,
    }
}

fn start(args: &Args, contender: Contender, model: &Path) -> Runner {
    let mut arguments: Vec<OsString> = vec![
        model.into(),
        "--engine".into(),
        contender.key.engine.clone().into(),
    ];
    if let Some(threads) = contender.key.threads {
        arguments.extend(["--threads".into(), threads.to_string().into()]);
    }
    if args.tract_plans > 0 {
        arguments.extend(["--tract-plans".into(), args.tract_plans.to_string().into()]);
    }
    if let Some(library) = &args.ort_library {
        arguments.extend(["--ort-library".into(), library.into()]);
    }
    arguments.extend(args.openvino.arguments());
    if !args.cpus.is_empty() {
        let cpus: Vec<String> = args.cpus.iter().map(usize::to_string).collect();
        arguments.extend(["--cpus".into(), cpus.join(",").into()]);
    }
    Runner::start(contender, arguments)
}

/// What has no numbers, a line each.
fn failures(document: &Document) -> String {
    let line = |cell: &Cell| {
        let Some(error) = &cell.error else {
            return String::new();
        };
        format!(
            "\n  {}, {}: {error}",
            table::name(&cell.contender),
            cell.shape.label()
        )
    };
    document.cells.iter().map(line).collect()
}

fn write(args: &Args, document: &Document) -> Result<()> {
    if let Some(path) = args.csv.as_deref() {
        write_file(path, table::csv(document)?)?;
    }
    if let Some(path) = args.report.as_deref() {
        write_file(path, report::html(document)?)?;
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
