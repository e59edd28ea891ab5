//! Inspects and verifies files.

use std::path::PathBuf;

use nezha_exporter::inspect as look;
use nezha_graphs::listing as lines;
use nezha_runtime::EngineKind;
use pyo3::prelude::*;

use crate::checkpoint::{Checkpoint, located, open_options};
use crate::engine::{EngineRequest, request};
use crate::failure::{Class, Failure};
use crate::fork::{detached, in_own_pool};

/// The content of a checkpoint or a model: the document of `nezha inspect --json`.
#[pyfunction]
pub(crate) fn inspect(
    py: Python<'_>,
    path: PathBuf,
    options: &Bound<'_, PyAny>,
) -> PyResult<String> {
    let options = open_options(options)?;
    detached(py, move || {
        let inspected = look::inspect(located(path)?, &options)?;
        serde_json::to_string(&inspected)
            .map_err(|error| Failure::new(Class::Model, error.to_string()))
    })
}

/// The graph of a model, one line per node.
#[pyfunction]
pub(crate) fn listing(py: Python<'_>, path: PathBuf) -> PyResult<String> {
    detached(py, || Ok(lines(&look::read_model(path)?)))
}

/// A part of a model's graph as SVG.
#[pyfunction]
pub(crate) fn diagram(py: Python<'_>, path: PathBuf, scope: &str) -> PyResult<String> {
    detached(py, || {
        let model = look::read_model(path)?;
        let graph = model.graph.as_ref();
        let graph = graph.ok_or_else(|| Failure::new(Class::Model, "the model has no graph"))?;
        Ok(look::diagram(graph, scope)?)
    })
}

/// Compares an artifact with its checkpoint. Returns whether it passed, and the certificate as
/// JSON, which is also written beside the artifact and into its metadata if `certify` is true.
#[pyfunction]
pub(crate) fn verify(
    py: Python<'_>,
    model: PathBuf,
    checkpoint: &Checkpoint,
    engines: Vec<String>,
    engine: &Bound<'_, PyAny>,
    certify: bool,
) -> PyResult<(bool, String)> {
    let (_, options) = request::<EngineRequest>(engine)?.resolved()?;
    let checkpoint = &checkpoint.0;
    detached(py, || {
        let engines = engines.iter().map(|it| it.parse::<EngineKind>());
        let engines = engines.collect::<Result<Vec<_>, _>>()?;
        in_own_pool(|| {
            let certificate = match certify {
                true => nezha_verify::certify(&model, checkpoint, &engines, &options)?,
                false => nezha_verify::verify(&model, checkpoint, &engines, &options)?,
            };
            Ok((certificate.passed, certificate.to_json()))
        })
    })
}
