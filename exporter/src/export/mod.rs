mod digest;
mod error;
mod folder;
mod placement;
mod plan;
mod progress;
mod selection;
mod staged_files;
mod survey;
mod tokenizer;
mod tokenizer_json;
mod warning;

use std::path::{Path, PathBuf};

use nezha_graphs::{GraphOptions, Head};

pub use error::ExportError;
pub use placement::{LinkError, Placement};
pub use survey::{Survey, Unavailable};
pub use warning::Warning;

use crate::checkpoint::Checkpoint;
use crate::graph::Weights;
pub(crate) use folder::TargetFolder;
use folder::remove_superseded_weights;
use plan::Plan;
pub(crate) use plan::build as graph_of;
use progress::Progress;
use selection::Selection;

/// The opsets that graphs can be built for.
pub const OPSETS: std::ops::RangeInclusive<u32> = 17..=23;

/// How to export.
#[derive(Clone, Debug)]
pub struct ExportOptions {
    /// Which heads.
    pub heads: Heads,
    /// What the graphs take and give beyond their heads' own.
    pub graph: GraphOptions,
    /// The operator set, one of [`OPSETS`].
    pub opset: u32,
    /// Where the weights are.
    pub weights: Placement,
    /// Whether an artifact that is there already is replaced.
    pub force: bool,
}

impl Default for ExportOptions {
    fn default() -> Self {
        Self {
            heads: Heads::default(),
            graph: GraphOptions::default(),
            opset: 17,
            weights: Placement::default(),
            force: false,
        }
    }
}

/// Which heads to export.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Heads {
    /// The one that the config's `architectures` names first.
    #[default]
    Default,
    /// These; each of them has to be there. A single one becomes `model.onnx`, several become
    /// `<head>.onnx` each.
    Named(Vec<Head>),
    /// Every head that the checkpoint can give and the options fit, as `<head>.onnx`; the others
    /// are skipped.
    All,
}

/// What an export wrote.
#[derive(Clone, Debug)]
pub struct Exported {
    /// The `.onnx` files, one for each head.
    pub artifacts: Vec<Artifact>,
    /// The file of external weights that they share, if there is one.
    pub weights: Option<WrittenFile>,
    /// The heads that the checkpoint can't give, where all were asked for.
    pub skipped: Vec<(Head, Unavailable)>,
    /// What was left out or assumed.
    pub warnings: Vec<Warning>,
}

/// One `.onnx` file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Artifact {
    /// The head that it computes.
    pub head: Head,
    /// Its operator set.
    pub opset: u32,
    /// The file.
    pub file: WrittenFile,
}

/// A file that was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrittenFile {
    /// Where it is.
    pub path: PathBuf,
    /// Its size in bytes.
    pub bytes: u64,
}

/// Writes the heads of a checkpoint into `folder`, `config.json` and the tokenizer's files beside
/// them.
///
/// The folder is made where it is missing. The same checkpoint and options give the same bytes.
/// Files are complete and on disk before the first of them gets its name, external weights before
/// the `.onnx` that point to them; weights that nothing points to any more go last. So whatever
/// fails or is killed, each `.onnx` is the old one or the new one, whole.
///
/// # Errors
/// Any [`ExportError`]; an artifact that was there before is then still there, whole.
pub fn export(
    checkpoint: &Checkpoint,
    folder: &Path,
    options: &ExportOptions,
) -> Result<Exported, ExportError> {
    export_with_progress(checkpoint, folder, options, &mut |_, _| ())
}

/// As [`export`], telling `progress` how many bytes are written, and of how many.
///
/// # Errors
/// As [`export`].
pub fn export_with_progress(
    checkpoint: &Checkpoint,
    folder: &Path,
    options: &ExportOptions,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Exported, ExportError> {
    if !OPSETS.contains(&options.opset) {
        return Err(ExportError::Opset {
            found: options.opset,
        });
    }
    let Selection {
        heads,
        skipped,
        mut warnings,
    } = Selection::new(checkpoint, options)?;
    let plan = Plan::new(checkpoint, folder, heads, options)?;
    let target = TargetFolder::open(folder)?;
    let written = match plan.write(
        folder,
        options.force,
        Progress::new(progress),
        &mut warnings,
    ) {
        Ok(written) => written,
        Err(error) => {
            target.discard();
            return Err(error.into());
        }
    };
    if let Err(error) = remove_superseded_weights(folder) {
        warnings.push(Warning::Leftover {
            folder: folder.to_owned(),
            reason: error.to_string(),
        });
    }
    Ok(Exported {
        artifacts: written.artifacts,
        weights: written.weights,
        skipped,
        warnings,
    })
}

impl Weights for Checkpoint {
    fn shape(&self, name: &str) -> Option<&[usize]> {
        self.weight(name).map(|weight| weight.shape.as_slice())
    }
}
