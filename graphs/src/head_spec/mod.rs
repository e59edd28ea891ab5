//! A head of the user's own, as data: what it reads from the encoder, and what it computes from
//! that.
//!
//! A [`HeadSpec`] is written by hand, in TOML or with the functions of this module, and may leave
//! out what the checkpoint says. [`HeadSpec::resolve`] reads the rest from the checkpoint's tensors
//! and returns a [`Head`], which is exported, verified and run like any other. The artifact
//! contains the resolved spec in its metadata.

mod crf;
mod error;
mod file;
mod form;
mod naming;
mod output;
mod own;
mod place;
mod reading;
mod steps;
mod tasks;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

pub use crf::{Crf, CrfOrientation, CrfScores, CrfTokens};
pub use error::HeadSpecError;
pub use file::HeadSpecFile;
pub use form::Form;
pub use output::OutputSpec;
pub use own::{OwnHead, OwnOutput};
pub use reading::{Combine, Layers, Mix, Read, Weighted};
pub use steps::{
    Branches, Conv, Dropout, EfficientGlobalPointer, Function, GlobalPointer, LayerNorm, Linear,
    MatrixLayout, Pool, Recurrent, RecurrentOutput, RecurrentShape, Step,
};
pub use tasks::OutputTask;

use crate::{Config, Head};
use place::Place;

/// A head of the user's own.
///
/// ```
/// use nezha_graphs::head_spec::{HeadSpec, Linear, OutputSpec, OutputTask, Read};
///
/// let spec = HeadSpec::new("mean-and-pooler").output(
///     OutputSpec::new([Read::MeanAll, Read::Pooler])
///         .step(Linear::new("classifier"))
///         .task(OutputTask::TextClassification),
/// );
/// let written = HeadSpec::from_toml(
///     r#"
///     name = "mean-and-pooler"
///     [[outputs]]
///     task = "text-classification"
///     read = ["mean-all", "pooler"]
///     steps = [{ linear = { module = "classifier" } }]
///     "#,
/// )?;
/// assert_eq!(spec, written);
/// # Ok::<(), nezha_graphs::HeadSpecError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct HeadSpec {
    /// The name in messages, metadata and file names: lower-case letters, digits and hyphens.
    pub name: String,
    /// The outputs, each with its own steps; at least one.
    pub outputs: Vec<OutputSpec>,
}

/// The tensors that a spec is resolved with.
pub trait Tensors {
    /// The dimensions of the tensor `name`; `None` if it doesn't exist.
    fn shape(&self, name: &str) -> Option<Vec<usize>>;

    /// The elements of the tensor, in row-major order.
    ///
    /// # Errors
    /// Why the elements can't be read.
    fn values(&self, name: &str) -> Result<Vec<f32>, Box<dyn std::error::Error + Send + Sync>>;
}

/// A set without tensors, for a spec that is resolved already.
struct Resolved;

impl Tensors for Resolved {
    fn shape(&self, _name: &str) -> Option<Vec<usize>> {
        None
    }

    fn values(&self, name: &str) -> Result<Vec<f32>, Box<dyn std::error::Error + Send + Sync>> {
        Err(format!("the values of '{name}' are not in the metadata").into())
    }
}

impl HeadSpec {
    /// A head without outputs yet.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            outputs: Vec::new(),
        }
    }

    /// Adds an output.
    #[must_use]
    pub fn output(mut self, output: OutputSpec) -> Self {
        self.outputs.push(output);
        self
    }

    /// Reads a spec from TOML, as described in `docs/guide/own-heads.md`.
    ///
    /// # Errors
    /// [`HeadSpecError::Syntax`], with line and column.
    pub fn from_toml(text: &str) -> Result<Self, HeadSpecError> {
        file::parse(text)
    }

    /// Resolves the head for a checkpoint: names, sizes and labels that the spec leaves out are
    /// read from the config and the tensors.
    ///
    /// # Errors
    /// [`HeadSpecError::Field`], which names the field and says what is wrong with it.
    pub fn resolve(
        mut self,
        config: &Config,
        tensors: &dyn Tensors,
    ) -> Result<Head, HeadSpecError> {
        naming::check(&self)?;
        let names = naming::output_names(&self)?;
        let mut forms = Vec::new();
        for (i, (output, name)) in self.outputs.iter_mut().zip(names).enumerate() {
            output.name = Some(name);
            let place = Place::root().at("outputs").index(i);
            forms.push(output.resolve(config, tensors, &place)?);
        }
        tasks::check(&self, &forms)?;
        Ok(Head::Own(OwnHead::intern(self, forms)))
    }

    /// The head that an artifact's metadata describes.
    pub(crate) fn resolved(json: &str, config: &Config) -> Result<Head, HeadSpecError> {
        let spec: Self = serde_json::from_str(json).map_err(|error| HeadSpecError::Syntax {
            line: error.line(),
            column: error.column(),
            reason: error.to_string(),
        })?;
        spec.resolve(config, &Resolved)
    }
}
