//! Reads the index of weights in several files, which says which tensor is in which file.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};

use serde::Deserialize;

use super::tensor::StoredTensor;
use super::unique_map::Entries;
use super::{CheckpointError, file};

/// The part of `*.index.json` that is needed; its metadata is ignored.
#[derive(Deserialize)]
struct Index {
    weight_map: Entries<String>,
}

/// The shards that an index names, with the tensors that each must have.
pub(super) struct Shards {
    index: PathBuf,
    tensors: BTreeMap<String, BTreeSet<String>>,
}

impl Shards {
    /// Reads the index at `path`.
    pub(super) fn read(path: &Path) -> Result<Self, CheckpointError> {
        let malformed = |reason: String| CheckpointError::Malformed {
            path: path.to_owned(),
            format: "shard index",
            reason,
        };
        let text = file::load_text(path)?;
        let Index { weight_map } =
            serde_json::from_str(&text).map_err(|error| malformed(error.to_string()))?;
        if let Some(name) = weight_map.repeated_key() {
            return Err(CheckpointError::DuplicateTensor {
                path: path.to_owned(),
                first: name.to_owned(),
                second: name.to_owned(),
            });
        }
        if weight_map.0.is_empty() {
            return Err(malformed("its weight_map is empty".to_owned()));
        }
        let mut tensors = BTreeMap::<String, BTreeSet<String>>::new();
        for (name, shard) in weight_map.0 {
            if !is_file_name(&shard) {
                return Err(CheckpointError::ShardOutside {
                    index: path.to_owned(),
                    shard,
                });
            }
            tensors.entry(shard).or_default().insert(name);
        }
        Ok(Self {
            index: path.to_owned(),
            tensors,
        })
    }

    /// The shards' names and paths, sorted by name.
    pub(super) fn files(&self) -> impl Iterator<Item = (&str, PathBuf)> {
        let folder = self.index.parent().unwrap_or(Path::new(""));
        self.tensors
            .keys()
            .map(move |shard| (shard.as_str(), folder.join(shard)))
    }

    /// Checks that the shard named `shard` has the tensors that the index lists for it, and no
    /// others.
    pub(super) fn verify(
        &self,
        shard: &str,
        found: &[StoredTensor],
    ) -> Result<(), CheckpointError> {
        let nothing = BTreeSet::new();
        let promised = self.tensors.get(shard).unwrap_or(&nothing);
        let found: BTreeSet<&str> = found.iter().map(|tensor| tensor.name.as_str()).collect();
        let promised: BTreeSet<&str> = promised.iter().map(String::as_str).collect();
        match promised.symmetric_difference(&found).next() {
            None => Ok(()),
            Some(name) => Err(CheckpointError::ShardMismatch {
                index: self.index.clone(),
                shard: shard.to_owned(),
                name: (*name).to_owned(),
                disagreement: if found.contains(name) {
                    "the shard has it and the index does not"
                } else {
                    "the index names it and the shard has none"
                },
            }),
        }
    }
}

/// Whether `name` is a single plain component, so that joining it can't leave the folder.
///
/// Backslashes and colons can mean other folders on other systems, and no shard's name has one.
pub(super) fn is_file_name(name: &str) -> bool {
    let mut components = Path::new(name).components();
    matches!(components.next(), Some(Component::Normal(first)) if first == name)
        && components.next().is_none()
        && !name.contains(['\\', ':', '\0'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shard_is_one_plain_component() {
        assert!(is_file_name("model-00001-of-00002.safetensors"));
        for outside in [
            "", ".", "..", "../x", "/x", "a/b", "a/", "./a", "a\\b", "c:x", "a\0",
        ] {
            assert!(!is_file_name(outside), "{outside:?} was accepted");
        }
    }
}
