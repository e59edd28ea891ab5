use std::io;
use std::path::PathBuf;

/// Why a head of the user's own can't be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HeadSpecError {
    /// The file can't be read.
    #[error("{}: can't be read", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The operating system's error.
        source: io::Error,
    },
    /// The text is not a valid spec.
    #[error("line {line}, column {column}: {reason}")]
    Syntax {
        /// The line, from 1.
        line: usize,
        /// The column, from 1.
        column: usize,
        /// What was found, and what was expected.
        reason: String,
    },
    /// A field is invalid, by itself or for this checkpoint.
    #[error("{field}: {reason}")]
    Field {
        /// The field, such as `outputs[0].steps[1].linear.module`.
        field: String,
        /// What is wrong with it, and what to do.
        reason: String,
        /// Why the tensor that the field names can't be read, if that is the reason.
        source: Option<Box<dyn std::error::Error + Send + Sync>>,
    },
    /// An error in a file.
    #[error("{}{}", path.display(), line.map_or(String::new(), |line| format!(", line {line}")))]
    InFile {
        /// The file.
        path: PathBuf,
        /// The line of the field, if the file has it.
        line: Option<usize>,
        /// The error.
        source: Box<HeadSpecError>,
    },
}
