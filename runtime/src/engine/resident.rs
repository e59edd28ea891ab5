use std::any::Any;
use std::fmt;
use std::sync::Arc;

use nezha_graphs::DType;

use super::EngineError;
use crate::{Tensor, Tensors};

/// A tensor that stays where its engine computes, for example in a GPU's memory.
pub trait Resident: Any + Send + Sync {
    /// The element type.
    fn dtype(&self) -> DType;

    /// The size of each axis.
    fn shape(&self) -> &[usize];

    /// Copies it to host memory.
    ///
    /// # Errors
    /// [`EngineError::Run`] if the device fails to return it.
    fn to_host(&self) -> Result<Tensor, EngineError>;
}

/// Inputs that stay on the device of the engine that computed them; clones share them.
#[derive(Clone, Default)]
pub struct Residents(Vec<(String, Arc<dyn Resident>)>);

impl fmt::Debug for Residents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let types = self
            .iter()
            .map(|(name, it)| (name, (it.dtype(), it.shape())));
        f.debug_map().entries(types).finish()
    }
}

impl Residents {
    /// Adds a tensor under the name of an input.
    pub fn push(&mut self, name: String, tensor: Arc<dyn Resident>) {
        self.0.push((name, tensor));
    }

    /// Iterates over names and tensors.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &Arc<dyn Resident>)> {
        self.0.iter().map(|(name, tensor)| (name.as_str(), tensor))
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// An engine whose outputs can stay where they are computed.
pub trait KeepOutputs {
    /// Computes like [`Engine::run`](super::Engine::run), with `residents` as further inputs.
    ///
    /// If `keep` returns the name of an input for an output, the output stays on the device under
    /// that name, for a later run. All other outputs are returned as tensors.
    ///
    /// # Errors
    /// [`EngineError::Run`]; [`EngineError::Output`] if an output doesn't fit the signature.
    fn run_keeping(
        &self,
        inputs: &Tensors,
        residents: &Residents,
        keep: &dyn Fn(&str) -> Option<String>,
    ) -> Result<(Tensors, Residents), EngineError>;
}
