//! What fewer bits cost: the answers of an artifact beside those of the same graph in single
//! precision, in the same engine.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use comfy_table::Table;
use comfy_table::presets::UTF8_FULL_CONDENSED;
use nezha_exporter::checkpoint::Checkpoint;
use nezha_exporter::verify::{Document, write_document};
use nezha_exporter::{Artifact, ExportOptions, Heads, Layout, Placement, export};
use nezha_graphs::{Metadata, Precision};
use nezha_runtime::{EngineChoice, EngineOptions, Model, Session, Tensors};
use serde::Serialize;

use crate::agreement::{OutputAgreement, common};
use crate::{output, texts, verify};

/// Version of the fields of `agreement.json`.
const FORMAT_VERSION: u32 = 1;

/// An artifact beside single precision, in the order of the document.
#[derive(Serialize)]
struct Report {
    format_version: u32,
    measured_by: String,
    head: &'static str,
    /// The artifact's precision.
    dtype: &'static str,
    /// What it is compared with.
    reference: &'static str,
    /// What computed both: name, version, device.
    engine: String,
    /// XXH3-128 of the checkpoint's tensors, as the artifact has it.
    source_digest: String,
    /// Texts that the weights were fitted to: none ever are.
    calibration: &'static str,
    questions: Asked,
    outputs: Vec<OutputReport>,
}

/// What both were asked.
#[derive(Serialize)]
struct Asked {
    /// The file of texts; null for token ids at random.
    texts: Option<PathBuf>,
    /// Texts, or batches of token ids.
    count: usize,
}

#[derive(Serialize)]
struct OutputReport {
    name: String,
    elements: usize,
    /// Errors are null where one of the numbers is none.
    worst_error: f64,
    /// By the largest magnitude of the output in single precision.
    worst_relative_error: f64,
    mean_error: f64,
    cosine_similarity: f64,
    /// The share of rows, along the last axis, whose largest element is at the same place; null for
    /// an output without axes.
    argmax_agreement: Option<f64>,
}

/// Where both compute, and what they are asked.
pub struct Comparison<'a> {
    pub checkpoint: &'a Checkpoint,
    /// How the artifacts were exported.
    pub export: &'a ExportOptions,
    /// A file of texts, a line each; token ids at random where absent.
    pub texts: Option<&'a Path>,
    pub engine: &'a EngineChoice,
    pub options: &'a EngineOptions,
}

impl Comparison<'_> {
    /// Compares each artifact of fewer bits, prints a table and writes `agreement.json` beside it.
    ///
    /// # Errors
    /// Where nothing can be asked or answered, and where an answer has no number that single precision
    /// has one for.
    pub fn run(&self, artifacts: &[Artifact]) -> Result<()> {
        let mut broken = Vec::new();
        for artifact in artifacts
            .iter()
            .filter(|it| it.precision != Precision::Fp32)
        {
            let path = &artifact.file.path;
            let report = self.report(artifact, artifacts)?;
            output::line(report.title(path))?;
            output::line(report.table())?;
            let text = serde_json::to_string_pretty(&report)?;
            write_document(path, Document::Agreement, &(text + "\n"))?;
            if report.outputs.iter().any(|it| it.worst_error.is_nan()) {
                broken.push(path.display().to_string());
            }
        }
        if !broken.is_empty() {
            bail!(
                "{}: answers that are no numbers where fp32's are: these weights need more bits",
                broken.join(", ")
            );
        }
        Ok(())
    }

    /// One artifact beside single precision, which may be among those that were exported with it.
    fn report(&self, artifact: &Artifact, artifacts: &[Artifact]) -> Result<Report> {
        let path = &artifact.file.path;
        let model = Model::open(path)?;
        let metadata = model.metadata();
        let metadata = metadata.with_context(|| format!("{}: no metadata", path.display()))?;
        let session = Session::load(path, self.engine, self.options)?;
        let kind = session.engine().kind();
        let folder = tempfile::tempdir().context("no temporary folder for fp32")?;
        let is_reference =
            |it: &&Artifact| (it.head, it.precision) == (artifact.head, Precision::Fp32);
        let reference = match artifacts.iter().find(is_reference) {
            Some(exported) => exported.file.path.clone(),
            None => self.export_reference(artifact, folder.path())?,
        };
        let reference = Session::load(&reference, &kind.into(), &self.options.of(kind))?;
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
        Ok(Report {
            format_version: FORMAT_VERSION,
            measured_by: format!("nezha-onnx {}", env!("CARGO_PKG_VERSION")),
            head: artifact.head.name(),
            dtype: artifact.precision.name(),
            reference: Precision::Fp32.name(),
            engine: session.engine().description().to_owned(),
            source_digest: metadata.source_digest.clone(),
            calibration: "none",
            questions: Asked {
                texts: self.texts.map(Path::to_owned),
                count: questions.len(),
            },
            outputs: outputs.into_iter().map(OutputReport::new).collect(),
        })
    }

    /// The artifact's graph in single precision.
    fn export_reference(&self, artifact: &Artifact, folder: &Path) -> Result<PathBuf> {
        let options = ExportOptions {
            heads: Heads::Named(vec![artifact.head]),
            precisions: vec![Precision::Fp32],
            weights: Placement::Auto,
            layout: Layout::Plain,
            ..self.export.clone()
        };
        let exported = export(self.checkpoint, folder, &options)?;
        let exported = exported.artifacts.into_iter().next();
        Ok(exported.context("no head")?.file.path)
    }

    /// Each text by itself, so that nothing is padded; or the questions of `nezha verify`.
    fn questions(&self, session: &Session, metadata: &Metadata) -> Result<Vec<Tensors>> {
        let Some(file) = self.texts else {
            let config = self.checkpoint.config();
            let (cases, _) = verify::cases(config, metadata.head, &metadata.options);
            return Ok(cases.iter().map(|it| verify::tensors(&it.inputs)).collect());
        };
        let texts = texts::lines(file, self.checkpoint.folder(), usize::MAX)?;
        if texts.is_empty() {
            bail!("{}: no line has text", file.display());
        }
        let ports = &session.signature().inputs;
        let given: Vec<_> = ports
            .iter()
            .filter(|it| !it.name.starts_with("past_key_values."))
            .cloned()
            .collect();
        texts
            .into_iter()
            .map(|text| texts::tensors(&given, &vec![text]))
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

impl Report {
    fn title(&self, path: &Path) -> String {
        let asked = match &self.questions.texts {
            Some(file) => format!("{} texts of {}", self.questions.count, file.display()),
            None => format!(
                "{} batches of token ids at random (real texts say more: --agreement=FILE)",
                self.questions.count
            ),
        };
        format!(
            "{}: {} beside fp32 in {}, nothing calibrated, {asked}",
            path.display(),
            self.dtype,
            self.engine
        )
    }

    fn table(&self) -> Table {
        let mut table = Table::new();
        table.load_style(UTF8_FULL_CONDENSED).set_header([
            "output",
            "worst error",
            "of the largest",
            "mean error",
            "cosine",
            "same argmax",
        ]);
        for output in &self.outputs {
            let argmax = output.argmax_agreement;
            table.add_row([
                output.name.clone(),
                format!("{:.1e}", output.worst_error),
                format!("{:.1e}", output.worst_relative_error),
                format!("{:.1e}", output.mean_error),
                format!("{:.6}", output.cosine_similarity),
                argmax.map_or_else(String::new, |it| format!("{:.1} %", 100.0 * it)),
            ]);
        }
        table
    }
}
