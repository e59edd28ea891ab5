use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use nezha_graphs::proto::{GraphProto, ModelProto, TensorProto};
use serde::Serialize;
use xxhash_rust::xxh3::xxh3_128;

use super::VerifyError;
use crate::checkpoint::file;

/// Number of the enumerator `TensorProto.DataLocation.EXTERNAL`.
const EXTERNAL: i32 = 1;

/// A file and what tells it apart.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FileDigest {
    /// Its name in the artifact's folder.
    pub name: String,
    /// Its size.
    pub bytes: u64,
    /// XXH3-128 of its content, hexadecimal; tells files apart, proves nothing.
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
    /// Files of weights by name.
    external: BTreeMap<String, Bytes>,
}

impl StoredModel {
    /// Maps the files.
    pub fn open(path: &Path, model: ModelProto) -> Result<Self, VerifyError> {
        let graph = model.graph.unwrap_or_default();
        let mut external = BTreeMap::new();
        for tensor in graph.initializer.iter().filter(|it| is_external(it)) {
            let location = entry(tensor, "location").unwrap_or_default();
            if Path::new(location).file_name() != Some(location.as_ref()) {
                return Err(VerifyError::Outside {
                    path: path.to_owned(),
                    name: tensor.name.clone(),
                    location: location.to_owned(),
                });
            }
            if !external.contains_key(location) {
                let bytes = file::load(&path.with_file_name(location), true)?;
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

    /// Whether weights lie in the checkpoint's own files, and matrices as they are stored there.
    pub fn is_linked(&self) -> bool {
        self.external.keys().any(|it| it.ends_with(".safetensors"))
    }

    /// The elements of an initializer.
    pub fn elements(&self, tensor: &TensorProto) -> Result<Bytes, VerifyError> {
        if !is_external(tensor) {
            return Ok(tensor.raw_data.clone());
        }
        let location = entry(tensor, "location").unwrap_or_default();
        let file = self.external.get(location).cloned().unwrap_or_default();
        let number = |key| entry(tensor, key).and_then(|it| it.parse::<u64>().ok());
        let size = file.len() as u64;
        let start = number("offset").unwrap_or(0);
        let length = number("length").unwrap_or(size.saturating_sub(start));
        let end = start.saturating_add(length);
        if start > size || end > size {
            return Err(VerifyError::TooShort {
                path: self.path.with_file_name(location),
                name: tensor.name.clone(),
                start,
                end,
                found: size,
            });
        }
        Ok(file.slice(start as usize..end as usize))
    }

    /// The `.onnx` first, then the files of weights.
    pub fn files(&self) -> Vec<FileDigest> {
        let name = self.path.file_name().unwrap_or_default();
        let model = FileDigest::new(&name.to_string_lossy(), &self.bytes);
        let external = self.external.iter();
        std::iter::once(model)
            .chain(external.map(|(name, bytes)| FileDigest::new(name, bytes)))
            .collect()
    }
}

fn is_external(tensor: &TensorProto) -> bool {
    tensor.data_location == EXTERNAL
}

fn entry<'t>(tensor: &'t TensorProto, key: &str) -> Option<&'t str> {
    let mut entries = tensor.external_data.iter();
    entries.find(|it| it.key == key).map(|it| it.value.as_str())
}
