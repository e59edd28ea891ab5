//! What a file contains: a checkpoint or an `.onnx`, in numbers ([`inspect`]) and, for a part of a
//! graph, as a picture ([`diagram`]).
//!
//! Headers and messages are read, but not weights.

mod checkpoint;
mod diagram;
mod notation;
mod proposal;
mod svg;

use std::fs;
use std::path::{Path, PathBuf};

use nezha_graphs::proto::ModelProto;
use nezha_graphs::{ModelSummary, ReadModelError};
use serde::Serialize;

use crate::checkpoint::{Checkpoint, CheckpointError, OpenOptions};
use crate::nezha::BuildError;

pub use checkpoint::{
    CheckpointSummary, FileSummary, HeadSummary, OriginSummary, PartSummary, StorageSummary,
};
pub use diagram::{DiagramError, diagram};

/// What a path contains.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Inspected {
    /// A checkpoint.
    Checkpoint(Box<CheckpointSummary>),
    /// An `.onnx` file.
    Model(Box<InspectedModel>),
}

/// An `.onnx` file and the files that it needs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct InspectedModel {
    /// The file.
    pub path: PathBuf,
    /// Its size in bytes.
    pub bytes: u64,
    /// Its content, in numbers.
    #[serde(flatten)]
    pub summary: ModelSummary,
    /// Files of weights that it names and that are missing or too short.
    pub missing_files: Vec<String>,
}

/// Why a path can't be inspected.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InspectError {
    /// It can't be read, or is not a valid checkpoint.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// Its extension is `.onnx`, but it is not a valid model or can't be read.
    #[error(transparent)]
    Model(#[from] ReadModelError),
    /// A folder has no weights of a checkpoint and more than one `.onnx`.
    #[error("{}: {} .onnx files; name one of them: {}", folder.display(), names.len(), names.join(", "))]
    SeveralModels {
        /// The folder.
        folder: PathBuf,
        /// The files.
        names: Vec<String>,
    },
    /// A head's graph is not valid, by a fault of the exporter.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// The path is another kind of file.
    #[error(
        "{}: expected a checkpoint (its folder, or its file of weights) or an .onnx file, found \
         another kind of file",
        path.display()
    )]
    OtherFile {
        /// The file.
        path: PathBuf,
    },
}

/// Inspects what is at `path`: a checkpoint, an `.onnx` file, or a folder with one. `options` are
/// for a checkpoint.
///
/// # Errors
/// Any [`InspectError`].
pub fn inspect(path: impl AsRef<Path>, options: &OpenOptions) -> Result<Inspected, InspectError> {
    let path = path.as_ref();
    if is_onnx(path) && !path.is_dir() {
        return Ok(Inspected::Model(Box::new(inspect_model(path)?)));
    }
    match Checkpoint::open(path, options) {
        Ok(checkpoint) => {
            let summary = CheckpointSummary::new(&checkpoint)?;
            Ok(Inspected::Checkpoint(Box::new(summary)))
        }
        Err(CheckpointError::NotWeights { path }) => Err(InspectError::OtherFile { path }),
        Err(error) => match model_in(path)? {
            Some(model) => Ok(Inspected::Model(Box::new(inspect_model(&model)?))),
            None => Err(error.into()),
        },
    }
}

/// Reads the `.onnx` file at `path`, or the only one in the folder at `path`; weights stay in the
/// mapped file.
///
/// # Errors
/// Any [`InspectError`].
pub fn read_model(path: impl AsRef<Path>) -> Result<ModelProto, InspectError> {
    let path = path.as_ref();
    let model = model_in(path)?;
    let path = model.as_deref().unwrap_or(path);
    Ok(nezha_graphs::read_model(path)?)
}

fn is_onnx(path: &Path) -> bool {
    path.extension().is_some_and(|it| it == "onnx") || nezha_graphs::is_packed(path)
}

/// The only `.onnx` file in a folder; `None` if there is none, or `path` is not a folder.
fn model_in(path: &Path) -> Result<Option<PathBuf>, InspectError> {
    let entries = fs::read_dir(path).into_iter().flatten().flatten();
    let mut models: Vec<PathBuf> = entries
        .map(|it| it.path())
        .filter(|it| is_onnx(it))
        .collect();
    models.sort();
    match models.as_slice() {
        [] => Ok(None),
        [model] => Ok(Some(model.clone())),
        several => Err(InspectError::SeveralModels {
            folder: path.to_owned(),
            names: several
                .iter()
                .filter_map(|it| Some(it.file_name()?.to_string_lossy().into_owned()))
                .collect(),
        }),
    }
}

fn inspect_model(path: &Path) -> Result<InspectedModel, InspectError> {
    let summary = ModelSummary::new(&nezha_graphs::read_model(path)?);
    let folder = path.parent().unwrap_or(Path::new("."));
    let there = |location: &str| fs::metadata(folder.join(location)).map_or(0, |it| it.len());
    let missing_files = summary
        .external_files
        .iter()
        .filter(|file| there(&file.location) < file.end)
        .map(|file| file.location.clone())
        .collect();
    Ok(InspectedModel {
        path: path.to_owned(),
        bytes: fs::metadata(path).map_or(0, |it| it.len()),
        summary,
        missing_files,
    })
}
