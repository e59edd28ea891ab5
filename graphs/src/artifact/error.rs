use std::io;
use std::path::{Path, PathBuf};

use super::packed::MOST_PARTS;
use crate::files::FileError;

/// Why files can't be read as an artifact, or can't become one.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ArtifactError {
    /// A file or a folder can't be read.
    #[error("{}: can't be read", name(path))]
    Read {
        /// The file or folder.
        path: PathBuf,
        /// The operating system's error.
        source: io::Error,
    },
    /// The bytes are not a zip archive, or the archive was cut short.
    #[error("{}: not a packed model, or cut short: {reason}", name(path))]
    Container {
        /// The packed file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// The list of parts is missing or broken: this may be another kind of zip archive.
    #[error("{}: its list of parts can't be used: {reason}", name(path))]
    Manifest {
        /// The packed file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// There are more parts than any model has.
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
    /// A file can't be written.
    #[error(transparent)]
    Write(#[from] FileError),
}

/// What can be wrong with a part.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PartError {
    /// The list of parts names it, but it doesn't exist.
    #[error("is missing")]
    Missing,
    /// It exists, but the list of parts doesn't name it.
    #[error("is not in the list of parts: the file was changed after it was packed")]
    Unlisted,
    /// Two parts have this name.
    #[error("is there twice")]
    Repeated,
    /// The name leads out of the folder, or not every system can have a file of this name.
    #[error("has an invalid name")]
    Name,
    /// It is a pipe, a device or a link that leads nowhere.
    #[error("is not a file")]
    NotAFile,
    /// It is compressed or encrypted, so its bytes can't be used in place.
    #[error("is compressed or encrypted, expected plain bytes")]
    Compressed,
    /// It lies outside of the file, or overlaps another part.
    #[error("is at an invalid place: the file was cut short or put together wrongly")]
    Place,
    /// Its length differs from the one in the list of parts.
    #[error("has {found} bytes, expected {expected}")]
    Size {
        /// The length in the list of parts.
        expected: u64,
        /// The length of the part.
        found: u64,
    },
    /// Its content differs from what was packed.
    #[error("is not what was packed: its SHA-256 is {found}, expected {expected}")]
    Digest {
        /// The SHA-256 in the list of parts.
        expected: String,
        /// The SHA-256 of the part.
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

/// The artifact's path, or a description if it is in memory.
fn name(path: &Path) -> std::path::Display<'_> {
    match path.as_os_str().is_empty() {
        true => Path::new("the model in memory").display(),
        false => path.display(),
    }
}
