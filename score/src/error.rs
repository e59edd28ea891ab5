use std::io;
use std::path::{Path, PathBuf};

use arrow_schema::ArrowError;
use nezha_graphs::files::FileError;
use nezha_runtime::{ModelError, PipelineError};
use parquet::errors::ParquetError;

/// Why a corpus isn't scored.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ScoreError {
    /// A file can't be read.
    #[error("{}: can't be read", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A file can't be written.
    #[error(transparent)]
    Write(#[from] FileError),
    /// A pattern of file names is none.
    #[error("'{pattern}': not a pattern of file names")]
    Pattern {
        /// The pattern.
        pattern: String,
        /// Where it ends to be one.
        source: glob::PatternError,
    },
    /// No file has such a name.
    #[error("'{pattern}': no such file")]
    NoFile {
        /// A path, or a pattern.
        pattern: String,
    },
    /// The inputs have no row.
    #[error("the inputs have no row")]
    NoRow,
    /// The ending of a file's name says nothing of what is in it.
    #[error(
        "{}: the name's ending is none of .parquet, .csv, .tsv and .jsonl, the last three also with \
         .gz or .zst",
        path.display()
    )]
    Ending {
        /// The file.
        path: PathBuf,
    },
    /// The inputs are of several kinds and the output's name doesn't say which of them it is.
    #[error(
        "{}: the inputs are of several kinds, and the ending says none for the output",
        path.display()
    )]
    OutputKind {
        /// The output.
        path: PathBuf,
    },
    /// A file is not what its name says.
    #[error("{}: {reason}", path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// Where in it, and what is wrong.
        reason: String,
    },
    /// A Parquet file is not sound.
    #[error("{}: not a Parquet file that can be read", path.display())]
    Parquet {
        /// The file.
        path: PathBuf,
        /// Why.
        source: ParquetError,
    },
    /// A table that can't be put together.
    #[error("the columns can't be put together")]
    Arrow(#[from] ArrowError),
    /// Two inputs differ in their columns.
    #[error("{}: {reason}", path.display())]
    Columns {
        /// The input that differs from those before it.
        path: PathBuf,
        /// In what.
        reason: String,
    },
    /// A column that is asked for is missing.
    #[error("{}: no column '{name}'; there are {}", path.display(), found.join(", "))]
    NoColumn {
        /// The file.
        path: PathBuf,
        /// The column.
        name: String,
        /// Those there are.
        found: Vec<String>,
    },
    /// A task takes another number of text columns.
    #[error("{task} reads {expected}, and {found} columns are given")]
    TextColumns {
        /// The task.
        task: &'static str,
        /// How many, and of what.
        expected: &'static str,
        /// How many there are.
        found: usize,
    },
    /// An answer's column has the name of one that is there.
    #[error("the column '{name}' is in the input and among the answers")]
    Clash {
        /// The column.
        name: String,
    },
    /// The output is there, and it is not known to be of this work.
    #[error("{}: exists", path.display())]
    Exists {
        /// The output.
        path: PathBuf,
    },
    /// There is no plan to work by.
    #[error("{}: there is no plan, so nothing has been begun here", path.display())]
    NoPlan {
        /// Where it would be.
        path: PathBuf,
    },
    /// The plan can't be read.
    #[error("{}: no plan of this version", path.display())]
    Plan {
        /// The plan.
        path: PathBuf,
        /// Why.
        source: serde_json::Error,
    },
    /// What was planned is not what there is now.
    #[error("{what}: planned with {planned}, now it is {now}")]
    Differs {
        /// Such as `the model`.
        what: String,
        /// What the plan says.
        planned: String,
        /// What there is.
        now: String,
    },
    /// Somebody else works here.
    #[error("{}: another run is at work here", path.display())]
    Busy {
        /// The work's folder.
        path: PathBuf,
    },
    /// A part that the plan has not.
    #[error("there is no part {part}: the plan has parts 0 to {last}")]
    NoPart {
        /// The part.
        part: usize,
        /// The last one of the plan.
        last: usize,
    },
    /// Parts are missing, or are not those of the plan.
    #[error("not all parts are there: {}", problems.join("; "))]
    Incomplete {
        /// What is missing or wrong.
        problems: Vec<String>,
    },
    /// A row has no answer, and the work was to stop then.
    #[error("row {row}: {reason}")]
    Row {
        /// Counted from 0 over all inputs.
        row: u64,
        /// Why.
        reason: String,
    },
    /// The model has no head that answers about text.
    #[error("{}: the head {head} has no task that answers about text", path.display())]
    Head {
        /// The model.
        path: PathBuf,
        /// What it computes.
        head: String,
    },
    /// Nothing says what the model is for.
    #[error("{}: no nezha-onnx metadata says what the model is for: name the task", path.display())]
    NoHead {
        /// The model.
        path: PathBuf,
    },
    /// The model can't be opened.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The model doesn't start, or the task makes no sense for it.
    #[error(transparent)]
    Pipeline(#[from] PipelineError),
}

impl ScoreError {
    /// For `map_err`, where a file can't be read.
    pub(crate) fn read(path: &Path) -> impl Fn(io::Error) -> Self {
        move |source| Self::Read {
            path: path.to_owned(),
            source,
        }
    }

    /// For `map_err`, where a file can't be written.
    pub(crate) fn write(path: &Path) -> impl Fn(io::Error) -> Self {
        move |source| FileError::write(path, source).into()
    }

    /// For `map_err`, where a Parquet file isn't sound.
    pub(crate) fn parquet(path: &Path) -> impl Fn(ParquetError) -> Self {
        move |source| Self::Parquet {
            path: path.to_owned(),
            source,
        }
    }
}
