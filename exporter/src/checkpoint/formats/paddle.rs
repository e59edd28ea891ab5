//! The tensors of a file that Paddle wrote: a pickled dictionary of NumPy arrays.
//!
//! The arrays stay in the file. Other entries of the dictionary are ignored, such as Paddle's names
//! of its parameters.

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;

use super::pickle::{Array, Id, LONGEST_NAME, Pickle, PickleError, Value};
use crate::checkpoint::tensor::{Data, ElementType, StoredTensor};
use crate::checkpoint::{CheckpointError, Storage};

const FORMAT: &str = "Paddle";

/// The deepest nesting of dictionaries and lists; a state dict has two or three levels.
const DEEPEST: usize = 32;

/// The most tensors that a file may have; a large model has four hundred.
const MOST_TENSORS: usize = 1 << 16;

/// The key of tensors that Paddle cut into slices, because Python 2's pickles can't contain an
/// array of 1 GB.
const SLICES: &str = "UnpackBigParamInfor@@";

/// Whether a file that starts with `start` is a pickle: the PROTO operation and a version.
pub(super) fn starts_like(start: &[u8]) -> bool {
    matches!(start, [0x80, 2..=5, ..])
}

/// Lists the tensors of the file at `path`, which has these bytes.
pub(super) fn tensors(bytes: &Bytes, path: &Path) -> Result<Vec<StoredTensor>, CheckpointError> {
    let pickle = Pickle::read(bytes).map_err(|error| match error {
        PickleError::Foreign(object) => CheckpointError::ForeignObject {
            path: path.to_owned(),
            object,
        },
        PickleError::Malformed(reason) => malformed(path, reason),
    })?;
    let mut found = Found {
        pickle: &pickle,
        path,
        file: Arc::from(path),
        visited: HashSet::new(),
        tensors: Vec::new(),
    };
    found.list(pickle.root(), "", &[])?;
    Ok(found.tensors)
}

struct Found<'p> {
    pickle: &'p Pickle,
    path: &'p Path,
    file: Arc<Path>,
    /// The dictionaries and lists that were listed, so that one that contains itself, or occurs a
    /// thousand times, is listed once.
    visited: HashSet<Id>,
    tensors: Vec<StoredTensor>,
}

impl Found<'_> {
    /// Lists the arrays in the value at `id`, whose name is `name`.
    fn list(&mut self, id: Id, name: &str, keys: &[usize]) -> Result<(), CheckpointError> {
        if keys.len() > DEEPEST {
            return Err(malformed(self.path, "its nesting has no end".to_owned()));
        }
        match self.pickle.value(id) {
            Value::Array(array) => self.add(array, name, keys),
            Value::Dict(items) if self.visited.insert(id) => {
                for (key, item) in items {
                    let Some(key) = self.pickle.name(*key) else {
                        continue;
                    };
                    self.refuse_slices(key, *item)?;
                    let inner = match name {
                        "" => key.to_owned(),
                        name => format!("{name}.{key}"),
                    };
                    if inner.len() > LONGEST_NAME {
                        let reason = format!("the name of a tensor has {} bytes", inner.len());
                        return Err(malformed(self.path, reason));
                    }
                    let keys: &[usize] = &match name {
                        "" => Vec::new(),
                        name => [keys, &[name.len() + 1]].concat(),
                    };
                    self.list(*item, &inner, keys)?;
                }
                Ok(())
            }
            // A tensor of Paddle's own is a pair of its name and its array.
            Value::Sequence(items) => match items.as_slice() {
                [first, array] if self.pickle.name(*first).is_some() => {
                    match self.pickle.value(*array) {
                        Value::Array(array) => self.add(array, name, keys),
                        _ => Ok(()),
                    }
                }
                _ => Ok(()),
            },
            _ => Ok(()),
        }
    }

    fn add(&mut self, array: &Array, name: &str, keys: &[usize]) -> Result<(), CheckpointError> {
        if self.tensors.len() == MOST_TENSORS {
            let reason = format!("it has more than {MOST_TENSORS} tensors");
            return Err(malformed(self.path, reason));
        }
        let bytes = array.bytes.clone();
        self.tensors.push(StoredTensor {
            name: name.to_owned(),
            keys: keys.to_vec(),
            file: Arc::clone(&self.file),
            shape: array.shape.clone(),
            element: element_type(&array.code),
            length: bytes.len(),
            data: Data::reading(move || Ok(bytes.clone())),
        });
        Ok(())
    }

    fn refuse_slices(&self, key: &str, item: Id) -> Result<(), CheckpointError> {
        match self.pickle.value(item) {
            Value::Dict(items) if key == SLICES && !items.is_empty() => Err(malformed(
                self.path,
                "its largest arrays are cut into slices, which are not put together here"
                    .to_owned(),
            )),
            _ => Ok(()),
        }
    }
}

/// NumPy has no bfloat16, so Paddle writes it as u2.
fn element_type(code: &str) -> ElementType {
    match code {
        "f4" => ElementType::Weight(Storage::F32),
        "f2" => ElementType::Weight(Storage::F16),
        "f8" => ElementType::Weight(Storage::F64),
        "u2" => ElementType::Weight(Storage::BF16),
        "i1" | "i2" | "i4" | "i8" | "u1" | "u4" | "u8" | "b1" => ElementType::Integer,
        other => ElementType::Other(other.to_owned()),
    }
}

fn malformed(path: &Path, reason: String) -> CheckpointError {
    CheckpointError::Malformed {
        path: path.to_owned(),
        format: FORMAT,
        reason,
    }
}
