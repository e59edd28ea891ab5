use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use bytes::Bytes;

use crate::proto::ModelProto;
use crate::{Artifact, ArtifactError, DecodeModelError, Head, decode_model, is_packed, map_file};

/// Why a file can't be read as a model.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadModelError {
    /// The file doesn't exist.
    #[error("{}: no such file or folder", path.display())]
    NotFound {
        /// The path that was asked for.
        path: PathBuf,
    },
    /// The path is a folder, a pipe or a device.
    #[error("{}: expected an .onnx file, found something else of that name", path.display())]
    NotAFile {
        /// The path.
        path: PathBuf,
    },
    /// The operating system refuses to read it.
    #[error("{}: can't be read", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The operating system's error.
        source: io::Error,
    },
    /// A packed model that is broken.
    #[error(transparent)]
    Packed(#[from] ArtifactError),
    /// A packed file without a graph.
    #[error("{} has none of {}", path.display(), tried.join(", "))]
    NoModel {
        /// The packed file.
        path: PathBuf,
        /// The parts that were looked for.
        tried: Vec<String>,
    },
    /// The bytes are not a valid model.
    #[error("{}: not a complete ONNX model", path.display())]
    NotAModel {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: DecodeModelError,
    },
}

/// Reads the `.onnx` file at `path` like [`decode_model`]; its weights stay in the mapped file. For
/// a packed file, this reads the graph in it.
///
/// The file must not be shortened while the model is in use: reading a page that no longer exists
/// ends the process.
///
/// # Errors
/// Any [`ReadModelError`].
pub fn read_model(path: impl AsRef<Path>) -> Result<ModelProto, ReadModelError> {
    let path = path.as_ref();
    let unreadable = |source: io::Error| {
        let path = path.to_owned();
        match source.kind() {
            ErrorKind::NotFound => ReadModelError::NotFound { path },
            _ => ReadModelError::Unreadable { path, source },
        }
    };
    // Checked before opening: opening a pipe would block.
    if !fs::metadata(path).map_err(unreadable)?.is_file() {
        return Err(ReadModelError::NotAFile {
            path: path.to_owned(),
        });
    }
    let bytes = match is_packed(path) {
        true => model_of_packed(path)?,
        false => map_file(path).map_err(unreadable)?,
    };
    decode_model(bytes).map_err(|source| ReadModelError::NotAModel {
        path: path.to_owned(),
        source,
    })
}

/// The graph in a packed file.
fn model_of_packed(path: &Path) -> Result<Bytes, ReadModelError> {
    let artifact = Artifact::open(path)?;
    let missing = |tried: Vec<String>| ReadModelError::NoModel {
        path: path.to_owned(),
        tried,
    };
    let name = artifact.model_for(&Head::ALL).map_err(missing)?;
    Ok(artifact.expect(&name)?)
}
