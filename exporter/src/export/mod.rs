mod digest;
mod document;
mod error;
mod folder;
mod layouts;
mod placement;
mod plan;
mod progress;
mod selection;
mod staged_files;
mod survey;
mod tokenizer;
mod tokenizer_json;
mod warning;

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use nezha_graphs::{GraphOptions, Head, Precision, error_chain, setters};

pub use document::Document;
pub use error::ExportError;
pub use layouts::{Layout, LayoutError, LayoutOption, TritonOptions, UnknownLayout};
pub use placement::{LinkError, Placement};
pub use survey::{Survey, Unavailable};
pub use warning::Warning;

use crate::checkpoint::Checkpoint;
use crate::graph::Weights;
use crate::onnx::WriteError;
pub(crate) use folder::TargetFolder;
use folder::{is_same_folder, remove_superseded_weights};
use plan::Plan;
pub(crate) use plan::build as graph_of;
pub use progress::Progress;
use progress::{Counter, Report};
use selection::Selection;
use staged_files::Written;
use tokenizer::TokenizerFolder;

/// The opsets that graphs can be built for.
pub const OPSETS: std::ops::RangeInclusive<u32> = 17..=23;

/// The options of an export.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ExportOptions {
    /// The heads to export.
    pub heads: Heads,
    /// The options of the graphs.
    pub graph: GraphOptions,
    /// The operator set, one of [`OPSETS`].
    pub opset: u32,
    /// The precisions; each head is exported in each of them.
    pub precisions: Vec<Precision>,
    /// Where the weights are stored.
    pub weights: Placement,
    /// The structure of the folder, and the files beside the model.
    pub layout: Layout,
    /// Settings of `config.pbtxt` for [`Layout::Triton`].
    pub triton: TritonOptions,
    /// Whether an existing artifact is replaced.
    pub force: bool,
}

impl ExportOptions {
    setters! {
        heads: impl Into<Heads>,
        graph: GraphOptions,
        opset: u32,
        precisions: impl Into<Vec<Precision>>,
        weights: Placement,
        layout: Layout,
        triton: TritonOptions,
        force: bool,
    }
}

impl Default for ExportOptions {
    fn default() -> Self {
        Self {
            heads: Heads::default(),
            graph: GraphOptions::default(),
            opset: 17,
            precisions: vec![Precision::default()],
            weights: Placement::default(),
            layout: Layout::default(),
            triton: TritonOptions::default(),
            force: false,
        }
    }
}

/// Which heads to export.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Heads {
    /// The first head that the config's `architectures` names. If it names none, the only head
    /// beside the base model that the tensors allow.
    #[default]
    Default,
    /// These heads; the checkpoint must have each of them. A single head becomes `model.onnx`,
    /// several become `<head>.onnx` each; a precision's name is added as in
    /// [`Precision::file_name`].
    Named(Vec<Head>),
    /// Every head that the checkpoint can provide and that fits the options, as `<head>.onnx`. The
    /// others are skipped.
    All,
}

impl From<Head> for Heads {
    fn from(head: Head) -> Self {
        Heads::Named(vec![head])
    }
}

/// The result of an export.
#[derive(Clone, Debug)]
pub struct Exported {
    /// The `.onnx` files, one for each head and precision.
    pub artifacts: Vec<Artifact>,
    /// The files of external weights, if any. All heads and precisions share one file; in a layout
    /// of separate models, each model has its own.
    pub weights: Vec<WrittenFile>,
    /// The heads that were skipped because the checkpoint can't provide them, if all were asked
    /// for.
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
    /// How it stores its weights and computes.
    pub precision: Precision,
    /// The file.
    pub file: WrittenFile,
}

/// A file that was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrittenFile {
    /// Its path.
    pub path: PathBuf,
    /// Its size in bytes.
    pub bytes: u64,
}

/// Writes the heads of a checkpoint into `folder`, with `config.json` and the tokenizer's files
/// beside them.
///
/// The folder is created if it is missing. The same checkpoint and options give the same bytes. All
/// files of a folder are completely written and synced before the first of them is renamed to its
/// final name. External weights are renamed before the `.onnx` files that point to them, and
/// weights that nothing points to any more are removed last. So even if the export fails or is
/// killed, each `.onnx` is the complete old one or the complete new one.
///
/// # Errors
/// Any [`ExportError`]; an artifact that existed before then still exists, complete.
pub fn export(
    checkpoint: &Checkpoint,
    folder: impl AsRef<Path>,
    options: &ExportOptions,
) -> Result<Exported, ExportError> {
    export_with_progress(checkpoint, folder, options, &mut |_| {
        ControlFlow::Continue(())
    })
}

/// Like [`export`], and calls `progress` whenever something was written. `progress` may stop the
/// export.
///
/// ```no_run
/// use std::ops::ControlFlow;
///
/// use nezha_exporter::checkpoint::{Checkpoint, OpenOptions};
/// use nezha_exporter::{ExportOptions, export_with_progress};
///
/// let checkpoint = Checkpoint::open("models/nezha-tiny-zh", &OpenOptions::default())?;
/// export_with_progress(&checkpoint, "out", &ExportOptions::default(), &mut |at| {
///     println!("{} of {} bytes", at.written, at.total);
///     ControlFlow::Continue(())
/// })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// Those of [`export`]; [`ExportError::Stopped`] if `progress` breaks. Files that have their final
/// names by then are complete; in a layout of several folders, the folders that were complete stay.
pub fn export_with_progress(
    checkpoint: &Checkpoint,
    folder: impl AsRef<Path>,
    options: &ExportOptions,
    progress: &mut dyn FnMut(Progress) -> ControlFlow<()>,
) -> Result<Exported, ExportError> {
    export_to(checkpoint, folder.as_ref(), options, progress)
}

fn export_to(
    checkpoint: &Checkpoint,
    folder: &Path,
    options: &ExportOptions,
    progress: Report,
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
    let models = models(&heads, &options.precisions)?;
    options.layout.check(&models, options)?;
    if options.layout.names_no_head() && is_same_folder(checkpoint.folder(), folder) {
        let layout = options.layout;
        return Err(LayoutError::CheckpointFolder { layout }.into());
    }
    let rows = checkpoint.config().vocab_size;
    let mut tokenizer = TokenizerFolder::read(checkpoint.folder(), rows, &mut warnings)?;
    options.layout.rules().check_tokenizer(&tokenizer)?;
    options.layout.rules().complete_tokenizer(&mut tokenizer);
    let folders = options.layout.folders(folder, models).into_iter();
    let plans = folders
        .map(|(folder, models)| Ok((Plan::new(checkpoint, &folder, models, options)?, folder)))
        .collect::<Result<Vec<_>, ExportError>>()?;
    let mut exported = Exported {
        artifacts: Vec::new(),
        weights: Vec::new(),
        skipped,
        warnings: Vec::new(),
    };
    let total = plans.iter().map(|(plan, _)| plan.bytes()).sum();
    let mut counter = Counter::new(progress, total);
    for (plan, folder) in plans {
        let written = write(
            &plan,
            &folder,
            options.force,
            &tokenizer,
            &mut counter,
            &mut warnings,
        );
        let written = written.map_err(|error| match counter.stopped {
            true => ExportError::Stopped,
            false => error.into(),
        })?;
        exported.artifacts.extend(written.artifacts);
        exported.weights.extend(written.weights);
    }
    exported.warnings = warnings;
    Ok(exported)
}

/// Each head in each precision, without repetitions.
fn models(heads: &[Head], precisions: &[Precision]) -> Result<Vec<(Head, Precision)>, ExportError> {
    let mut models = Vec::new();
    for &precision in precisions {
        let new = heads.iter().map(|head| (*head, precision));
        let new: Vec<_> = new.filter(|it| !models.contains(it)).collect();
        models.extend(new);
    }
    match models.is_empty() {
        true => Err(ExportError::NoPrecision),
        false => Ok(models),
    }
}

/// Writes the files of one folder.
fn write(
    plan: &Plan,
    folder: &Path,
    force: bool,
    tokenizer: &TokenizerFolder,
    progress: &mut Counter,
    warnings: &mut Vec<Warning>,
) -> Result<Written, WriteError> {
    let target = TargetFolder::open(folder)?;
    let written = match plan.write(folder, force, tokenizer, progress, warnings) {
        Ok(written) => written,
        Err(error) => {
            target.discard();
            return Err(error);
        }
    };
    if let Err(error) = remove_superseded_weights(plan.models()) {
        warnings.push(Warning::Leftover {
            folder: folder.to_owned(),
            reason: error_chain(&error),
        });
    }
    Ok(written)
}

impl nezha_graphs::head_spec::Tensors for Checkpoint {
    fn shape(&self, name: &str) -> Option<Vec<usize>> {
        self.weight(name).map(|weight| weight.shape.clone())
    }

    fn values(&self, name: &str) -> Result<Vec<f32>, Box<dyn std::error::Error + Send + Sync>> {
        Ok(self.read_f32(name)?)
    }
}

impl Weights for Checkpoint {
    fn shape(&self, name: &str) -> Option<&[usize]> {
        self.weight(name).map(|weight| weight.shape.as_slice())
    }
}
