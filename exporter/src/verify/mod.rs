//! Checks an artifact against its checkpoint, weight by weight. This is the part of verification
//! that needs no engine.
//!
//! The artifact's metadata describe its graph. [`verify`] builds this graph again from the
//! checkpoint, and compares nodes, inputs, outputs, and every element of every initializer. So it
//! finds a wrong weight even if no test input reaches it. [`certify`] writes the result to the
//! artifact.

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

/// The result of comparing an artifact with a checkpoint.
#[derive(Clone, Debug)]
pub struct Verified {
    /// The artifact's metadata.
    pub metadata: Metadata,
    /// The operator set of its graph.
    pub opset: u32,
    /// Number of initializers in the graph.
    pub initializers: usize,
    /// Number of their elements, all of which were compared.
    pub elements: u64,
    /// The digests of the `.onnx` and of the files of weights that it names, as they were compared.
    pub files: Vec<FileDigest>,
    /// The largest error of a quantized weight, in steps of its scale; `None` if nothing is
    /// quantized.
    pub worst_rounding: Option<f64>,
    /// The differences; empty if the artifact is correct.
    pub differences: Vec<Difference>,
    /// The graph that the artifact should have.
    expected: Graph,
}

impl Verified {
    /// The head that the artifact computes.
    pub fn head(&self) -> Head {
        self.metadata.head
    }

    /// The reference in f64, with each of `checkpoint`'s weights rounded as in the artifact.
    /// Engines that run the artifact are compared with it.
    ///
    /// # Errors
    /// [`VerifyError::Checkpoint`] and [`VerifyError::Reference`] if a weight can't be read;
    /// [`VerifyError::Write`] if it can't be rounded.
    pub fn reference(&self, checkpoint: &Checkpoint) -> Result<Reference, VerifyError> {
        read_back::reference(checkpoint, &self.expected)
    }
}

/// Compares the artifact at `path` with the graph that is built from `checkpoint` for the same
/// head, options and opset.
///
/// Initializers are compared bit by bit, since the exporter gives the same bytes for the same
/// checkpoint. Quantized initializers are also dequantized, and no weight may be off by more than
/// half a step.
///
/// # Errors
/// [`VerifyError`] if no comparison is possible: a file can't be read, the model is another
/// exporter's, or the checkpoint can't have the artifact's head. A difference is not an error, but
/// a [`Difference`].
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
