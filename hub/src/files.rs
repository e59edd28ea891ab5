//! Selects the files of a repository that a checkpoint needs.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use serde::Deserialize;

use crate::HubError;

/// The names that different frameworks give the config.
pub(crate) const CONFIGS: [&str; 5] = [
    "config.json",
    "bert_config.json",
    "bert4torch_config.json",
    "model_config.json",
    "adapter_config.json",
];

/// The files of a tokenizer.
const TOKENIZER: [&str; 5] = [
    "vocab.txt",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
];

/// transformers' names of weights, the better format first: the single file, then the index of
/// shards.
const WEIGHTS: [[&str; 2]; 2] = [
    ["model.safetensors", "model.safetensors.index.json"],
    ["pytorch_model.bin", "pytorch_model.bin.index.json"],
];

/// The endings of weights under other names, the better format first.
const ENDINGS: [&[&str]; 4] = [
    &[".safetensors"],
    &[".pdparams"],
    &[".bin", ".pt", ".pth", ".ckpt", ".pkl"],
    &[".h5", ".weights"],
];

/// The prefixes of files that training leaves beside the weights.
const STATES: [&str; 5] = ["training_", "optimizer", "scheduler", "scaler", "rng_state"];

/// The files to download.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Needed {
    /// All of them, except the shards of an index.
    pub files: Vec<String>,
    /// What is left to download.
    pub weights: Weights,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Weights {
    /// Nothing: the weights are among the files.
    Whole,
    /// The shards, which this index lists.
    Index(String),
}

impl Needed {
    /// Selects what a checkpoint needs among `files`. The error lists the candidates if it isn't
    /// clear which file is its weights: none or several.
    pub(crate) fn of(files: &[String]) -> Result<Self, Vec<String>> {
        let has = |name: &str| files.iter().any(|file| file == name);
        let texts = CONFIGS.into_iter().chain(TOKENIZER);
        let mut needed: Vec<String> = texts.filter(|name| has(name)).map(str::to_owned).collect();
        for [whole, index] in WEIGHTS {
            if has(whole) {
                needed.push(whole.to_owned());
            } else if has(index) {
                return Ok(Self {
                    files: needed,
                    weights: Weights::Index(index.to_owned()),
                });
            } else {
                continue;
            }
            return Ok(Self {
                files: needed,
                weights: Weights::Whole,
            });
        }
        needed.extend(otherwise(files)?);
        Ok(Self {
            files: needed,
            weights: Weights::Whole,
        })
    }
}

/// Finds weights that don't have transformers' names.
fn otherwise(files: &[String]) -> Result<Vec<String>, Vec<String>> {
    let bundles = files
        .iter()
        .filter(|file| bundle_data(files, file).next().is_some());
    let bundles: Vec<&String> = bundles.collect();
    match bundles.as_slice() {
        [] => {}
        [index] => {
            let data = bundle_data(files, index).cloned();
            return Ok(data.chain([(*index).clone()]).collect());
        }
        several => return Err(several.iter().map(|it| (*it).clone()).collect()),
    }
    for endings in ENDINGS {
        let candidates = files.iter().filter(|file| {
            endings.iter().any(|ending| file.ends_with(ending))
                && !STATES.iter().any(|state| file.starts_with(state))
        });
        let candidates: Vec<String> = candidates.cloned().collect();
        match candidates.len() {
            0 => {}
            1 => return Ok(candidates),
            _ => return Err(candidates),
        }
    }
    Err(Vec::new())
}

/// The data files that belong to an index of TensorFlow.
fn bundle_data<'f>(files: &'f [String], index: &str) -> impl Iterator<Item = &'f String> {
    let data = index.strip_suffix(".index").map(|it| format!("{it}.data-"));
    files
        .iter()
        .filter(move |file| data.as_ref().is_some_and(|data| file.starts_with(data)))
}

/// The shards that the index at `path` lists.
pub(crate) fn shards(path: &Path) -> Result<BTreeSet<String>, HubError> {
    #[derive(Deserialize)]
    struct Index {
        weight_map: BTreeMap<String, String>,
    }
    let text = fs::read(path).map_err(|source| HubError::Cache {
        path: path.to_owned(),
        source,
    })?;
    let index: Index = serde_json::from_slice(&text).map_err(|source| HubError::Answer {
        place: path.display().to_string(),
        reason: "expected an index of shards".to_owned(),
        source: Some(source.into()),
    })?;
    Ok(index.weight_map.into_values().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn needed(files: &[&str]) -> Result<Needed, Vec<String>> {
        let files: Vec<String> = files.iter().map(|it| (*it).to_owned()).collect();
        Needed::of(&files)
    }

    #[track_caller]
    fn assert_needs(files: &[&str], expected: &[&str]) {
        let needed = needed(files).unwrap();
        assert_eq!(needed.files, expected, "of {files:?}");
        assert_eq!(needed.weights, Weights::Whole, "of {files:?}");
    }

    #[test]
    fn safetensors_come_before_pickles_and_nothing_else_comes_along() {
        assert_needs(
            &[
                ".gitattributes",
                "README.md",
                "config.json",
                "flax_model.msgpack",
                "model.safetensors",
                "pytorch_model.bin",
                "tf_model.h5",
                "training_args.bin",
                "vocab.txt",
            ],
            &["config.json", "vocab.txt", "model.safetensors"],
        );
        assert_needs(
            &["config.json", "pytorch_model.bin", "tf_model.h5"],
            &["config.json", "pytorch_model.bin"],
        );
    }

    #[test]
    fn shards_wait_for_their_index() {
        let index = "pytorch_model.bin.index.json";
        let found = needed(&["config.json", index, "pytorch_model-00001-of-00002.bin"]).unwrap();
        assert_eq!(found.files, ["config.json"]);
        assert_eq!(found.weights, Weights::Index(index.to_owned()));
    }

    #[test]
    fn weights_under_any_other_name_are_found_when_there_is_one() {
        assert_needs(&["best_model.pth", "optimizer.pt"], &["best_model.pth"]);
        assert_needs(
            &["model_state.pdparams", "x.bin"],
            &["model_state.pdparams"],
        );
        assert_needs(
            &[
                "bert_config.json",
                "checkpoint",
                "model.ckpt.data-00000-of-00001",
                "model.ckpt.index",
                "model.ckpt.meta",
            ],
            &[
                "bert_config.json",
                "model.ckpt.data-00000-of-00001",
                "model.ckpt.index",
            ],
        );
    }

    #[test]
    fn several_or_no_weights_are_told_apart() {
        assert_eq!(
            needed(&["fold0.pt", "fold1.pt"]).unwrap_err(),
            ["fold0.pt", "fold1.pt"]
        );
        assert!(
            needed(&["config.json", "README.md"])
                .unwrap_err()
                .is_empty()
        );
    }
}
