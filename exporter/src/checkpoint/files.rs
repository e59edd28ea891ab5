//! Which files a checkpoint consists of.

use std::fs;
use std::path::{Path, PathBuf};

use super::file::{self, unreadable};
use super::formats::{self, Content, Format, Refused};
use super::shards::is_file_name;
use super::{CheckpointError, Note, OpenOptions, encoders};

/// Names of the config file: those of transformers, Huawei, bert4torch, and PaddleNLP before 2.5.
const CONFIGS: [&str; 4] = [
    "config.json",
    "bert_config.json",
    "bert4torch_config.json",
    "model_config.json",
];

/// The file names that transformers gives weights, the preferred format first: the whole file, then
/// the index of shards.
const WEIGHTS: [[&str; 2]; 2] = [
    ["model.safetensors", SAFETENSORS_INDEX],
    ["pytorch_model.bin", "pytorch_model.bin.index.json"],
];
const SAFETENSORS_INDEX: &str = "model.safetensors.index.json";

/// The suffix of a shard index's name.
const SHARD_INDEX: &str = ".index.json";

/// The name of PEFT's config of an adapter.
const ADAPTER: &str = "adapter_config.json";

/// The files of a checkpoint.
pub(super) struct Files {
    /// The folder that contains them.
    pub folder: PathBuf,
    /// The config.
    pub config: PathBuf,
    /// The weights, or the index of their shards.
    pub weights: PathBuf,
    /// Which file was preferred to which.
    pub notes: Vec<Note>,
}

impl Files {
    /// Finds the files of the checkpoint at `path`: a folder (also a repository's folder in Hugging
    /// Face's cache), a file of weights, or the prefix of a TensorFlow checkpoint.
    pub(super) fn find(path: &Path, options: &OpenOptions) -> Result<Self, CheckpointError> {
        let metadata = match fs::metadata(path) {
            Ok(metadata) => metadata,
            Err(source) => {
                let index = formats::bundle_of(path).ok_or_else(|| unreadable(path, source))?;
                return Self::beside(&index, options);
            }
        };
        if !metadata.is_dir() {
            return Self::beside(path, options);
        }
        match cached_snapshot(path)? {
            Some(snapshot) => Self::in_folder(&snapshot, options),
            None => Self::in_folder(path, options),
        }
    }

    fn in_folder(folder: &Path, options: &OpenOptions) -> Result<Self, CheckpointError> {
        let names = file_names(folder)?;
        if names.is_empty() {
            return Err(CheckpointError::EmptyFolder {
                path: folder.to_owned(),
            });
        }
        let config = config_in(folder, options);
        if config.is_err() {
            refuse_adapter(folder, &names)?;
        }
        let config = config?;
        let named = named_weights(folder, &names)?;
        let mut notes = Vec::new();
        let weights = match named.split_first() {
            Some((first, others)) => {
                refuse_rivals(folder, first, &names, options)?;
                notes.extend(others.iter().map(|ignored| Note::PreferredSafetensors {
                    ignored: (*ignored).to_owned(),
                }));
                folder.join(first)
            }
            None => only_candidate(folder, &names, options)?,
        };
        Ok(Self {
            folder: folder.to_owned(),
            config,
            weights,
            notes,
        })
    }

    fn beside(weights: &Path, options: &OpenOptions) -> Result<Self, CheckpointError> {
        let Some(weights) = weights_at(weights)? else {
            return Err(CheckpointError::NotWeights {
                path: weights.to_owned(),
            });
        };
        let folder = match weights.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        Ok(Self {
            folder: folder.to_owned(),
            config: config_in(folder, options)?,
            weights,
            notes: Vec::new(),
        })
    }

    /// Whether the weights are in shards.
    pub(super) fn sharded(&self) -> bool {
        is_shard_index(&self.weights)
    }
}

fn is_shard_index(path: &Path) -> bool {
    let name = path.file_name().and_then(|it| it.to_str());
    name.is_some_and(|it| it.ends_with(SHARD_INDEX))
}

/// The file to read for `path`: the file itself, or the index of the bundle that it belongs to.
fn weights_at(path: &Path) -> Result<Option<PathBuf>, CheckpointError> {
    if is_shard_index(path) {
        return Ok(Some(path.to_owned()));
    }
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    if formats::is_shard(&name)
        && let Some(index) = formats::bundle_of(path)
    {
        return Ok(Some(index));
    }
    match formats::content(path)? {
        Content::Weights(_) => Ok(Some(path.to_owned())),
        Content::Refused(format) => Err(refused(path, format)),
        Content::Other => {
            let index = formats::bundle_of(path);
            Ok(index.or_else(|| is_named_weights(path).then(|| path.to_owned())))
        }
    }
}

/// The format of a file of weights. If the content has no known format, the file's extension
/// decides, so that the error is the one of that format.
pub(super) fn format_of(path: &Path) -> Result<Format, CheckpointError> {
    match formats::content(path)? {
        Content::Weights(format) => Ok(format),
        Content::Refused(format) => Err(refused(path, format)),
        Content::Other => match path.extension().and_then(|it| it.to_str()) {
            Some("safetensors") => Ok(Format::Safetensors),
            Some("index") => Ok(Format::TensorFlow),
            Some("h5") => Ok(Format::Keras),
            Some("pdparams") => Ok(Format::Paddle),
            _ => Ok(Format::Torch),
        },
    }
}

fn is_named_weights(path: &Path) -> bool {
    let extension = path.extension().and_then(|it| it.to_str());
    extension.is_some_and(|it| {
        ["safetensors", "bin", "pt", "pth", "index", "h5", "pdparams"].contains(&it)
    })
}

fn refused(path: &Path, format: Refused) -> CheckpointError {
    CheckpointError::OtherFormat {
        path: path.to_owned(),
        format: format.format(),
        remedy: format.remedy(),
    }
}

/// The files whose names transformers gives weights, the preferred format first.
fn named_weights(folder: &Path, names: &[String]) -> Result<Vec<&'static str>, CheckpointError> {
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
    Ok(found)
}

/// Refuses a folder in which another file than `named`, which transformers would read, has an
/// encoder as well: it may contain a fine-tuned model beside the one that it started from.
fn refuse_rivals(
    folder: &Path,
    named: &str,
    names: &[String],
    options: &OpenOptions,
) -> Result<(), CheckpointError> {
    let rivals = candidates(folder, names)?;
    let mut found = with_encoders(folder, rivals.weights, options);
    if found.is_empty() {
        return Ok(());
    }
    found.insert(0, named.to_owned());
    Err(CheckpointError::SeveralCandidates {
        folder: folder.to_owned(),
        candidates: found,
    })
}

/// The only file that has an encoder; if none has, the only file with weights.
fn only_candidate(
    folder: &Path,
    names: &[String],
    options: &OpenOptions,
) -> Result<PathBuf, CheckpointError> {
    let candidates = candidates(folder, names)?;
    if let [only] = candidates.weights.as_slice() {
        return Ok(folder.join(only));
    }
    let weights = with_encoders(folder, candidates.weights, options);
    match weights.as_slice() {
        [only] => Ok(folder.join(only)),
        [] => {
            refuse_adapter(folder, names)?;
            Err(match candidates.refused {
                Some((name, format)) => refused(&folder.join(name), format),
                None => CheckpointError::NoWeights {
                    folder: folder.to_owned(),
                },
            })
        }
        _ => Err(CheckpointError::SeveralCandidates {
            folder: folder.to_owned(),
            candidates: weights,
        }),
    }
}

/// The files of a folder that may be the weights.
#[derive(Default)]
struct Candidates {
    /// The files with weights, except those with transformers' names and their shards.
    weights: Vec<String>,
    /// The first file in a format that can't be read.
    refused: Option<(String, Refused)>,
}

fn candidates(folder: &Path, names: &[String]) -> Result<Candidates, CheckpointError> {
    let mut found = Candidates::default();
    let newest = formats::newest_of(folder);
    for name in names {
        let path = folder.join(name);
        // A broken link is not a file of weights.
        let is_file = fs::metadata(&path).is_ok_and(|it| it.is_file());
        let known = WEIGHTS.iter().flatten().any(|it| it == name);
        let is_part = is_shard(name) || formats::is_shard(name);
        if !is_file || known || is_part || name.starts_with("adapter_model.") {
            continue;
        }
        match formats::content(&path)? {
            // If one training left several checkpoints, the newest is read.
            Content::Weights(Format::TensorFlow)
                if newest.as_ref().is_some_and(|it| *it != path) => {}
            Content::Weights(_) => found.weights.push(name.clone()),
            Content::Refused(format) => {
                found.refused.get_or_insert((name.clone(), format));
            }
            Content::Other => {}
        }
    }
    Ok(found)
}

/// Whether the file is a shard, such as `model-00001-of-00002.safetensors`.
fn is_shard(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or_default();
    let parts: Vec<&str> = stem.rsplitn(4, '-').collect();
    let is_number = |it: &str| it.len() == 5 && it.bytes().all(|it| it.is_ascii_digit());
    matches!(parts.as_slice(), [count, "of", number, _] if is_number(count) && is_number(number))
}

/// The files that can be read and have an encoder. Optimizers, schedulers, scalers and training
/// arguments have none.
fn with_encoders(folder: &Path, names: Vec<String>, options: &OpenOptions) -> Vec<String> {
    let has_encoder = |name: &String| {
        let path = folder.join(name);
        let tensors = format_of(&path)
            .and_then(|format| formats::tensors(&path, format, options).map(|it| (it, format)));
        tensors.is_ok_and(|(tensors, format)| !encoders::find(&tensors, format).is_empty())
    };
    names.into_iter().filter(has_encoder).collect()
}

fn refuse_adapter(folder: &Path, names: &[String]) -> Result<(), CheckpointError> {
    if !names.iter().any(|it| it == ADAPTER) {
        return Ok(());
    }
    let path = folder.join(ADAPTER);
    let config: Option<serde_json::Value> = serde_json::from_str(&file::load_text(&path)?).ok();
    let base = config.and_then(|it| Some(it.get("base_model_name_or_path")?.as_str()?.to_owned()));
    Err(CheckpointError::Adapter { path, base })
}

/// The config that the options name, else the one in the folder.
fn config_in(folder: &Path, options: &OpenOptions) -> Result<PathBuf, CheckpointError> {
    if let Some(config) = &options.config {
        return Ok(config.clone());
    }
    CONFIGS
        .into_iter()
        .map(|name| folder.join(name))
        // A broken link counts as a config: the error of reading it says what is wrong.
        .find(|path| fs::symlink_metadata(path).is_ok())
        .ok_or_else(|| CheckpointError::NoConfig {
            folder: folder.to_owned(),
        })
}

/// The snapshot to read if `folder` is a repository in Hugging Face's cache: the one that its
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

/// The names in a folder, sorted. Names that are not Unicode are converted lossily: none of them
/// matters here.
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
