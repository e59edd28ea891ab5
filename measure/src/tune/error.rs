use nezha_graphs::files::FileError;
use nezha_runtime::SessionError;
use nezha_verify::texts::TextsError;

use crate::bench::BenchError;

/// Why the fastest way to compute a model can't be found.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TuneError {
    /// There are no texts.
    #[error("no texts")]
    NoTexts,
    /// There is no model.
    #[error("no model")]
    NoModel,
    /// A model can't be started or run.
    #[error(transparent)]
    Session(#[from] SessionError),
    /// A model takes other inputs than texts.
    #[error(transparent)]
    Texts(#[from] TextsError),
    /// A model can't be scored.
    #[error("the labelled texts can't be scored")]
    Score(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// No measurement was finished.
    #[error("no measurement was finished")]
    NothingMeasured,
    /// The outputs of the benchmark can't be saved or read.
    #[error(transparent)]
    Bench(#[from] BenchError),
    /// The results can't be written as JSON: a number is not finite.
    #[error("the results can't be written as JSON")]
    Json(#[from] serde_json::Error),
    /// The file can't be written.
    #[error(transparent)]
    Write(#[from] FileError),
}
