//! Where the time of a model goes: by part of the model, by operator, and outside all operators.
//!
//! [`profile`] runs a batch with and without the engine's own profiling. A node's part is found by
//! the module path in its name; inside attention, by what the node computes.

mod attention;
mod error;
mod flame;
mod groups;
mod part;
mod record;

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::Instant;

use nezha_runtime::{EngineKind, EngineOptions, Model, Profile, Session, SessionError, Tensors};
use nezha_verify::texts;

pub use error::ProfileError;
pub use flame::flame_graph;
pub use part::Group;
pub use record::{Document, GroupTime, Method, OperatorTime, SCHEMA, Time};

use crate::bench::{Case, vocabulary};
use crate::machine::{Machine, now};
use crate::statistics;
use groups::Groups;
use record::Times;

/// Runs that don't count, because memory and caches are set up in them.
const WARM_UP: usize = 5;

/// What is run, and how often.
#[derive(Clone, Debug)]
pub struct Request<'r> {
    /// The `.onnx` file.
    pub model: &'r Path,
    /// Texts in the batch.
    pub batch: NonZeroUsize,
    /// Tokens of each text, which are random.
    pub sequence: NonZeroUsize,
    /// Runs that the times are means of; a few more precede them as warm-up.
    pub runs: NonZeroUsize,
    /// The options that the profiled session was started with.
    pub options: &'r EngineOptions,
}

/// Profiles the model in the engine of `session`, which has loaded it without profiling.
///
/// # Errors
/// [`ProfileError`].
pub fn profile(request: &Request, session: Session) -> Result<Document, ProfileError> {
    let model = Model::open(request.model)?;
    let graph = model.proto().graph.as_ref();
    let graph = graph.ok_or_else(|| ProfileError::NoGraph {
        path: request.model.to_owned(),
    })?;
    let (batch, sequence) = (request.batch.get(), request.sequence.get());
    let case = Case::random(batch, sequence, vocabulary(&model)?);
    let ids = case.batches.concat();
    let inputs = texts::tensors(&model.signature().inputs, &ids)?;
    let (started, machine) = (now(), Machine::describe());

    let engine = session.engine().kind();
    let description = session.engine().description().to_owned();
    let plain: Vec<f64> = time(&session, &inputs, request.runs.get())?;
    drop(session);

    let folder = tempfile::tempdir().map_err(|source| ProfileError::TemporaryFolder { source })?;
    let recorded = record(request, engine, &inputs, folder.path())?;
    let rewritten = optimized(engine, folder.path()).filter(|it| it.exists());
    let rewritten = rewritten.map(Model::open).transpose()?;
    let rewritten = rewritten.as_ref().and_then(|it| it.proto().graph.as_ref());
    let times = Times::of(&recorded, &Groups::new(graph, rewritten), WARM_UP, engine);
    Ok(Document {
        schema: SCHEMA,
        nezha: env!("CARGO_PKG_VERSION"),
        started,
        machine,
        method: Method {
            model: request.model.display().to_string(),
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

/// The milliseconds of each run after the warm-up.
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
    request: &Request,
    engine: EngineKind,
    inputs: &Tensors,
    folder: &Path,
) -> Result<Profile, ProfileError> {
    let options = request.options.of(engine);
    let ort = options.ort.clone();
    let options = options
        .profile(folder.join("profile"))
        .ort(ort.optimized_graph(optimized(engine, folder)));
    let session = Session::builder()
        .engine(engine)
        .engine_options(options.clone())
        .load(request.model)?;
    let runs = request.runs.get();
    time(&session, inputs, runs)?;
    let profile = session.end_profiling().map_err(SessionError::from)?;
    let recorded = profile.runs.len();
    if recorded < WARM_UP + runs {
        return Err(ProfileError::TooManyRuns {
            engine,
            recorded,
            runs: WARM_UP + runs,
        });
    }
    Ok(profile)
}

/// Where an engine writes the graph that it has rewritten, if it can.
fn optimized(engine: EngineKind, folder: &Path) -> Option<PathBuf> {
    let writes = engine.spec().capabilities.writes_graph;
    writes.then(|| folder.join("optimized.onnx"))
}
