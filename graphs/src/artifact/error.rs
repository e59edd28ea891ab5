use std::io;
use std::path::{Path, PathBuf};

use super::packed::MOST_PARTS;
use crate::files::FileError;

/// Why files are no artifact, or can't become one.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ArtifactError {
    /// A file or a folder can't be read.
    #[error("{}: can't be read", name(path))]
    Read {
        /// The file or folder.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The bytes are no zip archive, or one that was cut short.
    #[error("{}: not a packed model, or cut short: {reason}", name(path))]
    Container {
        /// The packed file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// The list of parts is missing or broken: a zip archive of another kind.
    #[error("{}: its list of parts can't be used: {reason}", name(path))]
    Manifest {
        /// The packed file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// More parts than any model has.
    #[error("{}: {found} parts, more than {MOST_PARTS}", name(path))]
    TooMany {
        /// The folder or the packed file.
        path: PathBuf,
        /// How many there are.
        found: usize,
    },
    /// A part is not what it should be.
    #[error("{}: part '{part}' {error}", name(path))]
    Part {
        /// The folder or the packed file.
        path: PathBuf,
        /// The name of the part.
        part: String,
        /// What is wrong with it.
        error: PartError,
    },
    /// A file is not written.
    #[error(transparent)]
    Write(#[from] FileError),
}

/// What can be wrong with a part.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PartError {
    /// The list names it, and it is not there.
    #[error("is missing")]
    Missing,
    /// It is there, and the list doesn't name it.
    #[error("is in no list: the file was changed after it was packed")]
    Unlisted,
    /// Two parts have this name.
    #[error("comes twice")]
    Repeated,
    /// The name leads out of a folder, or not every system can have such a file.
    #[error("has a name that no part can have")]
    Name,
    /// It is a pipe, a device or a link that leads nowhere.
    #[error("is no file")]
    NotAFile,
    /// It can't be used where it lies.
    #[error("is compressed or encrypted, expected plain bytes")]
    Compressed,
    /// It lies outside of the file, or on top of another.
    #[error("lies where it can't: the file was cut short or put together wrongly")]
    Place,
    /// It has another length than the list says.
    #[error("has {found} bytes, expected {expected}")]
    Size {
        /// What the list says.
        expected: u64,
        /// What there is.
        found: u64,
    },
    /// It holds something else than what was packed.
    #[error("is not what was packed: its SHA-256 is {found}, expected {expected}")]
    Digest {
        /// What the list says.
        expected: String,
        /// That of the bytes.
        found: String,
    },
}

impl ArtifactError {
    pub(super) fn part(path: &Path, part: &str, error: PartError) -> Self {
        Self::Part {
            path: path.to_owned(),
            part: part.to_owned(),
            error,
        }
    }
}

/// Where the artifact is, for people.
fn name(path: &Path) -> std::path::Display<'_> {
    match path.as_os_str().is_empty() {
        true => Path::new("the model in memory").display(),
        false => path.display(),
    }
}
