//! The cost of fewer bits: compares the outputs of an artifact with those of the same graph in
//! single precision, in the same engine.

use std::path::{Path, PathBuf};

use nezha_exporter::checkpoint::Checkpoint;
use nezha_exporter::verify::{Document, write_document};
use nezha_exporter::{Artifact, ExportOptions, Heads, Layout, Placement, export};
use nezha_graphs::{Metadata, Precision};
use nezha_runtime::{EngineChoice, EngineOptions, Model, Session, Tensors};
use serde::Serialize;

use crate::agreement::{OutputAgreement, common};
use crate::error::AgreementError;
use crate::{cases, tensors, texts};

/// The version of the fields of `agreement.json`.
const FORMAT_VERSION: u32 = 1;

/// An artifact compared with single precision, in the order of the document.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct AgreementReport {
    /// The version of the fields of `agreement.json`.
    pub format_version: u32,
    /// The program that compared, with its version.
    pub measured_by: String,
    /// The artifact's head.
    pub head: &'static str,
    /// The artifact's precision.
    pub dtype: &'static str,
    /// The precision that it is compared with.
    pub reference: &'static str,
    /// The engine that ran both: name, version, device.
    pub engine: String,
    /// XXH3-128 of the checkpoint's tensors, as recorded in the artifact.
    pub source_digest: String,
    /// The texts that the weights were calibrated with: always `none`.
    pub calibration: &'static str,
    /// The inputs of both.
    pub questions: Questions,
    /// Each output compared with that in single precision.
    pub outputs: Vec<OutputReport>,
}

/// The inputs of both models.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Questions {
    /// The file of texts; null for random token ids.
    pub texts: Option<PathBuf>,
    /// The number of texts, or of batches of token ids.
    pub count: usize,
}

/// One output compared with the same output in single precision.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct OutputReport {
    /// The output's name.
    pub name: String,
    /// How many elements were compared.
    pub elements: usize,
    /// The largest difference between two elements; NaN, which is null in JSON, if one of them is
    /// NaN.
    pub worst_error: f64,
    /// The largest difference, divided by the largest magnitude of the output in single precision.
    pub worst_relative_error: f64,
    /// The mean difference between two elements.
    pub mean_error: f64,
    /// The cosine of the angle between both outputs.
    pub cosine_similarity: f64,
    /// The share of rows, along the last axis, whose largest elements are at the same place; null
    /// for an output without axes.
    pub argmax_agreement: Option<f64>,
}

/// How both models are run, and with which inputs.
#[derive(Clone, Copy, Debug)]
pub struct Comparison<'a> {
    /// The checkpoint that the artifacts were exported from.
    pub checkpoint: &'a Checkpoint,
    /// The options that they were exported with.
    pub export: &'a ExportOptions,
    /// A file with one text per line; `None` for random token ids.
    pub texts: Option<&'a Path>,
    /// The engine that runs both.
    pub engine: &'a EngineChoice,
    /// The options that it is started with.
    pub options: &'a EngineOptions,
}

impl Comparison<'_> {
    /// Compares one artifact with single precision. `artifacts` are those that were exported with
    /// it; if the one in single precision is missing among them, it is exported.
    ///
    /// # Errors
    /// [`AgreementError`] if the comparison can't be made.
    pub fn report(
        &self,
        artifact: &Artifact,
        artifacts: &[Artifact],
    ) -> Result<AgreementReport, AgreementError> {
        let path = &artifact.file.path;
        let model = Model::open(path)?;
        let metadata = model.metadata();
        let metadata = metadata.ok_or_else(|| AgreementError::NoMetadata { path: path.clone() })?;
        let session = Session::builder()
            .engine(self.engine)
            .engine_options(self.options.clone())
            .load(path)?;
        let kind = session.engine().kind();
        let folder =
            tempfile::tempdir().map_err(|source| AgreementError::TemporaryFolder { source })?;
        let is_reference =
            |it: &&Artifact| (it.head, it.precision) == (artifact.head, Precision::Fp32);
        let reference = match artifacts.iter().find(is_reference) {
            Some(exported) => exported.file.path.clone(),
            None => self.export_reference(artifact, folder.path())?,
        };
        let reference = Session::builder()
            .engine(kind)
            .engine_options(self.options.of(kind))
            .load(&reference)?;
        let questions = self.questions(&session, metadata)?;
        let mut outputs: Vec<(String, OutputAgreement)> = Vec::new();
        for question in &questions {
            let found = session.run(question.clone())?;
            let expected = reference.run(question.clone())?;
            for (name, found, expected) in common(&found, &expected) {
                let known = outputs.iter().position(|(it, _)| it == name);
                let place = known.unwrap_or_else(|| {
                    outputs.push((name.to_owned(), OutputAgreement::default()));
                    outputs.len() - 1
                });
                outputs[place].1.add(found, expected);
            }
        }
        Ok(AgreementReport {
            format_version: FORMAT_VERSION,
            measured_by: format!("nezha-onnx {}", env!("CARGO_PKG_VERSION")),
            head: artifact.head.name(),
            dtype: artifact.precision.name(),
            reference: Precision::Fp32.name(),
            engine: session.engine().description().to_owned(),
            source_digest: metadata.source_digest.clone(),
            calibration: "none",
            questions: Questions {
                texts: self.texts.map(Path::to_owned),
                count: questions.len(),
            },
            outputs: outputs.into_iter().map(OutputReport::new).collect(),
        })
    }

    /// Exports the artifact's graph in single precision.
    fn export_reference(
        &self,
        artifact: &Artifact,
        folder: &Path,
    ) -> Result<PathBuf, AgreementError> {
        let options = self
            .export
            .clone()
            .heads(Heads::Named(vec![artifact.head]))
            .precisions(vec![Precision::Fp32])
            .weights(Placement::Auto)
            .layout(Layout::Plain);
        export(self.checkpoint, folder, &options)?;
        Ok(folder.join("model.onnx"))
    }

    /// Each text by itself, so that there is no padding; without texts, the cases of `nezha
    /// verify`.
    fn questions(
        &self,
        session: &Session,
        metadata: &Metadata,
    ) -> Result<Vec<Tensors>, AgreementError> {
        let Some(file) = self.texts else {
            let config = self.checkpoint.config();
            let (cases, _) = cases(config, metadata.head, &metadata.options);
            return Ok(cases
                .iter()
                .map(|it| tensors(&it.inputs, session.signature()))
                .collect());
        };
        let texts = texts::lines(file, self.checkpoint.folder(), usize::MAX)?;
        if texts.is_empty() {
            let path = file.to_owned();
            return Err(AgreementError::NoText { path });
        }
        let ports = &session.signature().inputs;
        let given: Vec<_> = ports
            .iter()
            .filter(|it| !it.role.is_past())
            .cloned()
            .collect();
        texts
            .into_iter()
            .map(|text| Ok(texts::tensors(&given, &vec![text])?))
            .collect()
    }
}

impl OutputReport {
    fn new((name, agreement): (String, OutputAgreement)) -> Self {
        let (rows, same) = agreement.rows();
        Self {
            name,
            elements: agreement.elements(),
            worst_error: agreement.worst_error(),
            worst_relative_error: agreement.worst_relative_error(),
            mean_error: agreement.mean_error(),
            cosine_similarity: agreement.cosine_similarity(),
            argmax_agreement: (rows > 0).then(|| same as f64 / rows as f64),
        }
    }
}

impl AgreementReport {
    /// The document as JSON.
    pub fn to_json(&self) -> String {
        serde_json::to_string_pretty(self).unwrap_or_default()
    }

    /// Whether an output is NaN where single precision is not: this model needs more bits.
    pub fn is_broken(&self) -> bool {
        self.outputs.iter().any(|it| it.worst_error.is_nan())
    }

    /// Writes `agreement.json` beside the artifact at `model`.
    ///
    /// # Errors
    /// [`AgreementError::Write`].
    pub fn write(&self, model: impl AsRef<Path>) -> Result<(), AgreementError> {
        Ok(write_document(
            model,
            Document::Agreement,
            &(self.to_json() + "\n"),
        )?)
    }
}
