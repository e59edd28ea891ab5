use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::head_spec::place::Place;
use crate::head_spec::{Form, HeadSpecError};
use crate::{Activation, UnknownActivation};

/// A function of each number, or of each vector.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Function {
    /// An activation that transformers' configs can name.
    Activation(Activation),
    /// `1 / (1 + e⁻ˣ)`.
    Sigmoid,
    /// Softmax over the last axis.
    Softmax,
    /// `x` if `x > 0`, else `x / 100`: PyTorch's default slope.
    LeakyRelu,
}

/// The names of the functions that no config names.
const NAMES: [(&str, Function); 3] = [
    ("sigmoid", Function::Sigmoid),
    ("softmax", Function::Softmax),
    ("leaky_relu", Function::LeakyRelu),
];

impl Function {
    pub(super) fn form(self, form: Form, place: &Place) -> Result<Form, HeadSpecError> {
        match (self, form) {
            (Function::Softmax, Form::Text(_) | Form::Tokens(_)) => Ok(form),
            (Function::Softmax, _) => {
                Err(place.fault(format_args!("softmax takes vectors, not {form}")))
            }
            _ => Ok(form),
        }
    }
}

impl From<Activation> for Function {
    fn from(activation: Activation) -> Self {
        Function::Activation(activation)
    }
}

impl FromStr for Function {
    type Err = UnknownActivation;

    fn from_str(name: &str) -> Result<Self, UnknownActivation> {
        match NAMES.iter().find(|(known, _)| *known == name) {
            Some((_, function)) => Ok(*function),
            None => name.parse().map(Function::Activation),
        }
    }
}

impl fmt::Display for Function {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self, NAMES.iter().find(|(_, it)| it == self)) {
            (Function::Activation(activation), _) => activation.fmt(f),
            (_, known) => f.write_str(known.map_or("", |(name, _)| name)),
        }
    }
}

impl Serialize for Function {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Function {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        name.parse().map_err(|_| {
            let ours = NAMES.iter().map(|(name, _)| *name);
            let all = Activation::SPELLINGS
                .iter()
                .map(|(name, _)| *name)
                .chain(ours);
            let all: Vec<&str> = all.collect();
            serde::de::Error::custom(format!(
                "unknown activation '{name}'; supported are {}",
                all.join(", ")
            ))
        })
    }
}
