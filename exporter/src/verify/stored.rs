use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use nezha_graphs::proto::{GraphProto, ModelProto, TensorProto};
use nezha_graphs::{Artifact, ExternalData, ReadModelError, is_packed};
use serde::Serialize;
use xxhash_rust::xxh3::xxh3_128;

use super::VerifyError;
use crate::checkpoint::file;
use crate::inspect::InspectError;

/// A file's name, size and digest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FileDigest {
    /// Its name in the artifact's folder.
    pub name: String,
    /// Its size in bytes.
    pub bytes: u64,
    /// XXH3-128 of its content, hexadecimal. It distinguishes files, but is not cryptographic.
    pub xxh3_128: String,
}

impl FileDigest {
    pub(super) fn new(name: &str, content: &[u8]) -> Self {
        Self {
            name: name.to_owned(),
            bytes: content.len() as u64,
            xxh3_128: format!("{:032x}", xxh3_128(content)),
        }
    }
}

/// An artifact, and the files of weights that it names.
pub(super) struct StoredModel {
    pub graph: GraphProto,
    path: PathBuf,
    /// The `.onnx` itself.
    bytes: Bytes,
    /// The files of weights, by name.
    external: BTreeMap<String, Bytes>,
}

impl StoredModel {
    /// Maps the files.
    pub(super) fn open(path: &Path, model: ModelProto) -> Result<Self, VerifyError> {
        let graph = model.graph.unwrap_or_default();
        let packed = is_packed(path).then(|| Artifact::open(path)).transpose();
        let packed = packed.map_err(|it| InspectError::from(ReadModelError::from(it)))?;
        let mut external = BTreeMap::new();
        for tensor in &graph.initializer {
            let Some(place) = ExternalData::of(tensor) else {
                continue;
            };
            let location = place.location;
            if !place.is_beside_model() {
                return Err(VerifyError::Outside {
                    path: path.to_owned(),
                    name: tensor.name.clone(),
                    location: location.to_owned(),
                });
            }
            if !external.contains_key(location) {
                let part = packed.as_ref().map(|it| it.part(location));
                let bytes = match part {
                    Some(Ok(Some(part))) => part,
                    _ => file::load(&path.with_file_name(location), true)?,
                };
                external.insert(location.to_owned(), bytes);
            }
        }
        Ok(Self {
            graph,
            path: path.to_owned(),
            bytes: file::load(path, true)?,
            external,
        })
    }

    /// Whether weights are in the checkpoint's own files, with matrices in the axis order that they
    /// have there.
    pub(super) fn is_linked(&self) -> bool {
        self.external.keys().any(|it| it.ends_with(".safetensors"))
    }

    /// The elements of an initializer.
    pub(super) fn elements(&self, tensor: &TensorProto) -> Result<Bytes, VerifyError> {
        let Some(place) = ExternalData::of(tensor) else {
            return Ok(tensor.raw_data.clone());
        };
        let file = self.external.get(place.location);
        let file = file.cloned().unwrap_or_default();
        let size = file.len() as u64;
        let Range { start, end } = place.range(size);
        if start > size || end > size {
            return Err(VerifyError::TooShort {
                path: self.path.with_file_name(place.location),
                name: tensor.name.clone(),
                start,
                end,
                found: size,
            });
        }
        Ok(file.slice(start as usize..end as usize))
    }

    /// The digests of the `.onnx` and then of the files of weights.
    pub(super) fn files(&self) -> Vec<FileDigest> {
        let name = self.path.file_name().unwrap_or_default();
        let model = FileDigest::new(&name.to_string_lossy(), &self.bytes);
        let external = self.external.iter();
        std::iter::once(model)
            .chain(external.map(|(name, bytes)| FileDigest::new(name, bytes)))
            .collect()
    }
}
