//! A model in an engine: arrays in, arrays out.

use std::path::PathBuf;

use nezha_graphs::{DType, Port};
use nezha_runtime::{EngineChoice, EngineOptions, Tensors};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::engine::{EngineRequest, request};
use crate::failure::Failure;
use crate::fork::{Reopened, detached};
use crate::tensors::{array, tensor};

/// A model in an engine.
#[pyclass(frozen, module = "nezha_onnx._nezha")]
pub(crate) struct Session(Reopened<nezha_runtime::Session>);

#[pymethods]
impl Session {
    #[new]
    fn new(py: Python<'_>, path: PathBuf, engine: &Bound<'_, PyAny>) -> PyResult<Self> {
        let (choice, options) = request::<EngineRequest>(engine)?.resolved()?;
        let open = move || open(&path, &choice, &options);
        Ok(Self(Reopened::new(py, open)?))
    }

    /// Name, element type and shape of each input, in the graph's order.
    fn inputs<'py>(&self, py: Python<'py>) -> PyResult<Vec<Described<'py>>> {
        let session = self.0.get(py)?;
        let ports = session.signature().inputs.iter();
        ports.map(|port| described(py, port)).collect()
    }

    /// Name, element type and shape of each output, in the graph's order.
    fn outputs<'py>(&self, py: Python<'py>) -> PyResult<Vec<Described<'py>>> {
        let session = self.0.get(py)?;
        let ports = session.signature().outputs.iter();
        ports.map(|port| described(py, port)).collect()
    }

    /// Computes all outputs.
    fn run<'py>(
        &self,
        py: Python<'py>,
        inputs: &Bound<'py, PyDict>,
    ) -> PyResult<Bound<'py, PyDict>> {
        let session = self.0.get(py)?;
        let mut tensors = Tensors::default();
        for (name, value) in inputs {
            let name: String = name.extract()?;
            let value = tensor(&name, &value)?;
            tensors.insert(name, value);
        }
        let outputs = detached(py, || Ok(session.run(tensors)?))?;
        let answers = PyDict::new(py);
        for (name, output) in outputs {
            answers.set_item(name, array(py, output)?)?;
        }
        Ok(answers)
    }

    /// The engine, with its version and device.
    #[getter]
    fn engine(&self, py: Python<'_>) -> PyResult<String> {
        Ok(self.0.get(py)?.engine().description().to_owned())
    }

    /// The engine's name, as in the option.
    #[getter]
    fn engine_name(&self, py: Python<'_>) -> PyResult<String> {
        Ok(self.0.get(py)?.engine().kind().to_string())
    }

    /// Why the engines that were tried before don't start.
    #[getter]
    fn skipped(&self, py: Python<'_>) -> PyResult<Vec<String>> {
        let session = self.0.get(py)?;
        let skipped = session.skipped().iter();
        Ok(skipped
            .map(|it| nezha_graphs::error_chain(&it.error))
            .collect())
    }

    /// The head, if the model says it.
    #[getter]
    fn head(&self, py: Python<'_>) -> PyResult<Option<String>> {
        let session = self.0.get(py)?;
        Ok(session.metadata().map(|it| it.head.name().to_owned()))
    }

    /// The names of the labels, if the model says them.
    #[getter]
    fn labels(&self, py: Python<'_>) -> PyResult<Vec<String>> {
        let session = self.0.get(py)?;
        Ok(session.config().map_or(Vec::new(), |it| it.labels.clone()))
    }

    /// Frees the engine.
    fn close(&self, py: Python<'_>) {
        self.0.close(py);
    }
}

fn open(
    path: &PathBuf,
    choice: &EngineChoice,
    options: &EngineOptions,
) -> Result<nezha_runtime::Session, Failure> {
    let builder = nezha_runtime::Session::builder().engine(choice);
    Ok(builder.engine_options(options.clone()).load(path)?)
}

/// Name, element type in ONNX Runtime's notation, and the sizes or names of the axes.
type Described<'py> = (String, String, Vec<Bound<'py, PyAny>>);

fn described<'py>(py: Python<'py>, port: &Port) -> PyResult<Described<'py>> {
    let element = match port.dtype {
        DType::F32 => "float",
        DType::F16 => "float16",
        DType::I64 => "int64",
        DType::I32 => "int32",
        DType::U8 => "uint8",
        DType::I8 => "int8",
        DType::Bool => "bool",
    };
    let axis = |dim: &nezha_graphs::Dim| match dim.as_fixed() {
        Some(size) => Ok(size.into_pyobject(py)?.into_any()),
        None => Ok(dim.to_string().into_pyobject(py)?.into_any()),
    };
    let shape = port.shape.iter().map(axis);
    Ok((
        port.name.clone(),
        format!("tensor({element})"),
        shape.collect::<PyResult<_>>()?,
    ))
}
