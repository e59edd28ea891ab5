use std::io;
use std::path::PathBuf;

use nezha_graphs::files::FileError;
use nezha_runtime::{SessionError, TensorsFileError};
use nezha_verify::texts::TextsError;

/// Why there is no benchmark.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BenchError {
    /// Nothing is to be measured.
    #[error("no model")]
    NoModel,
    /// Nothing says which token ids a model knows.
    #[error(
        "{}: no embedding table is gathered from, so its vocabulary is unknown",
        path.display()
    )]
    NoVocabulary {
        /// The model.
        path: PathBuf,
    },
    /// The texts can't be made token ids.
    #[error(transparent)]
    Texts(#[from] TextsError),
    /// There are fewer texts than a batch takes.
    #[error("{}: {lines} lines with text, too few for a batch of {batch}", path.display())]
    TooFewTexts {
        /// The file of texts.
        path: PathBuf,
        /// How many it has.
        lines: usize,
        /// How many a batch takes.
        batch: usize,
    },
    /// There is no place for the answers.
    #[error("no temporary folder for the answers")]
    TemporaryFolder {
        /// What the system says.
        source: io::Error,
    },
    /// An answer can't be read back.
    #[error(transparent)]
    Answer(#[from] TensorsFileError),
}

/// Why a contender has no numbers.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WorkerError {
    /// There is no place for what a worker says on standard error.
    #[error("no temporary file for what a worker says")]
    TemporaryFile {
        /// What the system says.
        source: io::Error,
    },
    /// The process does not start.
    #[error("the worker does not start")]
    Start {
        /// What the system says.
        source: io::Error,
    },
    /// The process can't be waited for.
    #[error("the worker's end is unknown")]
    Wait {
        /// What the system says.
        source: io::Error,
    },
    /// What it was asked, or says, is not of the protocol.
    #[error("the worker does not speak the protocol")]
    Malformed(#[from] serde_json::Error),
    /// It answers another question.
    #[error("the worker answered something else than it was asked")]
    OutOfTurn,
    /// It can't do what it was asked.
    #[error("{0}")]
    Failed(String),
    /// The process ended.
    #[error("{0}")]
    Dead(String),
    /// It was stopped before there were numbers.
    #[error("stopped")]
    Stopped,
}

/// Why a worker ends before its work is done, or does not do what it was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// A processor that no machine has.
    #[error("there is no processor {cpu}")]
    NoProcessor {
        /// Its number.
        cpu: usize,
    },
    /// The system does not let it run on these processors.
    #[error("can't run on processors {cpus:?}")]
    Processors {
        /// Their numbers.
        cpus: Vec<usize>,
        /// What the system says.
        source: io::Error,
    },
    /// Only Linux lets a process choose its processors.
    #[error("processors can be chosen on Linux only")]
    NotLinux,
    /// A request can't be read, or a reply not written.
    #[error("no connection to the process that asks")]
    Connection(#[from] io::Error),
    /// A request is not of the protocol.
    #[error("malformed request")]
    Malformed(#[from] serde_json::Error),
    /// The engine does not answer.
    #[error(transparent)]
    Session(#[from] SessionError),
    /// A batch can't be made what the model takes.
    #[error(transparent)]
    Texts(#[from] TextsError),
    /// An answer can't be kept.
    #[error(transparent)]
    Answer(#[from] TensorsFileError),
    /// There is no place for a profile or a model.
    #[error("no temporary folder for {purpose}")]
    TemporaryFolder {
        /// What it is for.
        purpose: &'static str,
        /// What the system says.
        source: io::Error,
    },
    /// A model can't be written.
    #[error(transparent)]
    Write(#[from] FileError),
    /// There is nothing to run.
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
    #[error("not rows of comma-separated values")]
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
        /// What the system says.
        source: io::Error,
    },
    /// It holds something else.
    #[error("{}: not JSON", path.display())]
    Json {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: serde_json::Error,
    },
    /// It is of another kind or version.
    #[error("{}: its schema is {found}, expected \"{}\"", path.display(), super::SCHEMA)]
    Schema {
        /// The file.
        path: PathBuf,
        /// Its schema.
        found: String,
    },
    /// It lacks what a benchmark has.
    #[error("{}: not a benchmark", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: serde_json::Error,
    },
}
