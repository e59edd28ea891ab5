use std::io;
use std::path::PathBuf;

use nezha_graphs::MetadataError;
use nezha_graphs::files::FileError;

use super::MESSAGE_LIMIT;
use crate::checkpoint::CheckpointError;

/// Why an artifact was not written. The file that was there before is unchanged.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WriteError {
    /// The file exists already, or the file system refuses to write it.
    #[error(transparent)]
    File(#[from] FileError),
    /// The target is a file instead of a folder.
    #[error("{} is a file, and the target has to be a folder; choose another one", path.display())]
    NotAFolder {
        /// The file.
        path: PathBuf,
    },
    /// Another export is writing to the folder.
    #[error(
        "{}: another export is writing to this folder; wait until it ends, or choose another folder",
        path.display()
    )]
    Busy {
        /// The folder.
        path: PathBuf,
    },
    /// Writing was interrupted by an error.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The message would be too large for protobuf.
    #[error(
        "the artifact would take {bytes} bytes, and an .onnx file can't hold more than \
         {MESSAGE_LIMIT}: write external weights"
    )]
    TooLarge {
        /// The size of the message, in bytes.
        bytes: u64,
    },
    /// A weight has a number that the precision can't represent.
    #[error("tensor '{name}' holds {element}, which {precision} can't represent: export in fp32")]
    Precision {
        /// The weight.
        name: String,
        /// The number.
        element: f32,
        /// The precision.
        precision: &'static str,
    },
    /// A weight can't be read.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// The metadata are not valid.
    #[error(transparent)]
    Metadata(#[from] MetadataError),
}
