//! Whether an artifact is the checkpoint's, weight by weight: the part of verification that needs no
//! engine.
//!
//! The artifact says in its metadata which graph it is. [`verify`] builds that graph again over the
//! checkpoint and compares: nodes, inputs and outputs, and every element of every initializer, so
//! that a weight which no test input reaches counts too. [`certify`] writes the result down.

mod certify;
mod compare;
mod difference;
mod error;
mod read_back;
mod rounding;
mod stored;

use std::path::{Path, PathBuf};

use nezha_graphs::{Head, Metadata};

pub use crate::export::Document;
pub use certify::{SUMMARY_KEY, certify, write_document};
pub use difference::Difference;
pub use error::VerifyError;
pub use stored::FileDigest;

use crate::checkpoint::Checkpoint;
use crate::export::graph_of;
use crate::graph::Graph;
use crate::inspect::read_model;
use crate::reference::Reference;
use stored::StoredModel;

/// What comparing an artifact with a checkpoint found.
#[derive(Clone, Debug)]
pub struct Verified {
    /// What the artifact says of itself.
    pub metadata: Metadata,
    /// The operator set of its graph.
    pub opset: u32,
    /// How many initializers the graph has.
    pub initializers: usize,
    /// How many elements they have, every one of them compared.
    pub elements: u64,
    /// The `.onnx` and the files of weights that it names, as they were compared.
    pub files: Vec<FileDigest>,
    /// How far the worst of the quantized weights is from the checkpoint's, in steps of its scale;
    /// none where nothing is quantized.
    pub worst_rounding: Option<f64>,
    /// Where the artifact is not what the checkpoint gives; empty for a sound one.
    pub differences: Vec<Difference>,
    /// The graph that it should have.
    expected: Graph,
}

impl Verified {
    /// The head that the artifact computes.
    pub fn head(&self) -> Head {
        self.metadata.head
    }

    /// `checkpoint` in f64, each weight rounded to what the artifact has in its place: what engines that
    /// run the artifact are compared with.
    ///
    /// # Errors
    /// [`VerifyError::Checkpoint`] and [`VerifyError::Reference`] where a weight can't be read,
    /// [`VerifyError::Write`] where it can't be rounded.
    pub fn reference(&self, checkpoint: &Checkpoint) -> Result<Reference, VerifyError> {
        read_back::reference(checkpoint, &self.expected)
    }
}

/// Compares the artifact at `path` with the graph that `checkpoint` gives for the same head, options
/// and opset.
///
/// Initializers are compared bit by bit: the exporter gives the same bytes for the same checkpoint.
/// Quantized ones are also read back, and none may be off by more than half a step.
///
/// # Errors
/// [`VerifyError`] where there is nothing to compare: a file that can't be read, a model of another
/// exporter, a checkpoint that can't have the artifact's head. What differs is no error, but a
/// [`Difference`].
pub fn verify(path: impl AsRef<Path>, checkpoint: &Checkpoint) -> Result<Verified, VerifyError> {
    let path = path.as_ref();
    let model = read_model(path)?;
    let metadata = metadata(path, &model.metadata_props)?;
    let mut opsets = model.opset_import.iter();
    let opset = opsets
        .find(|it| it.domain().is_empty())
        .map(|it| it.version);
    let opset = opset.and_then(|it| u32::try_from(it).ok()).unwrap_or(0);
    let model = StoredModel::open(path, model)?;
    let expected = graph_of(
        checkpoint,
        metadata.head,
        &metadata.options,
        opset,
        metadata.precision,
        model.is_linked(),
    )
    .map_err(|source| VerifyError::Build {
        folder: checkpoint.folder().to_owned(),
        source,
    })?;
    let config = metadata.config().map_err(|source| VerifyError::Metadata {
        path: path.to_owned(),
        source,
    })?;
    let mut differences = difference::config(&config, checkpoint.config());
    if let Head::Own(own) = metadata.head {
        let changed = own.changed_crfs(checkpoint.config(), checkpoint);
        let changed = changed.map_err(|source| VerifyError::Metadata {
            path: path.to_owned(),
            source: source.into(),
        })?;
        let crf = |output: &str| Difference::Crf {
            output: output.to_owned(),
        };
        differences.extend(changed.into_iter().map(crf));
    }
    differences.extend(difference::graph(&expected, &model));
    let compared = compare::initializers(checkpoint, &expected, &model)?;
    differences.extend(compared.differences);
    let rounding = rounding::rounding(checkpoint, &expected, &model)?;
    differences.extend(rounding.differences);
    Ok(Verified {
        metadata,
        opset,
        initializers: expected.initializers.len(),
        elements: compared.elements,
        worst_rounding: rounding.worst,
        files: model.files(),
        differences,
        expected,
    })
}

fn metadata(
    path: &Path,
    props: &[nezha_graphs::proto::StringStringEntryProto],
) -> Result<Metadata, VerifyError> {
    let pairs = props.iter().map(|it| (it.key.as_str(), it.value.as_str()));
    Metadata::from_props(pairs).map_err(|source| VerifyError::Metadata {
        path: PathBuf::from(path),
        source,
    })
}
