//! Checkpoints from files, from the hub, or from a program's memory.

use std::path::PathBuf;
use std::sync::Arc;

use nezha_exporter::checkpoint::{self, MemoryTensor, OpenOptions, read_labels};
use nezha_hub::{Hub, ModelId};
use numpy::PyArray1;
use pyo3::prelude::*;
use serde::Deserialize;

use crate::engine::request;
use crate::failure::Failure;
use crate::foreign;
use crate::fork::detached;

/// The options to read a checkpoint.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OpenRequest {
    key: Option<String>,
    prefix: Option<String>,
    config: Option<PathBuf>,
    labels: Option<Labels>,
    num_labels: Option<usize>,
    max_relative_position: Option<usize>,
    hidden_act: Option<String>,
    decoder: bool,
    mmap: bool,
}

/// The labels, or the file that lists them.
#[derive(Deserialize)]
#[serde(untagged)]
enum Labels {
    File(PathBuf),
    Named(Vec<String>),
}

impl OpenRequest {
    fn options(self) -> Result<OpenOptions, Failure> {
        let mut options = OpenOptions::default().mmap(self.mmap).decoder(self.decoder);
        if let Some(key) = self.key {
            options = options.key(key);
        }
        if let Some(prefix) = self.prefix {
            options = options.prefix(prefix);
        }
        if let Some(file) = self.config {
            options = options.config(file);
        }
        options = match self.labels {
            Some(Labels::File(file)) => options.labels(read_labels(&file)?),
            Some(Labels::Named(names)) => options.labels(names),
            None => options,
        };
        if let Some(count) = self.num_labels {
            options = options.num_labels(count);
        }
        if let Some(distance) = self.max_relative_position {
            options = options.max_relative_position(distance);
        }
        if let Some(name) = self.hidden_act {
            options = options.hidden_act(name.parse()?);
        }
        Ok(options)
    }
}

/// An open checkpoint.
#[pyclass(frozen, module = "nezha_onnx._nezha")]
pub(crate) struct Checkpoint(pub(crate) Arc<checkpoint::Checkpoint>);

/// A tensor as the package passes it: name, dtype, shape and bytes.
type Tensor<'py> = (String, String, Vec<usize>, Bound<'py, PyArray1<u8>>);

#[pymethods]
impl Checkpoint {
    /// Opens a folder or a file, or, if there is no such path, a model on the hub.
    #[staticmethod]
    fn open(py: Python<'_>, path: PathBuf, options: &Bound<'_, PyAny>) -> PyResult<Self> {
        let options: OpenRequest = request(options)?;
        let opened = detached(py, move || {
            let path = located(path)?;
            Ok(checkpoint::Checkpoint::open(path, &options.options()?)?)
        });
        Ok(Self(Arc::new(opened?)))
    }

    /// Takes tensors, whose bytes are not copied.
    #[staticmethod]
    fn from_tensors(
        py: Python<'_>,
        tensors: Vec<Tensor<'_>>,
        config: &str,
        folder: PathBuf,
        options: &Bound<'_, PyAny>,
    ) -> PyResult<Self> {
        let options: OpenRequest = request(options)?;
        let tensor = |(name, dtype, shape, array): Tensor<'_>| {
            Ok(MemoryTensor {
                bytes: foreign::bytes_of(&array)?,
                name,
                dtype,
                shape,
            })
        };
        let tensors = tensors.into_iter().map(tensor);
        let tensors = tensors.collect::<PyResult<Vec<_>>>()?;
        let opened = detached(py, || {
            let options = options.options()?;
            Ok(checkpoint::Checkpoint::from_tensors(
                tensors, config, folder, &options,
            )?)
        });
        Ok(Self(Arc::new(opened?)))
    }
}

/// The path itself, or the folder of the model with this name, which is downloaded if necessary.
pub(crate) fn located(path: PathBuf) -> Result<PathBuf, Failure> {
    match ModelId::unless_path(&path) {
        None => Ok(path),
        Some(model) => Ok(Hub::from_env()?.fetch(&model, &mut |_| {})?.folder),
    }
}

/// The options of a checkpoint that `inspect` opens itself.
pub(crate) fn open_options(options: &Bound<'_, PyAny>) -> Result<OpenOptions, Failure> {
    request::<OpenRequest>(options)?.options()
}
