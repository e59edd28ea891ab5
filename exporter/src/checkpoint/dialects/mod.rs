//! Translates the names in a file to those of transformers' head models; one file for each dialect.
//!
//! An encoder is recognized by one tensor, the query matrix of its first layer. What precedes this
//! tensor's name is the encoder's prefix. Heads are searched beside the encoder and in each module
//! around it, the nearest first.

mod bert4torch;
mod keras;
mod paddle;
mod tensorflow;
mod transformers;

use std::fmt;

pub(super) use keras::number_by_layer;
pub(super) use transformers::{is_position_buffer, is_unread_buffer};

/// The naming scheme of a model's tensors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Dialect {
    /// transformers' NEZHA, Huawei's PyTorch code, and code derived from them.
    Transformers,
    /// bert4torch: `encoderLayer.0.multiHeadAttention.q`.
    Bert4torch,
    /// Huawei's TensorFlow code, and bert4keras when it writes a TensorFlow checkpoint.
    TensorFlow,
    /// bert4keras' layers in a Keras file: `Transformer-0-MultiHeadSelfAttention`.
    Keras,
    /// PaddleNLP: `encoder.layer.0.attention.query`.
    Paddle,
}

impl Dialect {
    pub(super) const ALL: [Dialect; 5] = [
        Dialect::Transformers,
        Dialect::Bert4torch,
        Dialect::TensorFlow,
        Dialect::Keras,
        Dialect::Paddle,
    ];

    /// The name of the dialect.
    pub fn name(self) -> &'static str {
        match self {
            Dialect::Transformers => "transformers",
            Dialect::Bert4torch => "bert4torch",
            Dialect::TensorFlow => "TensorFlow",
            Dialect::Keras => "Keras",
            Dialect::Paddle => "PaddleNLP",
        }
    }

    /// The prefix of the encoder, if `name` is its first query matrix; `None` for any other tensor.
    pub(super) fn prefix(self, name: &str) -> Option<&str> {
        let query = match self {
            Dialect::Transformers => transformers::QUERY,
            Dialect::Bert4torch => bert4torch::QUERY,
            Dialect::TensorFlow => tensorflow::QUERY,
            Dialect::Keras => return keras::prefix(name),
            Dialect::Paddle => paddle::QUERY,
        };
        let prefix = name.strip_suffix(query)?;
        (prefix.is_empty() || prefix.ends_with(SEPARATORS)).then_some(prefix)
    }

    /// The translation of `rest`, the name of an encoder's tensor without the prefix; `None` if it
    /// is not the encoder's.
    pub(super) fn encoder(self, rest: &str) -> Option<Translation> {
        let inner = match self {
            Dialect::Transformers => transformers::encoder(rest),
            Dialect::Bert4torch => bert4torch::encoder(rest),
            Dialect::TensorFlow => tensorflow::encoder(rest),
            Dialect::Keras => keras::encoder(rest),
            Dialect::Paddle => paddle::encoder(rest),
        }?;
        Some(Translation {
            name: format!("nezha.{}", inner.name),
            ..inner
        })
    }

    /// The translation of `rest`, the name of a head's tensor. `beside` says whether it is beside
    /// the encoder's modules or around the encoder.
    pub(super) fn head(self, rest: &str, beside: bool) -> Option<Translation> {
        match self {
            Dialect::Transformers => transformers::head(rest),
            Dialect::Bert4torch => bert4torch::head(rest, beside),
            Dialect::TensorFlow => tensorflow::head(rest),
            Dialect::Keras => keras::head(rest),
            Dialect::Paddle => paddle::head(rest),
        }
    }

    /// Whether its frameworks store linear layers as `[in, out]`.
    pub(super) fn stores_kernels(self) -> bool {
        match self {
            Dialect::Transformers | Dialect::Bert4torch => false,
            Dialect::TensorFlow | Dialect::Keras | Dialect::Paddle => true,
        }
    }
}

impl fmt::Display for Dialect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// Separators between the parts of a name.
const SEPARATORS: [char; 2] = ['.', '/'];

/// A tensor's name in the transformers dialect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Translation {
    /// The name. The dialects' files name an encoder's tensor without `nezha.`;
    /// [`Dialect::encoder`] adds it.
    pub name: String,
    /// Whether it is the matrix of a linear layer.
    pub linear: bool,
}

impl Translation {
    /// A tensor that is read unchanged.
    fn plain(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            linear: false,
        }
    }

    /// The matrix of a linear layer.
    fn linear(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            linear: true,
        }
    }

    /// A parameter of a module with transformers' name. A `weight` is a linear layer's matrix,
    /// except in `LayerNorm`s, embeddings and the decoder that is tied to the embeddings.
    fn parameter(name: impl Into<String>) -> Self {
        let name = name.into();
        let module = name.strip_suffix(".weight");
        let others = ["LayerNorm", "_embeddings", "decoder"];
        let linear = module.is_some_and(|it| !others.iter().any(|end| it.ends_with(end)));
        Self { name, linear }
    }
}

/// The parts of `prefix` around its innermost module, from the nearest outward. For `model.bert.`
/// they are `model.` and the empty prefix.
pub(super) fn around(prefix: &str) -> impl Iterator<Item = &str> {
    let mut rest = prefix.strip_suffix(SEPARATORS);
    std::iter::from_fn(move || {
        let inner = rest?;
        let end = inner.rfind(SEPARATORS).map_or(0, |at| at + 1);
        let outer = inner.get(..end).unwrap_or_default();
        rest = outer.strip_suffix(SEPARATORS);
        Some(outer)
    })
}

/// `rest` with the module at its start renamed; `None` if it starts with none of `modules`.
fn renamed_module(rest: &str, modules: &[(&str, &str)]) -> Option<String> {
    modules.iter().find_map(|(theirs, ours)| {
        let member = rest.strip_prefix(theirs)?.strip_prefix('.')?;
        Some(format!("{ours}.{member}"))
    })
}

/// The number of a layer and the rest of the name, such as `0` and `attention` for `0.attention`;
/// `None` if there is no number.
fn layer(rest: &str) -> Option<(&str, &str)> {
    let (number, module) = rest.split_once('.')?;
    let is_number = !number.is_empty() && number.bytes().all(|it| it.is_ascii_digit());
    is_number.then_some((number, module))
}

#[cfg(test)]
mod tests;
