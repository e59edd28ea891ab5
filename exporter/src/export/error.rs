use std::path::PathBuf;

use nezha_graphs::Head;

use super::{LayoutError, LinkError, OPSETS, Unavailable};
use crate::nezha::BuildError;
use crate::onnx::WriteError;

/// Why an export failed; nothing half-written is left behind.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExportError {
    /// The config names no class that has a head, and the tensors allow several.
    #[error(
        "{}: `architectures` names no class with a head that is known (found {found:?}), and the \
         tensors leave several; name the head to export{}",
        folder.display(), offer(available)
    )]
    NoHead {
        /// The checkpoint.
        folder: PathBuf,
        /// What `architectures` holds.
        found: Vec<String>,
        /// The heads that the tensors allow.
        available: Vec<Head>,
    },
    /// A head that was asked for by name, and that the checkpoint can't give.
    #[error(
        "{}: the {head} head can't be exported: {reason}{}", folder.display(), offer(available)
    )]
    Head {
        /// The checkpoint.
        folder: PathBuf,
        /// The head.
        head: Head,
        /// Why.
        reason: Box<Unavailable>,
        /// The heads that it can give.
        available: Vec<Head>,
    },
    /// All heads were asked for, and none can be given.
    #[error("{}: no head can be exported: {}", folder.display(), list(skipped))]
    NoneLeft {
        /// The checkpoint.
        folder: PathBuf,
        /// Why each head can't be.
        skipped: Vec<(Head, Unavailable)>,
    },
    /// No precision is asked for.
    #[error("no precision is named: fp32 is the usual one")]
    NoPrecision,
    /// An opset outside of [`OPSETS`].
    #[error("opset {found} is not supported: {} to {} are", OPSETS.start(), OPSETS.end())]
    Opset {
        /// The opset that was asked for.
        found: u32,
    },
    /// The graph can't be built.
    #[error("{}: can't be exported", folder.display())]
    Build {
        /// The checkpoint.
        folder: PathBuf,
        /// Why.
        source: BuildError,
    },
    /// The weights can't stay where they are.
    #[error(transparent)]
    Link(#[from] LinkError),
    /// The export can't have the layout.
    #[error(transparent)]
    Layout(#[from] LayoutError),
    /// Whoever watched its progress stopped it.
    #[error("the export was stopped")]
    Stopped,
    /// The artifact can't be written.
    #[error(transparent)]
    Write(#[from] WriteError),
}

fn list(skipped: &[(Head, Unavailable)]) -> String {
    let reasons = skipped.iter().map(|(head, why)| format!("{head}: {why}"));
    reasons.collect::<Vec<_>>().join("; ")
}

fn offer(heads: &[Head]) -> String {
    match heads {
        [] => String::new(),
        heads => format!("; this checkpoint can give {}", names(heads)),
    }
}

fn names(heads: &[Head]) -> String {
    let names: Vec<&str> = heads.iter().map(|it| it.name()).collect();
    names.join(", ")
}
