use std::io;
use std::path::{Path, PathBuf};

use arrow_schema::ArrowError;
use nezha_graphs::files::FileError;
use nezha_runtime::{ModelError, PipelineError};
use parquet::errors::ParquetError;

/// Why a corpus can't be scored.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ScoreError {
    /// A file can't be read.
    #[error("{}: can't be read", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's message.
        source: io::Error,
    },
    /// A file can't be written.
    #[error(transparent)]
    Write(#[from] FileError),
    /// A pattern of file names is invalid.
    #[error("'{pattern}': not a pattern of file names")]
    Pattern {
        /// The pattern.
        pattern: String,
        /// Where in the pattern, and why.
        source: glob::PatternError,
    },
    /// No file matches.
    #[error("'{pattern}': no such file")]
    NoFile {
        /// The path or the pattern.
        pattern: String,
    },
    /// The inputs have no row.
    #[error("the inputs have no row")]
    NoRow,
    /// The ending of a file's name tells no kind of file.
    #[error(
        "{}: expected a name that ends with .parquet, .csv, .tsv or .jsonl; .gz or .zst may follow \
         the last three",
        path.display()
    )]
    Ending {
        /// The file.
        path: PathBuf,
    },
    /// The inputs are of several kinds, and the output's name doesn't tell its own kind.
    #[error(
        "{}: the inputs have several formats, so the format of the output must be named, or the \
         ending of its name must say it",
        path.display()
    )]
    OutputKind {
        /// The output.
        path: PathBuf,
    },
    /// A file's content doesn't fit its name.
    #[error("{}: {reason}", path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// Where in it, and what is wrong.
        reason: String,
    },
    /// A Parquet file can't be read.
    #[error("{}: not a Parquet file that can be read", path.display())]
    Parquet {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: ParquetError,
    },
    /// The columns can't form a table.
    #[error("the columns can't be put together")]
    Arrow(#[from] ArrowError),
    /// Inputs have different columns.
    #[error("{}: {reason}", path.display())]
    Columns {
        /// The input that differs from those before it.
        path: PathBuf,
        /// The difference.
        reason: String,
    },
    /// A requested column is missing.
    #[error("{}: no column '{name}'; there are {}", path.display(), found.join(", "))]
    NoColumn {
        /// The file.
        path: PathBuf,
        /// The column.
        name: String,
        /// The columns that there are.
        found: Vec<String>,
    },
    /// A task takes another number of text columns.
    #[error("{task} reads {expected}, and {found} columns are given")]
    TextColumns {
        /// The task.
        task: &'static str,
        /// What the task reads.
        expected: &'static str,
        /// How many columns were given.
        found: usize,
    },
    /// A column of answers has the name of an input's column.
    #[error("the column '{name}' is in the input and among the answers")]
    Clash {
        /// The column.
        name: String,
    },
    /// The output exists, and nothing shows that it belongs to this work.
    #[error("{}: exists", path.display())]
    Exists {
        /// The output.
        path: PathBuf,
    },
    /// There is no plan to work on.
    #[error("{}: there is no plan; make one first", path.display())]
    NoPlan {
        /// Where the plan would be.
        path: PathBuf,
    },
    /// The plan can't be read.
    #[error("{}: expected a plan of this version, found something else", path.display())]
    Plan {
        /// The plan.
        path: PathBuf,
        /// Why.
        source: serde_json::Error,
    },
    /// Something has changed since the plan was made.
    #[error("{what}: planned with {planned}, now it is {now}")]
    Differs {
        /// What has changed, such as `the model`.
        what: String,
        /// What the plan says.
        planned: String,
        /// What was found now.
        now: String,
    },
    /// Another run works on this output.
    #[error("{}: another run is using this folder; wait until it ends", path.display())]
    Busy {
        /// The work's folder.
        path: PathBuf,
    },
    /// The plan has no such part.
    #[error("there is no part {part}: the plan has parts 0 to {last}")]
    NoPart {
        /// The part.
        part: usize,
        /// The last one of the plan.
        last: usize,
    },
    /// Parts are missing, or don't belong to the plan.
    #[error("not all parts are there: {}", problems.join("; "))]
    Incomplete {
        /// What is missing or wrong.
        problems: Vec<String>,
    },
    /// A row can't be answered, and the work stops at the first error.
    #[error("row {row}: {reason}")]
    Row {
        /// The row's number, from 0 over all inputs.
        row: u64,
        /// Why it can't be answered.
        reason: String,
    },
    /// No task decodes the model's head.
    #[error("{}: the head {head} has no task that answers about text", path.display())]
    Head {
        /// The model.
        path: PathBuf,
        /// The model's head.
        head: String,
    },
    /// The model doesn't say its head.
    #[error("{}: no nezha-onnx metadata says what the model is for: name the task", path.display())]
    NoHead {
        /// The model.
        path: PathBuf,
    },
    /// The model can't be opened.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The model can't be started, or the task doesn't suit it.
    #[error(transparent)]
    Pipeline(#[from] PipelineError),
}

impl ScoreError {
    /// For `map_err`, if a file can't be read.
    pub(crate) fn read(path: &Path) -> impl Fn(io::Error) -> Self {
        move |source| Self::Read {
            path: path.to_owned(),
            source,
        }
    }

    /// For `map_err`, if a file can't be written.
    pub(crate) fn write(path: &Path) -> impl Fn(io::Error) -> Self {
        move |source| FileError::write(path, source).into()
    }

    /// For `map_err`, if a Parquet file can't be read or written.
    pub(crate) fn parquet(path: &Path) -> impl Fn(ParquetError) -> Self {
        move |source| Self::Parquet {
            path: path.to_owned(),
            source,
        }
    }
}
