use std::path::PathBuf;

use nezha_graphs::Head;

use super::{LayoutError, LinkError, OPSETS, Unavailable};
use crate::nezha::BuildError;
use crate::onnx::WriteError;

/// Why an export failed. No half-written file is left behind.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExportError {
    /// The config names no class with a known head, and the tensors allow several heads.
    #[error(
        "{}: `architectures` names no class with a head that is known (found {found:?}), and the \
         tensors leave several; name the head to export{}",
        folder.display(), offer(available)
    )]
    NoHead {
        /// The checkpoint.
        folder: PathBuf,
        /// The content of `architectures`.
        found: Vec<String>,
        /// The heads that the tensors allow.
        available: Vec<Head>,
    },
    /// The checkpoint can't provide a head that was asked for by name.
    #[error(
        "{}: the {head} head can't be exported: {reason}{}", folder.display(), offer(available)
    )]
    Head {
        /// The checkpoint.
        folder: PathBuf,
        /// The head.
        head: Head,
        /// The reason.
        reason: Box<Unavailable>,
        /// The heads that the checkpoint can provide.
        available: Vec<Head>,
    },
    /// All heads were asked for, but the checkpoint can provide none.
    #[error("{}: no head can be exported: {}", folder.display(), list(skipped))]
    NoneLeft {
        /// The checkpoint.
        folder: PathBuf,
        /// The reason for each head.
        skipped: Vec<(Head, Unavailable)>,
    },
    /// No precision was chosen.
    #[error("no precision is named: expected at least one, such as fp32")]
    NoPrecision,
    /// The opset is outside of [`OPSETS`].
    #[error("opset {found} is not supported: expected {} to {}", OPSETS.start(), OPSETS.end())]
    Opset {
        /// The opset that was asked for.
        found: u32,
    },
    /// The graph can't be built.
    #[error("{}: can't be exported", folder.display())]
    Build {
        /// The checkpoint.
        folder: PathBuf,
        /// The reason.
        source: BuildError,
    },
    /// The weights can't be linked.
    #[error(transparent)]
    Link(#[from] LinkError),
    /// The export is not possible in this layout.
    #[error(transparent)]
    Layout(#[from] LayoutError),
    /// The caller's progress function stopped the export.
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
