//! Reads and writes tensors in safetensors files.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use nezha_graphs::DType;
use nezha_graphs::files::{FileError, write_file};
use safetensors::tensor::{Dtype, TensorView};
use safetensors::{SafeTensorError, SafeTensors};

use crate::{Tensor, TensorError, Tensors};

/// Why tensors can't be read from a file, or written to one.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TensorsFileError {
    /// The file can't be read.
    #[error("{}: can't be read", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's message.
        source: io::Error,
    },
    /// The file isn't a safetensors file.
    #[error("{}: not a safetensors file", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A tensor has an element type that no graph has.
    #[error(
        "{}: tensor '{name}' is {found}, expected F32, F16, I64, I32, U8, I8 or BOOL",
        path.display()
    )]
    DType {
        /// The file.
        path: PathBuf,
        /// The tensor.
        name: String,
        /// Its element type, by safetensors' name.
        found: String,
    },
    /// The bytes of a tensor don't fit its type and shape.
    #[error(transparent)]
    Tensor(#[from] TensorError),
    /// safetensors can't store the tensors.
    #[error("{}: the tensors can't be stored as safetensors", path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// What is wrong with them.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The file can't be written.
    #[error(transparent)]
    Write(#[from] FileError),
}

/// Reads all tensors of a file.
///
/// # Errors
/// [`TensorsFileError`] if the file can't be read, isn't a safetensors file, or has a tensor that
/// no graph takes.
pub fn read(path: impl AsRef<Path>) -> Result<Tensors, TensorsFileError> {
    let path = path.as_ref();
    let bytes = fs::read(path).map_err(|source| TensorsFileError::Read {
        path: path.to_owned(),
        source,
    })?;
    let file = SafeTensors::deserialize(&bytes).map_err(|source| TensorsFileError::Format {
        path: path.to_owned(),
        source: source.into(),
    })?;
    file.iter()
        .map(|(name, view)| Ok((name.to_owned(), tensor(path, name, &view)?)))
        .collect()
}

fn tensor(path: &Path, name: &str, view: &TensorView) -> Result<Tensor, TensorsFileError> {
    let dtype = ours(view.dtype()).ok_or_else(|| TensorsFileError::DType {
        path: path.to_owned(),
        name: name.to_owned(),
        found: format!("{:?}", view.dtype()),
    })?;
    Ok(Tensor::from_le_bytes(dtype, view.shape(), view.data())?)
}

/// Writes all tensors to a file, atomically: after a failure, the old file is unchanged.
///
/// # Errors
/// [`TensorsFileError::Content`], [`TensorsFileError::Write`].
pub fn write(path: impl AsRef<Path>, tensors: &Tensors) -> Result<(), TensorsFileError> {
    let path = path.as_ref();
    let bytes: Vec<(&str, &Tensor, Vec<u8>)> = tensors
        .iter()
        .map(|(name, tensor)| (name, tensor, tensor.to_le_bytes()))
        .collect();
    let views = bytes.iter().map(|(name, tensor, bytes)| {
        let shape = tensor.shape().to_vec();
        Ok((
            *name,
            TensorView::new(stored(tensor.dtype()), shape, bytes)?,
        ))
    });
    let file = views
        .collect::<Result<Vec<_>, SafeTensorError>>()
        .and_then(|views| safetensors::serialize(views, None))
        .map_err(|source| TensorsFileError::Content {
            path: path.to_owned(),
            source: source.into(),
        })?;
    Ok(write_file(path, file)?)
}

fn ours(stored: Dtype) -> Option<DType> {
    match stored {
        Dtype::F32 => Some(DType::F32),
        Dtype::F16 => Some(DType::F16),
        Dtype::I64 => Some(DType::I64),
        Dtype::I32 => Some(DType::I32),
        Dtype::U8 => Some(DType::U8),
        Dtype::I8 => Some(DType::I8),
        Dtype::BOOL => Some(DType::Bool),
        _ => None,
    }
}

fn stored(dtype: DType) -> Dtype {
    match dtype {
        DType::F32 => Dtype::F32,
        DType::F16 => Dtype::F16,
        DType::I64 => Dtype::I64,
        DType::I32 => Dtype::I32,
        DType::U8 => Dtype::U8,
        DType::I8 => Dtype::I8,
        DType::Bool => Dtype::BOOL,
    }
}
