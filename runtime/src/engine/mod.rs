//! What computes a graph: one trait, one file per engine, and the choice between them.

mod choice;
#[cfg(feature = "ort")]
mod ort;
#[cfg(feature = "ort")]
mod pool;
#[cfg(feature = "tract")]
mod tract;

use std::num::NonZeroUsize;
use std::path::PathBuf;

use nezha_graphs::DType;

pub use choice::{EngineChoice, EngineKind, UnknownEngine};

#[cfg(feature = "ort")]
use crate::OrtLibraryError;
use crate::{Model, Tensors};

/// A model, ready to compute.
pub trait Engine: Send + Sync {
    /// Which engine it is.
    fn kind(&self) -> EngineKind;

    /// What computes, for people: `ONNX Runtime 1.31.1 (CPU)`.
    fn description(&self) -> &str;

    /// Computes all outputs, in the graph's order, from exactly the graph's inputs.
    ///
    /// Threads may share an engine. Inputs are taken to fit the graph's signature:
    /// [`Session`](crate::Session) checks them.
    ///
    /// # Errors
    /// [`EngineError::Run`], or [`EngineError::Output`] where the engine gives what the signature
    /// doesn't say.
    fn run(&self, inputs: &Tensors) -> Result<Tensors, EngineError>;
}

/// How an engine is started.
#[derive(Clone, Debug)]
pub struct EngineOptions {
    /// Threads that share one run in ONNX Runtime; `None` for one per physical core.
    ///
    /// tract computes a run on the thread that calls it.
    pub threads: Option<NonZeroUsize>,
    /// Runs that ONNX Runtime may compute at the same time; more callers wait their turn.
    ///
    /// Each is a session of its own with its own copy of the weights. tract takes any number.
    pub sessions: NonZeroUsize,
    /// How far ONNX Runtime rewrites the graph; tract always optimises.
    pub optimization: Optimization,
    /// The ONNX Runtime library to load, or the folder that holds it.
    pub ort_library: Option<PathBuf>,
}

impl Default for EngineOptions {
    fn default() -> Self {
        Self {
            threads: None,
            sessions: NonZeroUsize::MIN,
            optimization: Optimization::default(),
            ort_library: None,
        }
    }
}

/// ONNX Runtime's graph optimisation levels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Optimization {
    /// The graph as it is.
    None,
    /// Constants folded, redundant nodes removed.
    Basic,
    /// Fusions too.
    Extended,
    /// Everything.
    #[default]
    All,
}

/// Why an engine doesn't start or doesn't answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EngineError {
    /// The engine was left out when the program was built.
    #[error("{engine} is not in this build: build with the feature '{feature}'")]
    NotBuilt {
        /// The engine.
        engine: EngineKind,
        /// The feature of this crate that has it.
        feature: &'static str,
    },
    /// There is no ONNX Runtime to load.
    #[cfg(feature = "ort")]
    #[error("{engine} can't start: {source}")]
    Library {
        /// The engine.
        engine: EngineKind,
        /// What was tried.
        source: OrtLibraryError,
    },
    /// A process can only ever load one ONNX Runtime.
    #[error(
        "{engine} can't start: this process has loaded the ONNX Runtime {}; {} needs a process of \
         its own",
        loaded.display(), requested.display()
    )]
    OtherLibrary {
        /// The engine.
        engine: EngineKind,
        /// The library that is loaded.
        loaded: PathBuf,
        /// The library that was asked for.
        requested: PathBuf,
    },
    /// The engine can't be set up.
    #[error("{engine} can't start: {reason}")]
    Start {
        /// The engine.
        engine: EngineKind,
        /// What it says.
        reason: String,
    },
    /// The engine refuses the model.
    #[error("{engine} can't load {}: {reason}", path.display())]
    Load {
        /// The engine.
        engine: EngineKind,
        /// The model.
        path: PathBuf,
        /// What it says.
        reason: String,
    },
    /// Nothing that was asked for starts.
    #[error("no engine starts:{}", lines(.0))]
    NoneStarts(
        /// What was tried, in order.
        Vec<Skipped>,
    ),
    /// A run failed.
    #[error("{engine} failed: {reason}")]
    Run {
        /// The engine.
        engine: EngineKind,
        /// What it says.
        reason: String,
    },
    /// An output is missing, or of another element type than the signature says.
    #[error("{engine} gives output '{name}' as {found}, expected {expected}")]
    Output {
        /// The engine.
        engine: EngineKind,
        /// The output.
        name: String,
        /// The element type in the signature.
        expected: DType,
        /// What the engine gives.
        found: String,
    },
}

/// An engine that was tried before the one that runs.
#[derive(Debug)]
pub struct Skipped {
    /// The engine.
    pub engine: EngineKind,
    /// Why it doesn't run; names the engine.
    pub error: EngineError,
}

fn lines(skipped: &[Skipped]) -> String {
    skipped
        .iter()
        .map(|it| format!("\n  {}", it.error))
        .collect()
}

/// The engine that runs, and those that were tried before it.
pub(crate) struct Started {
    pub(crate) engine: Box<dyn Engine>,
    pub(crate) skipped: Vec<Skipped>,
}

/// Starts the first engine of `choice` that can run `model`.
///
/// Only a list or `auto` goes on to the next engine; a single one's error is the answer.
pub(crate) fn start(
    model: &Model,
    choice: &EngineChoice,
    options: &EngineOptions,
) -> Result<Started, EngineError> {
    let mut skipped = Vec::new();
    for engine in choice.candidates().iter().copied() {
        match start_one(model, engine, options) {
            Ok(engine) => return Ok(Started { engine, skipped }),
            Err(error) if matches!(choice, EngineChoice::Only(_)) => return Err(error),
            Err(error) => skipped.push(Skipped { engine, error }),
        }
    }
    Err(EngineError::NoneStarts(skipped))
}

fn start_one(
    model: &Model,
    kind: EngineKind,
    #[cfg_attr(not(feature = "ort"), allow(unused, reason = "tract has no options"))]
    options: &EngineOptions,
) -> Result<Box<dyn Engine>, EngineError> {
    match kind {
        #[cfg(feature = "tract")]
        EngineKind::Tract => Ok(Box::new(tract::TractEngine::load(model)?)),
        #[cfg(not(feature = "tract"))]
        EngineKind::Tract => not_built(kind, "tract"),
        #[cfg(feature = "ort")]
        _ => Ok(Box::new(ort::OrtEngine::load(model, kind, options)?)),
        #[cfg(not(feature = "ort"))]
        _ => not_built(kind, "ort"),
    }
}

#[cfg(not(all(feature = "ort", feature = "tract")))]
fn not_built(engine: EngineKind, feature: &'static str) -> Result<Box<dyn Engine>, EngineError> {
    Err(EngineError::NotBuilt { engine, feature })
}
