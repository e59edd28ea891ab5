//! Which files a checkpoint consists of.

use std::fs;
use std::path::{Path, PathBuf};

use super::file::{self, unreadable};
use super::shards::is_file_name;
use super::{CheckpointError, Note};

/// The config's file name: transformers', then Huawei's.
const CONFIGS: [&str; 2] = ["config.json", "bert_config.json"];

/// The file names of weights, the better format first; in one piece, then the index of shards.
const WEIGHTS: [[&str; 2]; 2] = [
    ["model.safetensors", "model.safetensors.index.json"],
    ["pytorch_model.bin", "pytorch_model.bin.index.json"],
];

/// What the names of TensorFlow's checkpoints hold: `model.ckpt-900000.index` and its siblings.
const TENSORFLOW: &str = ".ckpt";

/// How a file of weights is to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    /// safetensors.
    Safetensors,
    /// What `torch.save` writes.
    Torch,
}

/// The files of a checkpoint.
pub(super) struct Files {
    /// The folder that they are in.
    pub folder: PathBuf,
    /// The config.
    pub config: PathBuf,
    /// The weights, or the index of their shards.
    pub weights: PathBuf,
    /// What was chosen over what.
    pub notes: Vec<Note>,
}

impl Files {
    /// Finds the files of the checkpoint at `path`: a folder, also one of Hugging Face's cache, or
    /// a file of weights; `config` takes the place of the one beside the weights.
    pub fn find(path: &Path, config: Option<&Path>) -> Result<Self, CheckpointError> {
        let metadata = fs::metadata(path).map_err(|source| unreadable(path, source))?;
        if !metadata.is_dir() {
            return Self::beside(path, config);
        }
        match cached_snapshot(path)? {
            Some(snapshot) => Self::in_folder(&snapshot, config),
            None => Self::in_folder(path, config),
        }
    }

    fn in_folder(folder: &Path, config: Option<&Path>) -> Result<Self, CheckpointError> {
        let names = file_names(folder)?;
        if names.is_empty() {
            return Err(CheckpointError::EmptyFolder {
                path: folder.to_owned(),
            });
        }
        let config = config_in(folder, config)?;
        let mut found = Vec::new();
        for [whole, index] in WEIGHTS {
            match [whole, index].map(|name| names.iter().any(|it| it == name)) {
                [true, true] => {
                    return Err(CheckpointError::TwoCandidates {
                        folder: folder.to_owned(),
                        first: whole,
                        second: index,
                    });
                }
                [true, false] => found.push(whole),
                [false, true] => found.push(index),
                [false, false] => {}
            }
        }
        let Some((weights, others)) = found.split_first() else {
            return Err(no_weights(folder, &names));
        };
        let notes = others.iter().map(|ignored| Note::PreferredSafetensors {
            ignored: (*ignored).to_owned(),
        });
        Ok(Self {
            folder: folder.to_owned(),
            config,
            weights: folder.join(weights),
            notes: notes.collect(),
        })
    }

    fn beside(weights: &Path, config: Option<&Path>) -> Result<Self, CheckpointError> {
        format_of(weights)?;
        let folder = match weights.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        Ok(Self {
            folder: folder.to_owned(),
            config: config_in(folder, config)?,
            weights: weights.to_owned(),
            notes: Vec::new(),
        })
    }

    /// Whether the weights are in shards.
    pub fn sharded(&self) -> bool {
        self.weights.extension().is_some_and(|it| it == "json")
    }
}

/// The format of a file of weights or of the shards of an index, by its name.
pub(super) fn format_of(weights: &Path) -> Result<Format, CheckpointError> {
    let name = weights.file_name().unwrap_or_default().to_string_lossy();
    let name = name.strip_suffix(".index.json").unwrap_or(&name);
    match Path::new(name).extension().and_then(|it| it.to_str()) {
        Some("safetensors") => Ok(Format::Safetensors),
        Some("bin" | "pt" | "pth") => Ok(Format::Torch),
        _ if name.contains(TENSORFLOW) => Err(CheckpointError::TensorFlow {
            path: weights.to_owned(),
        }),
        _ => Err(CheckpointError::NotWeights {
            path: weights.to_owned(),
        }),
    }
}

fn config_in(folder: &Path, given: Option<&Path>) -> Result<PathBuf, CheckpointError> {
    if let Some(config) = given {
        return Ok(config.to_owned());
    }
    CONFIGS
        .into_iter()
        .map(|name| folder.join(name))
        // A broken link is there too, and reading it says what is wrong.
        .find(|path| fs::symlink_metadata(path).is_ok())
        .ok_or_else(|| CheckpointError::NoConfig {
            folder: folder.to_owned(),
        })
}

fn no_weights(folder: &Path, names: &[String]) -> CheckpointError {
    match names.iter().find(|name| name.contains(TENSORFLOW)) {
        Some(name) => CheckpointError::TensorFlow {
            path: folder.join(name),
        },
        None => CheckpointError::NoWeights {
            folder: folder.to_owned(),
        },
    }
}

/// The snapshot to read where `folder` is a repository of Hugging Face's cache: the one that its
/// `main` branch points to, else the only one.
fn cached_snapshot(folder: &Path) -> Result<Option<PathBuf>, CheckpointError> {
    let snapshots = folder.join("snapshots");
    if !snapshots.is_dir() {
        return Ok(None);
    }
    let branch = folder.join("refs").join("main");
    if branch.is_file() {
        let commit = file::load_text(&branch)?;
        let commit = commit.trim();
        return match is_file_name(commit) {
            true => Ok(Some(snapshots.join(commit))),
            false => Err(CheckpointError::Malformed {
                path: branch,
                format: "branch",
                reason: "expected the name of a commit".to_owned(),
            }),
        };
    }
    match file_names(&snapshots)?.as_slice() {
        [only] => Ok(Some(snapshots.join(only))),
        _ => Ok(None),
    }
}

/// The names in a folder, sorted; those that are no Unicode can't be any of ours.
fn file_names(folder: &Path) -> Result<Vec<String>, CheckpointError> {
    let unreadable = |source| unreadable(folder, source);
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).map_err(unreadable)? {
        let name = entry.map_err(unreadable)?.file_name();
        names.push(name.to_string_lossy().into_owned());
    }
    names.sort();
    Ok(names)
}
