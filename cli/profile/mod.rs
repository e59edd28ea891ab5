//! `nezha profile`: where the time of a model goes, operator by operator.

mod attention;
mod flame;
mod groups;
mod record;
mod table;

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result, bail};
use nezha_graphs::files::write_file;
use nezha_runtime::{
    EngineChoice, EngineKind, EngineOptions, Model, Profile, Session, SessionError, Tensors,
};

use groups::Groups;
use record::{Document, Method, Times};

use crate::bench::inputs::{self, Case};
use crate::bench::{machine, statistics};
use crate::engine::{EngineArgs, announce};
use crate::{output, texts};

/// Runs that don't count: memory and caches are made in them.
const WARM_UP: usize = 5;

/// Show where a model's time goes: by part of the model, by operator, and outside of all operators.
///
/// Runs a batch of random token ids with the engine's own profiling, which makes a run longer; the time
/// without it is told as well. Parts are those of the module path in a node's name. Any model with
/// BERT's inputs can be profiled.
#[derive(clap::Args)]
pub struct Args {
    /// The .onnx file.
    model: PathBuf,
    /// Texts in the batch.
    #[arg(long, value_name = "N", default_value = "1")]
    batch: NonZeroUsize,
    /// Tokens in each text.
    #[arg(long, value_name = "N", default_value = "128")]
    sequence: NonZeroUsize,
    /// Runs that the times are means of; 5 come before them.
    #[arg(long, value_name = "N", default_value = "20")]
    runs: NonZeroUsize,
    /// Operators to list.
    #[arg(long, value_name = "K", default_value_t = 15)]
    top: usize,
    /// One JSON document on standard output, with all operators.
    #[arg(long)]
    json: bool,
    /// Draw the parts and their operators, each as wide as its time.
    #[arg(long, value_name = "FILE.svg")]
    flame: Option<PathBuf>,
    #[command(flatten)]
    engine: EngineArgs,
}

/// Profiles and prints.
pub fn run(args: Args) -> Result<()> {
    let document = profile(&args)?;
    match args.json {
        true => output::json(&document)?,
        false => output::text(table::text(&document, args.top))?,
    }
    let Some(file) = &args.flame else {
        return Ok(());
    };
    let svg = flame::svg(&document)?;
    write_file(file, svg)?;
    output::note(format_args!("drawn to {}", file.display()));
    Ok(())
}

fn profile(args: &Args) -> Result<Document> {
    let model = Model::open(&args.model)?;
    let graph = model.proto().graph.as_ref().context("no graph")?;
    let (batch, sequence) = (args.batch.get(), args.sequence.get());
    let case = Case::random(batch, sequence, inputs::vocabulary(&model)?);
    let ids = case.batches.first().context("no batch")?;
    let inputs = texts::tensors(&model.signature().inputs, ids)?;
    let started = jiff::Timestamp::now().strftime("%FT%TZ").to_string();
    let machine = machine::describe();

    let options = args.engine.options();
    let session = Session::load(&args.model, &args.engine.engine, &options)?;
    announce(&session);
    let engine = session.engine().kind();
    let description = session.engine().description().to_owned();
    let plain: Vec<f64> = time(&session, &inputs, args.runs.get())?;
    drop(session);

    let folder = tempfile::tempdir().context("no temporary folder for the profile")?;
    let recorded = record(args, engine, options.of(engine), &inputs, folder.path())?;
    let rewritten = optimized(engine, folder.path()).filter(|it| it.exists());
    let rewritten = rewritten.map(Model::open).transpose()?;
    let rewritten = rewritten.as_ref().and_then(|it| it.proto().graph.as_ref());
    let times = Times::of(&recorded, &Groups::new(graph, rewritten), WARM_UP, engine);
    Ok(Document {
        schema: record::SCHEMA,
        nezha: env!("CARGO_PKG_VERSION"),
        started,
        machine,
        method: Method {
            model: args.model.display().to_string(),
            engine: engine.name(),
            description,
            batch,
            sequence,
            runs: recorded.runs.len() - WARM_UP,
            warm_up_runs: WARM_UP,
        },
        run_ms: times.run_ms,
        unprofiled_run_ms: statistics::median(&plain),
        groups: times.groups,
        unaccounted: times.unaccounted,
        operators: times.operators,
    })
}

/// Milliseconds of each run after the first few.
fn time(session: &Session, inputs: &Tensors, runs: usize) -> Result<Vec<f64>, SessionError> {
    let mut times = Vec::new();
    for _ in 0..WARM_UP + runs {
        let inputs = inputs.clone();
        let begin = Instant::now();
        session.run(inputs)?;
        times.push(1e3 * begin.elapsed().as_secs_f64());
    }
    Ok(times.split_off(WARM_UP))
}

/// Runs with profiling, in a session of its own.
fn record(
    args: &Args,
    engine: EngineKind,
    options: EngineOptions,
    inputs: &Tensors,
    folder: &Path,
) -> Result<Profile> {
    let ort = options.ort.clone();
    let options = options
        .profile(folder.join("profile"))
        .ort(ort.optimized_graph(optimized(engine, folder)));
    let session = Session::load(&args.model, &EngineChoice::Only(engine), &options)?;
    let runs = args.runs.get();
    time(&session, inputs, runs)?;
    let profile = session.end_profiling()?;
    let recorded = profile.runs.len();
    if recorded < WARM_UP + runs {
        bail!(
            "{engine} has recorded {recorded} of {} runs, as many as a profile of it holds: ask for \
             fewer with --runs",
            WARM_UP + runs
        );
    }
    Ok(profile)
}

/// Where an engine writes the graph as it rewrote it, if it does.
fn optimized(engine: EngineKind, folder: &Path) -> Option<PathBuf> {
    let writes = engine.spec().capabilities.writes_graph;
    writes.then(|| folder.join("optimized.onnx"))
}
