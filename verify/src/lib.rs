//! Whether an artifact is what its checkpoint says, and whether engines compute it right.
//!
//! [`verify`] compares every weight with the checkpoint's, then the answers of engines with those of
//! the [reference](mod@nezha_exporter::reference) in f64; [`certify`] writes the [`Certificate`] beside
//! and into the artifact, too. In reading order:
//!
//! - [`cases`]: what an artifact is asked;
//! - [`difference`], [`worst`]: how far an answer is off. How far it may be stands with the engine:
//!   [`EngineOptions::tolerance`](nezha_runtime::EngineOptions::tolerance);
//! - [`compare`]: the answers of engines, each within its tolerance or not;
//! - [`Certificate`]: what was found, as data;
//! - [`Comparison`]: what fewer bits cost, beside the same graph in single precision;
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

/// Compares the artifact at `model` with its checkpoint: every weight, then the answers of `engines`,
/// each of which has to start; of those that are there where none is named.
///
/// No engine is asked about an artifact that is another checkpoint's.
///
/// # Errors
/// [`VerificationError`] where there is nothing to compare. What differs is in the certificate.
pub fn verify(
    model: impl AsRef<Path>,
    checkpoint: &Checkpoint,
    engines: &[EngineKind],
    options: &EngineOptions,
) -> Result<Certificate, VerificationError> {
    let (_, certificate) = verified(model.as_ref(), checkpoint, engines, options)?;
    Ok(certificate)
}

/// Verifies as [`verify`] does, and writes the result: the certificate as `verification.json` beside
/// the artifact, and its summary into the artifact's metadata.
///
/// # Errors
/// [`VerificationError`], also where a file can't be written.
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
