//! The tensors of a safetensors file.
//!
//! The `safetensors` crate checks the header: its size, its JSON, that the offsets cover the file
//! without holes or overlaps, and that shapes don't overflow. If two names are equal, the crate
//! silently keeps the last, so names are checked here.

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use safetensors::{Dtype, SafeTensors};
use serde::de::IgnoredAny;

use crate::checkpoint::tensor::{Data, ElementType, StoredTensor};
use crate::checkpoint::unique_map::Entries;
use crate::checkpoint::{CheckpointError, Location, Storage};

const FORMAT: &str = "safetensors";

/// Bytes before the header, which are its length.
const PREFIX: usize = 8;

/// The longest header that the format allows; this distinguishes it from the start of a pickle.
const LONGEST_HEADER: u64 = 100_000_000;

/// Whether a file of `size` bytes that starts with `start` is a safetensors file: it starts with
/// the length of a header and a brace.
pub(super) fn starts_like(start: &[u8], size: u64) -> bool {
    let length = start.first_chunk().map(|it| u64::from_le_bytes(*it));
    let is_length = |it: u64| it <= LONGEST_HEADER.min(size);
    length.is_some_and(is_length) && start.get(PREFIX) == Some(&b'{')
}

/// Lists the tensors of the file at `path`, which has these bytes, without reading their elements.
pub(super) fn tensors(data: &Bytes, path: &Path) -> Result<Vec<StoredTensor>, CheckpointError> {
    let malformed = |reason: String| CheckpointError::Malformed {
        path: path.to_owned(),
        format: FORMAT,
        reason,
    };
    let (header_length, metadata) =
        SafeTensors::read_metadata(data).map_err(|error| malformed(error.to_string()))?;
    let start = PREFIX + header_length;
    let header = data.get(PREFIX..start).unwrap_or_default();
    let entries: Entries<IgnoredAny> =
        serde_json::from_slice(header).map_err(|error| malformed(error.to_string()))?;
    if let Some(name) = entries.repeated_key() {
        return Err(CheckpointError::DuplicateTensor {
            path: path.to_owned(),
            first: name.to_owned(),
            second: name.to_owned(),
        });
    }
    let file = Arc::from(path);
    let mut tensors = Vec::with_capacity(entries.0.len());
    for (name, info) in metadata.tensors() {
        let (from, to) = info.data_offsets;
        let (from, to) = (start + from, start + to);
        if data.get(from..to).is_none() {
            return Err(malformed(format!(
                "'{name}' ends after the end of the file"
            )));
        }
        tensors.push(StoredTensor {
            name,
            keys: Vec::new(),
            file: Arc::clone(&file),
            shape: info.shape.clone(),
            element: element_type(info.dtype),
            length: to - from,
            data: Data::Slice {
                bytes: data.slice(from..to),
                location: Location {
                    file: path.to_owned(),
                    offset: from as u64,
                    length: (to - from) as u64,
                },
            },
        });
    }
    Ok(tensors)
}

fn element_type(dtype: Dtype) -> ElementType {
    match dtype {
        Dtype::F32 => ElementType::Weight(Storage::F32),
        Dtype::F16 => ElementType::Weight(Storage::F16),
        Dtype::BF16 => ElementType::Weight(Storage::BF16),
        Dtype::F64 => ElementType::Weight(Storage::F64),
        Dtype::BOOL
        | Dtype::U8
        | Dtype::I8
        | Dtype::U16
        | Dtype::I16
        | Dtype::U32
        | Dtype::I32
        | Dtype::U64
        | Dtype::I64 => ElementType::Integer,
        other => ElementType::Other(format!("{other:?}")),
    }
}
