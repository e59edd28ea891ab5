use std::any::Any;
use std::fmt;
use std::sync::Arc;

use nezha_graphs::DType;

use super::EngineError;
use crate::{Tensor, Tensors};

/// A tensor that lies where its engine computes: in a GPU's memory, for one.
pub trait Resident: Any + Send + Sync {
    /// The element type.
    fn dtype(&self) -> DType;

    /// The size of each axis.
    fn shape(&self) -> &[usize];

    /// A copy in host memory.
    ///
    /// # Errors
    /// [`EngineError::Run`] where the device doesn't give it.
    fn to_host(&self) -> Result<Tensor, EngineError>;
}

/// Inputs that lie where the engine computes that made them; a copy shares them.
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

    /// Names and tensors.
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
    /// Computes as [`Engine::run`](super::Engine::run), with `residents` among the inputs.
    ///
    /// The outputs for which `keep` gives the name of an input stay on the device under that name,
    /// for a later run; the others are the answer.
    ///
    /// # Errors
    /// [`EngineError::Run`]; [`EngineError::Output`] where the engine gives what the signature
    /// doesn't say.
    fn run_keeping(
        &self,
        inputs: &Tensors,
        residents: &Residents,
        keep: &dyn Fn(&str) -> Option<String>,
    ) -> Result<(Tensors, Residents), EngineError>;
}
