use std::io;
use std::path::PathBuf;

use nezha_graphs::files::FileError;
use nezha_runtime::{SessionError, TensorsFileError};
use nezha_verify::texts::TextsError;

/// Why a benchmark can't run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BenchError {
    /// There is no model to measure.
    #[error("no model")]
    NoModel,
    /// The size of a model's vocabulary is unknown.
    #[error(
        "{}: no node reads an embedding table, so the size of the vocabulary is unknown",
        path.display()
    )]
    NoVocabulary {
        /// The model.
        path: PathBuf,
    },
    /// The texts can't be made token ids.
    #[error(transparent)]
    Texts(#[from] TextsError),
    /// The file has fewer texts than a batch.
    #[error("{}: {lines} lines with text, too few for a batch of {batch}", path.display())]
    TooFewTexts {
        /// The file of texts.
        path: PathBuf,
        /// How many texts it has.
        lines: usize,
        /// How many texts a batch has.
        batch: usize,
    },
    /// No temporary folder can be created for the outputs.
    #[error("no temporary folder can be created for the outputs")]
    TemporaryFolder {
        /// The system's message.
        source: io::Error,
    },
    /// Saved outputs can't be read.
    #[error(transparent)]
    Answer(#[from] TensorsFileError),
}

/// Why a contender has no numbers.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WorkerError {
    /// No temporary file can be created for the worker's standard error.
    #[error("no temporary file can be created for the worker's messages")]
    TemporaryFile {
        /// The system's message.
        source: io::Error,
    },
    /// The process can't be started.
    #[error("the worker can't be started")]
    Start {
        /// The system's message.
        source: io::Error,
    },
    /// The exit status of the process can't be read.
    #[error("the worker's exit status can't be read")]
    Wait {
        /// The system's message.
        source: io::Error,
    },
    /// A request or a reply doesn't follow the protocol.
    #[error("the worker's reply doesn't follow the protocol")]
    Malformed(#[from] serde_json::Error),
    /// The reply belongs to another request.
    #[error("the worker's reply belongs to another request")]
    OutOfTurn,
    /// The worker can't do what was requested.
    #[error("{0}")]
    Failed(String),
    /// The process ended.
    #[error("{0}")]
    Dead(String),
    /// The benchmark was stopped before there were numbers.
    #[error("stopped")]
    Stopped,
}

/// Why a worker ends early, or can't do what was requested.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// The machine has no such processor.
    #[error("there is no processor {cpu}")]
    NoProcessor {
        /// The processor's number.
        cpu: usize,
    },
    /// The system doesn't let the worker run on these processors.
    #[error("can't run on processors {cpus:?}")]
    Processors {
        /// The processors' numbers.
        cpus: Vec<usize>,
        /// The system's message.
        source: io::Error,
    },
    /// Processors can be chosen only on Linux.
    #[error("processors can be chosen on Linux only")]
    NotLinux,
    /// A request can't be read, or a reply can't be written.
    #[error("no connection to the process that asks")]
    Connection(#[from] io::Error),
    /// A request doesn't follow the protocol.
    #[error("malformed request")]
    Malformed(#[from] serde_json::Error),
    /// The engine fails.
    #[error(transparent)]
    Session(#[from] SessionError),
    /// A batch can't be made inputs of the model.
    #[error(transparent)]
    Texts(#[from] TextsError),
    /// Outputs can't be saved.
    #[error(transparent)]
    Answer(#[from] TensorsFileError),
    /// No temporary folder can be created for a profile or a model.
    #[error("no temporary folder for {purpose}")]
    TemporaryFolder {
        /// What it is for.
        purpose: &'static str,
        /// The system's message.
        source: io::Error,
    },
    /// A model can't be written.
    #[error(transparent)]
    Write(#[from] FileError),
    /// There is no batch to run.
    #[error("no batch")]
    NoBatch,
}

/// Why a benchmark can't be shown.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReportError {
    /// A chart can't be drawn.
    #[error("can't draw '{title}': {reason}")]
    Chart {
        /// Its title.
        title: String,
        /// What is wrong.
        reason: String,
    },
    /// The rows can't be written.
    #[error("the benchmark can't be written as CSV")]
    Csv(#[from] csv::Error),
}

/// Why a saved benchmark can't be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The file can't be read.
    #[error("{}: can't be read", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's message.
        source: io::Error,
    },
    /// The file isn't JSON.
    #[error("{}: not JSON", path.display())]
    Json {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: serde_json::Error,
    },
    /// The file has another schema, or another version of it.
    #[error("{}: its schema is {found}, expected \"{}\"", path.display(), super::SCHEMA)]
    Schema {
        /// The file.
        path: PathBuf,
        /// Its schema.
        found: String,
    },
    /// The file lacks a part of a benchmark.
    #[error("{}: not a benchmark", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: serde_json::Error,
    },
}
