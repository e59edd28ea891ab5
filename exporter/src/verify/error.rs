use std::path::PathBuf;

use nezha_graphs::MetadataError;

use crate::checkpoint::CheckpointError;
use crate::inspect::InspectError;
use crate::nezha::BuildError;
use crate::onnx::WriteError;
use crate::reference::ReferenceError;

/// Why an artifact can't be compared with a checkpoint, or the result not written down.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VerifyError {
    /// The artifact can't be read.
    #[error(transparent)]
    Model(#[from] InspectError),
    /// The artifact does not say, or not in words of this version, what it is.
    #[error("{}: what it says of itself can't be used", path.display())]
    Metadata {
        /// The artifact.
        path: PathBuf,
        /// Which key, and why.
        source: MetadataError,
    },
    /// The checkpoint can't have the artifact's graph.
    #[error("{}: not what the artifact was exported from", folder.display())]
    Build {
        /// The checkpoint.
        folder: PathBuf,
        /// Why.
        source: BuildError,
    },
    /// A weight of the checkpoint, or a file of the artifact's weights, can't be read.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// The reference can't have the checkpoint's weights.
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
        /// Where it says that it is.
        location: String,
    },
    /// A file of weights ends before an initializer does.
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
        /// Where its elements start.
        start: u64,
        /// Where they end.
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
