//! The tensors of one file that `torch.save` wrote: the zip of PyTorch 1.6 and later, and the
//! stream of pickles before it.
//!
//! The `pytorch-reader` crate interprets the pickle. It calls nothing that a pickle names: it knows
//! the few functions that rebuild a tensor and leaves every other object opaque, bounds nesting and
//! copies, and checks each tensor against its storage. A state dict has no use for other objects,
//! so a file with one is refused here by the object's name.
//!
//! Tensors are read one at a time when they are asked for, also those that were saved as views:
//! weights converted from TensorFlow are transposed in the file.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

use bytes::Bytes;
use pytorch_reader::{DType, PickleValue, PytorchError, PytorchReader, Tensor};

use super::tensor::{Data, ElementType, StoredTensor};
use super::{CheckpointError, Storage, file};

const FORMAT: &str = "PyTorch";

/// What a zip file starts with.
const ZIP_MAGIC: [u8; 4] = *b"PK\x03\x04";

/// The number that starts PyTorch's older files, as pickled.
const LEGACY_MAGIC: [u8; 10] = [0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19];

/// Bytes in which the older files' number must begin and end, whatever the pickle protocol.
const MAGIC_WINDOW: u64 = 64;

/// Lists the tensors of the file at `path`; none is read.
pub(super) fn tensors(path: &Path) -> Result<Vec<StoredTensor>, CheckpointError> {
    file::require_file(path)?;
    require_torch_save(path)?;
    let failed = |error| from_reader(error, path);
    let objects = PytorchReader::read_pickle_data(path, None).map_err(failed)?;
    refuse_foreign_objects(&objects, path)?;
    let size = fs::metadata(path)
        .map_err(|source| file::unreadable(path, source))?
        .len();
    let reader = PytorchReader::new(path).map_err(failed)?;
    let mut tensors = Vec::with_capacity(reader.len());
    for (name, tensor) in reader.into_tensors() {
        // An expanded view repeats elements and a compressed storage unfolds: what they come to is
        // bounded by nothing in the file, and no state dict has them.
        if tensor.byte_len() as u64 > size {
            return Err(malformed(
                path,
                format!(
                    "tensor '{name}' with shape {:?} claims more bytes than the whole file has",
                    tensor.shape()
                ),
            ));
        }
        tensors.push(StoredTensor {
            name,
            shape: tensor.shape().to_vec(),
            element: element_type(tensor.dtype()),
            length: tensor.byte_len(),
            data: Data::Torch(tensor),
        });
    }
    Ok(tensors)
}

/// The row-major bytes of a tensor of the file at `path`.
pub(super) fn read(tensor: &Tensor, path: &Path) -> Result<Bytes, CheckpointError> {
    // The reader hands out native byte order, and `Storage` reads little-endian.
    #[cfg(target_endian = "big")]
    compile_error!("weights are read as little-endian");
    tensor
        .read()
        .map(Bytes::from)
        .map_err(|error| from_io(error, path))
}

/// Refuses what `torch.save` has not written in the last ten years, and what it never wrote.
fn require_torch_save(path: &Path) -> Result<(), CheckpointError> {
    let mut start = Vec::new();
    File::open(path)
        .and_then(|file| file.take(MAGIC_WINDOW).read_to_end(&mut start))
        .map_err(|source| file::unreadable(path, source))?;
    let legacy = start
        .windows(LEGACY_MAGIC.len())
        .any(|window| window == LEGACY_MAGIC);
    if start.starts_with(&ZIP_MAGIC) || legacy {
        Ok(())
    } else {
        Err(malformed(
            path,
            "it starts neither like a zip file nor like a stream of torch.save".to_owned(),
        ))
    }
}

/// Refuses a pickle that holds anything but tensors and plain values.
fn refuse_foreign_objects(value: &PickleValue, path: &Path) -> Result<(), CheckpointError> {
    match value {
        PickleValue::List(items) => items
            .iter()
            .try_for_each(|item| refuse_foreign_objects(item, path)),
        PickleValue::Dict(items) => items
            .values()
            .try_for_each(|item| refuse_foreign_objects(item, path)),
        PickleValue::Unsupported(name) if !is_harmless(name) => {
            Err(CheckpointError::ForeignObject {
                path: path.to_owned(),
                object: name.clone(),
            })
        }
        _ => Ok(()),
    }
}

/// Whether an object is a plain value, or a direct member of `torch` such as `torch.float32`.
fn is_harmless(object: &str) -> bool {
    let name = object.strip_prefix("torch.").unwrap_or(object);
    !name.contains('.')
}

fn element_type(dtype: DType) -> ElementType {
    match dtype {
        DType::F32 => ElementType::Weight(Storage::F32),
        DType::F16 => ElementType::Weight(Storage::F16),
        DType::BF16 => ElementType::Weight(Storage::BF16),
        DType::F64 => ElementType::Weight(Storage::F64),
        DType::I64
        | DType::I32
        | DType::I16
        | DType::I8
        | DType::U64
        | DType::U32
        | DType::U16
        | DType::U8
        | DType::Bool => ElementType::Integer,
    }
}

fn malformed(path: &Path, reason: String) -> CheckpointError {
    CheckpointError::Malformed {
        path: path.to_owned(),
        format: FORMAT,
        reason,
    }
}

fn from_reader(error: PytorchError, path: &Path) -> CheckpointError {
    match error {
        PytorchError::Io(error) => from_io(error, path),
        other => malformed(path, other.to_string()),
    }
}

/// An error of the operating system is its own; any other says that the file contradicts itself.
fn from_io(error: io::Error, path: &Path) -> CheckpointError {
    match error.raw_os_error() {
        Some(_) => file::unreadable(path, error),
        None => malformed(path, error.to_string()),
    }
}
