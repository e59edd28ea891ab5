use std::io;
use std::path::PathBuf;

use nezha_runtime::{EngineKind, ModelError, SessionError};
use nezha_verify::texts::TextsError;

use crate::bench::BenchError;

/// Why there is no profile.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProfileError {
    /// The model, or the graph that an engine has made of it, can't be opened.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// There is no graph in it.
    #[error("{}: no graph", path.display())]
    NoGraph {
        /// The model.
        path: PathBuf,
    },
    /// No batch can be made for it.
    #[error(transparent)]
    Inputs(#[from] BenchError),
    /// The batch can't be made what it takes.
    #[error(transparent)]
    Texts(#[from] TextsError),
    /// The engine does not start, or does not answer.
    #[error(transparent)]
    Session(#[from] SessionError),
    /// There is no place for what the engine records.
    #[error("no temporary folder for the profile")]
    TemporaryFolder {
        /// What the system says.
        source: io::Error,
    },
    /// The engine records fewer runs than there were.
    #[error(
        "{engine} has recorded {recorded} of {runs} runs, as many as a profile of it holds: ask for \
         fewer"
    )]
    TooManyRuns {
        /// The engine.
        engine: EngineKind,
        /// The runs in its profile.
        recorded: usize,
        /// The runs that there were, those that do not count among them.
        runs: usize,
    },
    /// Nothing can be drawn.
    #[error("can't draw the flame graph")]
    Flame {
        /// What is wrong.
        source: io::Error,
    },
}
