//! The tensors of a file that `torch.save` wrote: the zip of PyTorch 1.6 and later, and the older
//! stream of pickles.
//!
//! The `pytorch-reader` crate interprets the pickle. It calls no function that the pickle names: it
//! knows the few functions that rebuild a tensor, and doesn't interpret other objects. It limits
//! nesting and copies, and checks each tensor against its storage. A pickled module is read as its
//! state dict. Scalars of Python and of NumPy beside the tensors are harmless; a file with any
//! other object is refused here, and the error names the object.
//!
//! Tensors are read one at a time when they are asked for, including those that were saved as
//! views: weights converted from TensorFlow are transposed views.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use pytorch_reader::{DType, PickleValue, PytorchError, PytorchReader, Tensor};

use crate::checkpoint::tensor::{Data, ElementType, StoredTensor};
use crate::checkpoint::{CheckpointError, Storage, file};

const FORMAT: &str = "PyTorch";

/// The first bytes of a zip file.
const ZIP_MAGIC: [u8; 4] = *b"PK\x03\x04";

/// The pickled number at the start of PyTorch's older files.
const LEGACY_MAGIC: [u8; 10] = [0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19];

/// The same number as written by pickle protocols 0 and 1.
const LEGACY_MAGIC_TEXT: &[u8] = b"119547037146038801333356";

/// The reader's name for a tensor.
const TENSOR: &str = "torch.Tensor";

/// Objects beside tensors that are plain numbers, even though a pickle creates them by a call.
const NUMBERS: [&str; 6] = [
    "numpy.core.multiarray.scalar",
    "numpy._core.multiarray.scalar",
    "numpy.core.multiarray._reconstruct",
    "numpy._core.multiarray._reconstruct",
    "numpy.dtype",
    "numpy.ndarray",
];

/// Whether a file that starts with `start` is one that `torch.save` wrote.
pub(super) fn starts_like(start: &[u8]) -> bool {
    let holds = |magic: &[u8]| start.windows(magic.len()).any(|window| window == magic);
    start.starts_with(&ZIP_MAGIC) || holds(&LEGACY_MAGIC) || holds(LEGACY_MAGIC_TEXT)
}

/// Lists the tensors of the file at `path`, without reading their elements.
pub(super) fn tensors(path: &Path) -> Result<Vec<StoredTensor>, CheckpointError> {
    file::require_file(path)?;
    let failed = |error| from_reader(error, path);
    let objects = PytorchReader::read_pickle_data(path, None).map_err(failed)?;
    refuse_foreign_objects(&objects, path)?;
    let keys = keys_by_name(&objects, path)?;
    let size = fs::metadata(path)
        .map_err(|source| file::unreadable(path, source))?
        .len();
    let reader = PytorchReader::new(path).map_err(failed)?;
    let file: Arc<Path> = Arc::from(path);
    let mut tensors = Vec::with_capacity(reader.len());
    for (name, tensor) in reader.into_tensors() {
        // An expanded view repeats elements, and a compressed storage grows when it is read.
        // Nothing in the file limits the resulting size, but no state dict has either.
        if tensor.byte_len() as u64 > size {
            return Err(malformed(
                path,
                format!(
                    "tensor '{name}' with shape {:?} claims more bytes than the whole file has",
                    tensor.shape()
                ),
            ));
        }
        let source = Arc::clone(&file);
        tensors.push(StoredTensor {
            keys: keys.get(&name).cloned().unwrap_or_default(),
            name,
            file: Arc::clone(&file),
            shape: tensor.shape().to_vec(),
            element: element_type(tensor.dtype()),
            length: tensor.byte_len(),
            data: Data::reading(move || read(&tensor, &source)),
        });
    }
    Ok(tensors)
}

/// For each tensor, the offsets in its name where the keys of the enclosing mappings end.
fn keys_by_name(
    objects: &PickleValue,
    path: &Path,
) -> Result<BTreeMap<String, Vec<usize>>, CheckpointError> {
    let mut found = Vec::new();
    list_tensors(objects, "", &[], &mut found);
    let mut keys = BTreeMap::new();
    for (name, ends) in found {
        if keys.insert(name.clone(), ends).is_some() {
            return Err(CheckpointError::DuplicateTensor {
                path: path.to_owned(),
                first: name.clone(),
                second: name,
            });
        }
    }
    Ok(keys)
}

/// The row-major bytes of a tensor of the file at `path`.
fn read(tensor: &Tensor, path: &Path) -> Result<Bytes, CheckpointError> {
    // The reader returns native byte order, but `Storage` reads little-endian.
    #[cfg(target_endian = "big")]
    compile_error!("weights are read as little-endian");
    tensor
        .read()
        .map(Bytes::from)
        .map_err(|error| from_io(error, path))
}

/// Lists the tensors in `value`, whose name is `path`: their names, and the offsets in these where
/// each key ends.
fn list_tensors(
    value: &PickleValue,
    path: &str,
    keys: &[usize],
    found: &mut Vec<(String, Vec<usize>)>,
) {
    let mut descend = |key: &str, item: &PickleValue| {
        let inner = match path {
            "" => key.to_owned(),
            path => format!("{path}.{key}"),
        };
        if let PickleValue::Unsupported(name) = item {
            if name == TENSOR {
                found.push((inner, keys.to_vec()));
            }
            return;
        }
        let keys = [keys, &[inner.len() + 1]].concat();
        list_tensors(item, &inner, &keys, found);
    };
    match value {
        PickleValue::Dict(items) => items.iter().for_each(|(key, item)| descend(key, item)),
        PickleValue::List(items) => {
            let numbered = items.iter().enumerate();
            numbered.for_each(|(number, item)| descend(&number.to_string(), item));
        }
        _ => {}
    }
}

/// Refuses a pickle that contains anything but tensors and plain values.
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

/// Whether an object is a plain value, a NumPy number, or a direct member of `torch` such as
/// `torch.float32`.
fn is_harmless(object: &str) -> bool {
    let name = object.strip_prefix("torch.").unwrap_or(object);
    !name.contains('.') || NUMBERS.contains(&object)
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

/// An error of the operating system is reported as such; any other means that the file is
/// inconsistent.
fn from_io(error: io::Error, path: &Path) -> CheckpointError {
    match error.raw_os_error() {
        Some(_) => file::unreadable(path, error),
        None => malformed(path, error.to_string()),
    }
}
