//! The tensors of an HDF5 file that Keras wrote.
//!
//! The `hdf5-reader` crate reads HDF5 in pure Rust. It limits what a header can make it allocate,
//! follows no links to other files, and detects cycles.

use std::collections::HashSet;
use std::panic::{self, AssertUnwindSafe};
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use hdf5_reader::error::Error;
use hdf5_reader::group::Group;
use hdf5_reader::{ByteOrder, Dataset, Datatype, Hdf5File, OpenOptions};

use crate::checkpoint::tensor::{Data, ElementType, StoredTensor};
use crate::checkpoint::{CheckpointError, Storage};

const FORMAT: &str = "Keras HDF5";

/// The first bytes of an HDF5 file.
const MAGIC: [u8; 8] = *b"\x89HDF\r\n\x1a\n";

/// The deepest nesting of groups; Keras writes four levels.
const DEEPEST: usize = 32;

/// The most objects that a file may have; a large model has two thousand.
const MOST_OBJECTS: usize = 1 << 16;

/// Whether a file that starts with `start` is an HDF5 file.
pub(super) fn starts_like(start: &[u8]) -> bool {
    start.starts_with(&MAGIC)
}

/// Lists the tensors of the file at `path`, which has these bytes, without reading their elements.
pub(super) fn tensors(bytes: Bytes, path: &Path) -> Result<Vec<StoredTensor>, CheckpointError> {
    let size = bytes.len();
    let options = OpenOptions {
        // A dataset without chunks can't be larger than the file.
        max_read_bytes: size,
        max_chunk_bytes: size,
        chunk_cache_bytes: 0,
        ..OpenOptions::default()
    };
    let failed = |error: Error| malformed(path, error.to_string());
    without_panics(path, || {
        let hdf5 = Hdf5File::from_owner(bytes, options).map_err(failed)?;
        let mut found = Found {
            path,
            file: Arc::from(path),
            groups: HashSet::new(),
            objects: 0,
            tensors: Vec::new(),
        };
        found.list(&hdf5.root_group().map_err(failed)?, "", 0)?;
        Ok(found.tensors)
    })
}

/// The result of `work`; a panic becomes an error. The crate multiplies sizes from the file without
/// a check, which panics in builds with overflow checks.
fn without_panics<T>(
    path: &Path,
    work: impl FnOnce() -> Result<T, CheckpointError>,
) -> Result<T, CheckpointError> {
    let overflow = || malformed(path, "its sizes overflow".to_owned());
    panic::catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| Err(overflow()))
}

struct Found<'p> {
    path: &'p Path,
    file: Arc<Path>,
    /// The groups by their offsets in the file, so that a group that contains itself is listed
    /// once.
    groups: HashSet<u64>,
    objects: usize,
    tensors: Vec<StoredTensor>,
}

impl Found<'_> {
    fn list(&mut self, group: &Group, prefix: &str, depth: usize) -> Result<(), CheckpointError> {
        let (groups, datasets) = group
            .members()
            .map_err(|it| malformed(self.path, it.to_string()))?;
        self.objects += groups.len() + datasets.len();
        if depth > DEEPEST || self.objects > MOST_OBJECTS {
            return Err(malformed(self.path, "its groups have no end".to_owned()));
        }
        for dataset in datasets {
            self.add(format!("{prefix}{}", dataset.name()), dataset)?;
        }
        for inner in groups {
            if self.groups.insert(inner.address()) {
                self.list(&inner, &format!("{prefix}{}/", inner.name()), depth + 1)?;
            }
        }
        Ok(())
    }

    fn add(&mut self, name: String, dataset: Dataset) -> Result<(), CheckpointError> {
        let sizes = dataset.shape().iter().map(|it| usize::try_from(*it).ok());
        let shape: Option<Vec<usize>> = sizes.collect();
        let (Some(shape), Ok(length)) = (shape, dataset.raw_byte_len()) else {
            return Err(malformed(
                self.path,
                format!("tensor '{name}' claims more than memory has"),
            ));
        };
        let file = Arc::clone(&self.file);
        self.tensors.push(StoredTensor {
            name,
            keys: Vec::new(),
            file: Arc::clone(&self.file),
            shape,
            element: element_type(dataset.dtype()),
            length,
            data: Data::reading(move || {
                without_panics(&file, || {
                    let bytes = dataset.read_raw_bytes();
                    bytes
                        .map(Bytes::from)
                        .map_err(|it| malformed(&file, it.to_string()))
                })
            }),
        });
        Ok(())
    }
}

fn element_type(datatype: &Datatype) -> ElementType {
    match datatype {
        Datatype::FloatingPoint {
            size: 2,
            byte_order: ByteOrder::LittleEndian,
            ..
        } => ElementType::Weight(Storage::F16),
        Datatype::FloatingPoint {
            size: 4,
            byte_order: ByteOrder::LittleEndian,
            ..
        } => ElementType::Weight(Storage::F32),
        Datatype::FloatingPoint {
            size: 8,
            byte_order: ByteOrder::LittleEndian,
            ..
        } => ElementType::Weight(Storage::F64),
        Datatype::FixedPoint { .. } => ElementType::Integer,
        other => ElementType::Other(format!("{other:?}")),
    }
}

fn malformed(path: &Path, reason: String) -> CheckpointError {
    CheckpointError::Malformed {
        path: path.to_owned(),
        format: FORMAT,
        reason,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_of_the_crate_is_an_error_that_names_the_file() {
        let sizes: [usize; 2] = std::hint::black_box([usize::MAX, 2]);
        let overflowing = || {
            let product = sizes
                .iter()
                .try_fold(1, |it: usize, size| it.checked_mul(*size));
            Ok(product.expect("attempt to multiply with overflow"))
        };
        let error = without_panics(Path::new("best_model.h5"), overflowing).unwrap_err();
        let said = error.to_string();
        assert!(said.contains("best_model.h5"), "{said}");
        assert!(said.contains("its sizes overflow"), "{said}");
    }
}
