use nezha_graphs::files::FileError;
use nezha_runtime::SessionError;
use nezha_verify::texts::TextsError;

use crate::bench::BenchError;

/// Why the fastest way to compute a model is not known.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TuneError {
    /// There is nothing to ask.
    #[error("no texts")]
    NoTexts,
    /// There is nothing to measure.
    #[error("no model")]
    NoModel,
    /// A model can't be started or asked.
    #[error(transparent)]
    Session(#[from] SessionError),
    /// A model takes other inputs than texts.
    #[error(transparent)]
    Texts(#[from] TextsError),
    /// A model can't be scored.
    #[error("the labelled texts can't be scored")]
    Score(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// Nothing was measured to the end.
    #[error("nothing was measured to the end")]
    NothingMeasured,
    /// The benchmark has no room.
    #[error(transparent)]
    Bench(#[from] BenchError),
    /// What was measured can't be written as JSON: a number is none.
    #[error("what was measured is no JSON")]
    Json(#[from] serde_json::Error),
    /// The file system refuses.
    #[error(transparent)]
    Write(#[from] FileError),
}
