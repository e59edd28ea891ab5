//! Exports checkpoints to artifacts.

use std::num::NonZeroUsize;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use nezha_exporter::checkpoint;
use nezha_exporter::{
    Artifact, ExportError, ExportOptions, Exported, Heads, Placement, TritonOptions, WrittenFile,
    export_with_progress,
};
use nezha_graphs::head_spec::HeadSpecFile;
use nezha_graphs::{GraphOptions, Head, Precision};
use nezha_verify::Comparison;
use pyo3::prelude::*;
use serde::{Deserialize, Serialize};

use crate::checkpoint::Checkpoint;
use crate::engine::{EngineRequest, request};
use crate::failure::{Class, Failure};
use crate::fork::{detached, in_own_pool};

/// How often Python is asked whether the export continues.
const INTERVAL: Duration = Duration::from_millis(50);

/// The options of an export.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ExportRequest {
    /// `None` for all heads, an empty list for the default.
    heads: Option<Vec<String>>,
    /// Files with heads of the user's own.
    head_specs: Vec<PathBuf>,
    dtypes: Vec<String>,
    opset: u32,
    weights: PlacementName,
    layout: String,
    instances: Option<usize>,
    tensorrt: bool,
    force: bool,
    graph: GraphOptions,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum PlacementName {
    Auto,
    Embedded,
    External,
    Linked,
}

impl ExportRequest {
    fn heads(&self, checkpoint: &checkpoint::Checkpoint) -> Result<Heads, Failure> {
        let Some(names) = &self.heads else {
            return match self.head_specs.is_empty() {
                true => Ok(Heads::All),
                false => Err(Failure::new(
                    Class::Option,
                    "head 'all' can't be combined with head_spec: name the heads instead",
                )),
            };
        };
        let named = names.iter().map(|it| it.parse::<Head>());
        let mut heads = named.collect::<Result<Vec<_>, _>>()?;
        for file in &self.head_specs {
            let spec = HeadSpecFile::open(file)?;
            heads.push(spec.resolve(checkpoint.config(), checkpoint)?);
        }
        Ok(match heads.is_empty() {
            true => Heads::Default,
            false => Heads::Named(heads),
        })
    }

    fn options(self, checkpoint: &checkpoint::Checkpoint) -> Result<ExportOptions, Failure> {
        let heads = self.heads(checkpoint)?;
        let precisions = self.dtypes.iter().map(|it| it.parse::<Precision>());
        let instances = self.instances.map(|it| {
            let refused = "instances: expected at least 1, found 0";
            NonZeroUsize::new(it).ok_or_else(|| Failure::new(Class::Option, refused))
        });
        Ok(ExportOptions::default()
            .heads(heads)
            .precisions(precisions.collect::<Result<Vec<_>, _>>()?)
            .graph(self.graph)
            .opset(self.opset)
            .weights(match self.weights {
                PlacementName::Auto => Placement::Auto,
                PlacementName::Embedded => Placement::Embedded,
                PlacementName::External => Placement::External,
                PlacementName::Linked => Placement::Linked,
            })
            .layout(self.layout.parse()?)
            .triton(
                TritonOptions::default()
                    .instances(instances.transpose()?)
                    .tensorrt(self.tensorrt),
            )
            .force(self.force))
    }
}

/// The files that were written, for the package.
#[derive(Serialize)]
struct ExportedDocument {
    artifacts: Vec<ArtifactDocument>,
    weights: Vec<FileDocument>,
    skipped: Vec<(&'static str, String)>,
    warnings: Vec<String>,
}

#[derive(Deserialize, Serialize)]
struct ArtifactDocument {
    head: String,
    opset: u32,
    dtype: String,
    path: PathBuf,
    bytes: u64,
}

#[derive(Serialize)]
struct FileDocument {
    path: PathBuf,
    bytes: u64,
}

impl From<&Artifact> for ArtifactDocument {
    fn from(artifact: &Artifact) -> Self {
        Self {
            head: artifact.head.name().to_owned(),
            opset: artifact.opset,
            dtype: artifact.precision.name().to_owned(),
            path: artifact.file.path.clone(),
            bytes: artifact.file.bytes,
        }
    }
}

impl ArtifactDocument {
    /// The artifact; its head may be one of those that were requested.
    fn artifact(&self, asked: &Heads) -> Result<Artifact, Failure> {
        let named = match asked {
            Heads::Named(heads) => heads.iter().find(|it| it.name() == self.head).copied(),
            _ => None,
        };
        Ok(Artifact {
            head: named.map_or_else(|| self.head.parse(), Ok)?,
            opset: self.opset,
            precision: self.dtype.parse()?,
            file: WrittenFile {
                path: self.path.clone(),
                bytes: self.bytes,
            },
        })
    }
}

impl From<Exported> for ExportedDocument {
    fn from(exported: Exported) -> Self {
        let file = |it: &WrittenFile| FileDocument {
            path: it.path.clone(),
            bytes: it.bytes,
        };
        let skipped = exported.skipped.iter();
        Self {
            artifacts: exported.artifacts.iter().map(Into::into).collect(),
            weights: exported.weights.iter().map(file).collect(),
            skipped: skipped
                .map(|(head, why)| (head.name(), why.to_string()))
                .collect(),
            warnings: exported.warnings.iter().map(ToString::to_string).collect(),
        }
    }
}

/// Exports; calls `progress(written, total)` at most every 50 ms, and at the end.
#[pyfunction]
pub(crate) fn export<'py>(
    py: Python<'py>,
    checkpoint: &Checkpoint,
    output: PathBuf,
    options: &Bound<'py, PyAny>,
    progress: Option<Py<PyAny>>,
) -> PyResult<Bound<'py, PyAny>> {
    let options = request::<ExportRequest>(options)?.options(&checkpoint.0)?;
    let checkpoint = &checkpoint.0;
    let mut raised = None;
    let mut told = Instant::now();
    let exported = detached(py, || {
        let mut tell = |written: u64, total: u64| {
            if written < total && told.elapsed() < INTERVAL {
                return ControlFlow::Continue(());
            }
            told = Instant::now();
            match Python::attach(|py| asked(py, progress.as_ref(), written, total)) {
                Ok(()) => ControlFlow::Continue(()),
                Err(error) => {
                    raised = Some(error);
                    ControlFlow::Break(())
                }
            }
        };
        in_own_pool(|| {
            let exported = export_with_progress(checkpoint, output, &options, &mut |at| {
                tell(at.written, at.total)
            });
            match exported {
                Err(ExportError::Stopped) => Ok(None),
                exported => Ok(Some(exported?)),
            }
        })
    });
    match (raised, exported?) {
        (Some(error), _) => Err(error),
        (None, Some(exported)) => Ok(pythonize::pythonize(py, &ExportedDocument::from(exported))?),
        (None, None) => Err(Failure::from(ExportError::Stopped).into()),
    }
}

/// Lets Ctrl-C and the callback stop the export.
fn asked(py: Python<'_>, progress: Option<&Py<PyAny>>, written: u64, total: u64) -> PyResult<()> {
    py.check_signals()?;
    match progress {
        Some(progress) => progress.call1(py, (written, total)).map(|_| ()),
        None => Ok(()),
    }
}

/// Compares artifacts with single precision: for each, the document of `nezha export --agreement`
/// as JSON, which is also written beside the artifact.
#[pyfunction]
pub(crate) fn agreement(
    py: Python<'_>,
    checkpoint: &Checkpoint,
    options: &Bound<'_, PyAny>,
    artifacts: &Bound<'_, PyAny>,
    texts: Option<PathBuf>,
    engine: &Bound<'_, PyAny>,
) -> PyResult<Vec<(PathBuf, bool, String)>> {
    let options = request::<ExportRequest>(options)?.options(&checkpoint.0)?;
    let artifacts: Vec<ArtifactDocument> = request(artifacts)?;
    let (choice, engine) = request::<EngineRequest>(engine)?.resolved()?;
    let checkpoint = &checkpoint.0;
    detached(py, || {
        in_own_pool(|| {
            let artifacts = artifacts.iter().map(|it| it.artifact(&options.heads));
            let artifacts = artifacts.collect::<Result<Vec<_>, _>>()?;
            let comparison = Comparison {
                checkpoint,
                export: &options,
                texts: texts.as_deref(),
                engine: &choice,
                options: &engine,
            };
            let narrow = artifacts
                .iter()
                .filter(|it| it.precision != Precision::Fp32);
            let report = |artifact: &Artifact| {
                let report = comparison.report(artifact, &artifacts)?;
                report.write(&artifact.file.path)?;
                let json = serde_json::to_string(&report)
                    .map_err(|error| Failure::new(Class::Verification, error.to_string()))?;
                Ok((artifact.file.path.clone(), report.is_broken(), json))
            };
            narrow.map(report).collect()
        })
    })
}
