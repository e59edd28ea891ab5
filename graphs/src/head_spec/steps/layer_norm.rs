use serde::{Deserialize, Serialize};

use crate::head_spec::place::Place;
use crate::head_spec::{Form, HeadSpecError};

/// LayerNorm over the last axis, with the module's `weight` and `bias`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct LayerNorm {
    /// The module.
    pub module: String,
    /// The ε that is added to the variance; by default 1e-5, like PyTorch's.
    #[serde(default = "torchs")]
    pub epsilon: f32,
}

fn torchs() -> f32 {
    1e-5
}

impl LayerNorm {
    /// The LayerNorm of this module, with PyTorch's default ε.
    pub fn new(module: impl Into<String>) -> Self {
        Self {
            module: module.into(),
            epsilon: torchs(),
        }
    }

    /// Sets the ε that is added to the variance.
    #[must_use]
    pub fn epsilon(mut self, epsilon: f32) -> Self {
        self.epsilon = epsilon;
        self
    }

    pub(super) fn form(&self, form: Form, place: &Place) -> Result<Form, HeadSpecError> {
        if !(self.epsilon >= 0.0 && self.epsilon.is_finite()) {
            let epsilon = self.epsilon;
            return Err(place
                .at("epsilon")
                .fault(format_args!("{epsilon} is negative")));
        }
        match form {
            Form::Text(_) | Form::Tokens(_) => Ok(form),
            other => Err(place.fault(format_args!("a norm takes vectors, not {other}"))),
        }
    }
}
