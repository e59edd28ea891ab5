use std::io;
use std::path::PathBuf;

/// Why a head of the user's own can't be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HeadSpecError {
    /// The file can't be read.
    #[error("{}: can't be read", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// It is not written as a spec is.
    #[error("line {line}, column {column}: {reason}")]
    Syntax {
        /// The line, from 1.
        line: usize,
        /// The column, from 1.
        column: usize,
        /// What was found, and what can be there.
        reason: String,
    },
    /// A field makes no sense, by itself or over this checkpoint.
    #[error("{field}: {reason}")]
    Field {
        /// The field, such as `outputs[0].steps[1].linear.module`.
        field: String,
        /// What is wrong with it, and what to do.
        reason: String,
        /// Why the tensor that it names can't be read, where that is what is wrong.
        source: Option<Box<dyn std::error::Error + Send + Sync>>,
    },
    /// The same, in a file.
    #[error("{}{}", path.display(), line.map_or(String::new(), |line| format!(", line {line}")))]
    InFile {
        /// The file.
        path: PathBuf,
        /// The line of the field, where the file has it.
        line: Option<usize>,
        /// Which field, and why.
        source: Box<HeadSpecError>,
    },
}
