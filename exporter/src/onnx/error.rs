use std::io;
use std::path::PathBuf;

use nezha_graphs::MetadataError;
use nezha_graphs::files::FileError;

use super::MESSAGE_LIMIT;
use crate::checkpoint::CheckpointError;

/// Why an artifact was not written; what stood there before still does.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WriteError {
    /// It exists already, or the file system said no.
    #[error(transparent)]
    File(#[from] FileError),
    /// A file stands where the folder to write to should be.
    #[error("{} is a file, and the target has to be a folder; choose another one", path.display())]
    NotAFolder {
        /// The file.
        path: PathBuf,
    },
    /// Somebody else is writing to the folder.
    #[error(
        "{}: another export is writing to this folder; wait for its end or choose another folder",
        path.display()
    )]
    Busy {
        /// The folder.
        path: PathBuf,
    },
    /// Writing broke off.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The message would be too large for protobuf.
    #[error(
        "the artifact would take {bytes} bytes, and an .onnx file can't hold more than \
         {MESSAGE_LIMIT}: write external weights"
    )]
    TooLarge {
        /// How many bytes it would take.
        bytes: u64,
    },
    /// A weight has a number that the precision has not.
    #[error(
        "tensor '{name}' holds {element}, for which {precision} has no number: export in \
         fp32"
    )]
    Precision {
        /// The weight.
        name: String,
        /// The number.
        element: f32,
        /// What it was to become.
        precision: &'static str,
    },
    /// A weight can't be read.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// The metadata can't be made.
    #[error(transparent)]
    Metadata(#[from] MetadataError),
}
