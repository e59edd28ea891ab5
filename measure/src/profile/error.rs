use std::io;
use std::path::PathBuf;

use nezha_runtime::{EngineKind, ModelError, SessionError};
use nezha_verify::texts::TextsError;

use crate::bench::BenchError;

/// Why a model can't be profiled.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProfileError {
    /// The model, or the graph that an engine has rewritten, can't be opened.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The model has no graph.
    #[error("{}: no graph", path.display())]
    NoGraph {
        /// The model.
        path: PathBuf,
    },
    /// No batch can be made for the model.
    #[error(transparent)]
    Inputs(#[from] BenchError),
    /// The batch can't be made inputs of the model.
    #[error(transparent)]
    Texts(#[from] TextsError),
    /// The engine can't be started, or fails.
    #[error(transparent)]
    Session(#[from] SessionError),
    /// No temporary folder can be created for the engine's record.
    #[error("no temporary folder for the profile")]
    TemporaryFolder {
        /// The system's message.
        source: io::Error,
    },
    /// The engine has recorded fewer runs than there were.
    #[error(
        "{engine} has recorded {recorded} of {runs} runs, as many as a profile of it holds: ask for \
         fewer"
    )]
    TooManyRuns {
        /// The engine.
        engine: EngineKind,
        /// The runs in its profile.
        recorded: usize,
        /// All runs, including the warm-up.
        runs: usize,
    },
    /// The flame graph can't be drawn.
    #[error("can't draw the flame graph")]
    Flame {
        /// What is wrong.
        source: io::Error,
    },
}
