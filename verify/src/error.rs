use std::io;
use std::path::PathBuf;

use nezha_exporter::ExportError;
use nezha_exporter::reference::ReferenceError;
use nezha_exporter::verify::VerifyError;
use nezha_runtime::{EngineError, ModelError, SessionError, TensorError};

use crate::texts::TextsError;

/// Why an artifact can't be verified.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VerificationError {
    /// The artifact can't be compared with the checkpoint, or the result can't be written.
    #[error(transparent)]
    Artifact(#[from] VerifyError),
    /// An option is for none of the engines.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// A named engine can't be started.
    #[error(transparent)]
    Session(#[from] SessionError),
    /// No engine is named, and none can be started.
    #[error("no engine starts that could verify the model: {}", reasons.join("; "))]
    NoEngine {
        /// Why each of them can't be started.
        reasons: Vec<String>,
    },
    /// The reference fails in a case.
    #[error("the reference failed in the case '{case}'")]
    Reference {
        /// The case.
        case: &'static str,
        /// Why.
        source: ReferenceError,
    },
}

/// Why an output can't be compared.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AnswerError {
    /// The engine fails.
    #[error(transparent)]
    Session(#[from] SessionError),
    /// An output is missing, or of another element type.
    #[error(transparent)]
    Tensor(#[from] TensorError),
    /// The reference doesn't have the output.
    #[error("the reference has no output '{name}'")]
    NoReference {
        /// The output.
        name: String,
    },
}

/// Why an artifact can't be compared with single precision.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AgreementError {
    /// The artifact can't be opened.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The artifact has no metadata that says what it computes.
    #[error("{}: no metadata", path.display())]
    NoMetadata {
        /// The artifact.
        path: PathBuf,
    },
    /// No temporary folder can be created for the graph in single precision.
    #[error("no temporary folder for fp32")]
    TemporaryFolder {
        /// The system's message.
        source: io::Error,
    },
    /// The graph in single precision can't be exported.
    #[error(transparent)]
    Export(#[from] ExportError),
    /// An engine can't be started, or fails.
    #[error(transparent)]
    Session(#[from] SessionError),
    /// The texts can't be made inputs of the model.
    #[error(transparent)]
    Texts(#[from] TextsError),
    /// The file of texts has none.
    #[error("{}: no line has text", path.display())]
    NoText {
        /// The file.
        path: PathBuf,
    },
    /// The report can't be written.
    #[error(transparent)]
    Write(#[from] VerifyError),
}
