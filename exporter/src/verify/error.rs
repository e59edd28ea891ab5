use std::path::PathBuf;

use nezha_graphs::MetadataError;

use crate::checkpoint::CheckpointError;
use crate::inspect::InspectError;
use crate::nezha::BuildError;
use crate::onnx::WriteError;
use crate::reference::ReferenceError;

/// Why an artifact can't be compared with a checkpoint, or why the result can't be written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VerifyError {
    /// The artifact can't be read.
    #[error(transparent)]
    Model(#[from] InspectError),
    /// The artifact's metadata are missing, or this version can't use them.
    #[error("{}: its metadata can't be used", path.display())]
    Metadata {
        /// The artifact.
        path: PathBuf,
        /// The error, which names the key.
        source: MetadataError,
    },
    /// The artifact's graph can't be built from the checkpoint.
    #[error("{}: not what the artifact was exported from", folder.display())]
    Build {
        /// The checkpoint.
        folder: PathBuf,
        /// The reason.
        source: BuildError,
    },
    /// A weight of the checkpoint, or a file of the artifact's weights, can't be read.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// The reference can't be computed from the checkpoint's weights.
    #[error(transparent)]
    Reference(#[from] ReferenceError),
    /// An initializer points outside of the artifact's folder.
    #[error(
        "{}: initializer '{name}' is in '{location}', and weights have to be in the folder of the \
         .onnx; export it again",
        path.display()
    )]
    Outside {
        /// The artifact.
        path: PathBuf,
        /// The initializer.
        name: String,
        /// The file that it points to.
        location: String,
    },
    /// A file of weights ends before the end of an initializer.
    #[error(
        "{}: initializer '{name}' should be bytes {start} to {end}, and the file has {found}: it \
         was cut short, or is another export's; export again",
        path.display()
    )]
    TooShort {
        /// The file of weights.
        path: PathBuf,
        /// The initializer.
        name: String,
        /// Offset of the initializer's first byte.
        start: u64,
        /// Offset of the byte after its last.
        end: u64,
        /// The size of the file in bytes.
        found: u64,
    },
    /// The artifact was replaced while it was verified.
    #[error("{}: the file has changed since it was compared; verify it again", path.display())]
    Changed {
        /// The artifact.
        path: PathBuf,
    },
    /// The result can't be written.
    #[error(transparent)]
    Write(#[from] WriteError),
}
