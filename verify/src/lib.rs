//! Verifies that an artifact matches its checkpoint, and that engines compute it correctly.
//!
//! [`verify`] compares every weight with that of the checkpoint, then the outputs of engines with
//! those of the [reference](mod@nezha_exporter::reference) in f64. [`certify`] also writes the
//! [`Certificate`] beside the artifact and its summary into it. In reading order:
//!
//! - [`cases`]: the inputs that are run;
//! - [`difference`], [`worst`]: how far an output is off. How far it may be off depends on the
//!   engine: [`EngineOptions::tolerance`](nezha_runtime::EngineOptions::tolerance);
//! - [`compare`]: the outputs of engines, each within its tolerance or not;
//! - [`Certificate`]: the result, as data;
//! - [`Comparison`]: the cost of fewer bits, compared with the same graph in single precision;
//! - [`texts`]: real texts as token ids, and the tensors that a model takes for them.
//!
//! ```no_run
//! use nezha_exporter::checkpoint::{Checkpoint, OpenOptions};
//! use nezha_runtime::EngineOptions;
//!
//! let checkpoint = Checkpoint::open("models/nezha-tiny-zh", &OpenOptions::default())?;
//! let model = "out/model.onnx";
//! let certificate = nezha_verify::verify(model, &checkpoint, &[], &EngineOptions::default())?;
//! assert!(certificate.passed);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![deny(missing_docs)]

mod agreement;
mod cases;
mod certificate;
mod comparison;
mod difference;
mod engines;
mod error;
pub mod texts;

use std::path::Path;

use nezha_exporter::checkpoint::Checkpoint;
use nezha_exporter::verify::{self as artifact, Verified};
use nezha_runtime::{EngineKind, EngineOptions};

pub use agreement::{OutputAgreement, common, worse};
pub use cases::{Case, cases, tensors};
pub use certificate::{Certificate, Initializers};
pub use comparison::{AgreementReport, Comparison, OutputReport, Questions};
pub use difference::{Differences, Scales, add_scales, difference, worst};
pub use engines::{CaseReport, EngineReport, compare};
pub use error::{AgreementError, AnswerError, VerificationError};

/// Compares the artifact at `model` with its checkpoint: every weight, then the outputs of
/// `engines`, each of which must start. If no engine is named, those that are available are
/// compared.
///
/// If the weights differ from those of the checkpoint, no engine is run.
///
/// # Errors
/// [`VerificationError`] if the comparison can't be made. Differences are in the certificate.
pub fn verify(
    model: impl AsRef<Path>,
    checkpoint: &Checkpoint,
    engines: &[EngineKind],
    options: &EngineOptions,
) -> Result<Certificate, VerificationError> {
    let (_, certificate) = verified(model.as_ref(), checkpoint, engines, options)?;
    Ok(certificate)
}

/// Verifies like [`verify`], and writes the result: the certificate as `verification.json` beside
/// the artifact, and its summary into the artifact's metadata.
///
/// # Errors
/// [`VerificationError`], also if a file can't be written.
pub fn certify(
    model: impl AsRef<Path>,
    checkpoint: &Checkpoint,
    engines: &[EngineKind],
    options: &EngineOptions,
) -> Result<Certificate, VerificationError> {
    let model = model.as_ref();
    let (verified, mut certificate) = verified(model, checkpoint, engines, options)?;
    artifact::certify(model, &verified, &certificate.summary(), |files| {
        certificate.files = files.to_vec();
        certificate.to_json() + "\n"
    })?;
    Ok(certificate)
}

fn verified(
    model: &Path,
    checkpoint: &Checkpoint,
    engines: &[EngineKind],
    options: &EngineOptions,
) -> Result<(Verified, Certificate), VerificationError> {
    let verified = artifact::verify(model, checkpoint)?;
    let reports = match verified.differences.is_empty() {
        true => compare(model, checkpoint, &verified, engines, options)?,
        false => Vec::new(),
    };
    let certificate = Certificate::new(&verified, reports);
    Ok((verified, certificate))
}
