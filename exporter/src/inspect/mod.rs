//! What a file holds: a checkpoint or an `.onnx`, in numbers ([`inspect`]) and, for a graph, as a
//! picture of one part of it ([`diagram`]).
//!
//! Headers and messages are read, weights are not.

mod checkpoint;
mod diagram;
mod notation;
mod svg;

use std::fs;
use std::path::{Path, PathBuf};

use nezha_graphs::ModelSummary;
use nezha_graphs::proto::ModelProto;
use prost::Message;
use serde::Serialize;

use crate::checkpoint::{Checkpoint, CheckpointError, OpenOptions, file};

pub use checkpoint::{CheckpointSummary, FileSummary, HeadSummary, PartSummary, StorageSummary};
pub use diagram::{DiagramError, diagram};

/// The artifact that a folder is taken for where it is no checkpoint.
const MODEL: &str = "model.onnx";

/// What a path holds.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Inspected {
    /// A checkpoint.
    Checkpoint(Box<CheckpointSummary>),
    /// An `.onnx` file.
    Model(Box<InspectedModel>),
}

/// An `.onnx` file and the files it needs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct InspectedModel {
    /// The file.
    pub path: PathBuf,
    /// Its size in bytes.
    pub bytes: u64,
    /// What it holds.
    #[serde(flatten)]
    pub summary: ModelSummary,
    /// Files of weights that it names and that are not there, or are too short.
    pub missing_files: Vec<String>,
}

/// Why there is nothing to say of a path.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InspectError {
    /// It can't be read, or is no sound checkpoint.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// It is called `.onnx`, and is not.
    #[error("{}: not a complete ONNX model: {reason}", path.display())]
    NotOnnx {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// Some other file.
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

/// Says what is at `path`: a checkpoint, an `.onnx` file, or a folder with a `model.onnx`.
///
/// # Errors
/// Any [`InspectError`].
pub fn inspect(path: &Path) -> Result<Inspected, InspectError> {
    if let Some(model) = model_file(path) {
        return Ok(Inspected::Model(Box::new(inspect_model(&model)?)));
    }
    match Checkpoint::open(path, &OpenOptions::default()) {
        Ok(checkpoint) => Ok(Inspected::Checkpoint(Box::new(CheckpointSummary::new(
            &checkpoint,
        )))),
        Err(CheckpointError::NotWeights { path }) => Err(InspectError::OtherFile { path }),
        Err(error) => Err(error.into()),
    }
}

/// The messages of the `.onnx` file at `path`, or of the `model.onnx` in that folder; weights stay
/// in the mapped file.
///
/// # Errors
/// Any [`InspectError`].
pub fn read_model(path: &Path) -> Result<ModelProto, InspectError> {
    match model_file(path) {
        Some(model) => decode(&model),
        None => Err(InspectError::NotOnnx {
            path: path.to_owned(),
            reason: "expected an .onnx file, or a folder with a model.onnx".to_owned(),
        }),
    }
}

/// The `.onnx` file that `path` means, if it means one: itself, or the artifact in a folder without
/// weights.
fn model_file(path: &Path) -> Option<PathBuf> {
    let is_onnx = |it: &Path| it.extension().is_some_and(|it| it == "onnx");
    if is_onnx(path) && !path.is_dir() {
        return Some(path.to_owned());
    }
    let inside = path.join(MODEL);
    let no_checkpoint = || Checkpoint::open(path, &OpenOptions::default()).is_err();
    (inside.is_file() && no_checkpoint()).then_some(inside)
}

fn decode(path: &Path) -> Result<ModelProto, InspectError> {
    let reason = |reason: &str| InspectError::NotOnnx {
        path: path.to_owned(),
        reason: reason.to_owned(),
    };
    file::refuse_lfs_pointer(path)?;
    let bytes = file::load(path, true)?;
    let model = ModelProto::decode(bytes).map_err(|error| reason(&error.to_string()))?;
    match &model.graph {
        None => Err(reason("it holds no graph")),
        Some(graph) if graph.output.is_empty() => Err(reason("its graph has no outputs")),
        Some(_) => Ok(model),
    }
}

fn inspect_model(path: &Path) -> Result<InspectedModel, InspectError> {
    let summary = ModelSummary::new(&decode(path)?);
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
