//! From the names in a file to the names of transformers' head models, a file for each way of
//! writing them.
//!
//! An encoder is known by one tensor, the query matrix of its first layer: what stands before that
//! name is the encoder's prefix, whatever it is. Heads are looked for where the encoder is and in
//! each module around it, the nearest first.

mod bert4torch;
mod keras;
mod paddle;
mod tensorflow;
mod transformers;

use std::fmt;

pub(super) use keras::number_by_layer;
pub(super) use transformers::{is_position_buffer, is_unread_buffer};

/// What a model's names are written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Dialect {
    /// transformers' NEZHA, Huawei's PyTorch code and what derives from them.
    Transformers,
    /// bert4torch: `encoderLayer.0.multiHeadAttention.q`.
    Bert4torch,
    /// Huawei's TensorFlow code, and what bert4keras writes in its place.
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

    /// What it is called.
    pub fn name(self) -> &'static str {
        match self {
            Dialect::Transformers => "transformers",
            Dialect::Bert4torch => "bert4torch",
            Dialect::TensorFlow => "TensorFlow",
            Dialect::Keras => "Keras",
            Dialect::Paddle => "PaddleNLP",
        }
    }

    /// The prefix of the encoder whose first query matrix is `name`; `None` where it is another
    /// tensor.
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

    /// What the encoder's tensor `rest` (without the prefix) is; `None` where it is none of the
    /// encoder's.
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

    /// What the head's tensor `rest` is, beside the encoder's modules or around the encoder.
    pub(super) fn head(self, rest: &str, beside: bool) -> Option<Translation> {
        match self {
            Dialect::Transformers => transformers::head(rest),
            Dialect::Bert4torch => bert4torch::head(rest, beside),
            Dialect::TensorFlow => tensorflow::head(rest),
            Dialect::Keras => keras::head(rest),
            Dialect::Paddle => paddle::head(rest),
        }
    }

    /// Whether its frameworks store linear layers as [in, out].
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

/// What stands between the parts of a name.
const SEPARATORS: [char; 2] = ['.', '/'];

/// A tensor's name in transformers' words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Translation {
    /// The name; without `nezha.` where it is said to be the encoder's.
    pub name: String,
    /// Whether it is the matrix of a linear layer.
    pub linear: bool,
}

impl Translation {
    /// A tensor that is read as it is.
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

    /// A parameter of a module by transformers' name: a `weight` is a linear layer's, but for
    /// norms, embeddings, and the decoder that is tied to these.
    fn parameter(name: impl Into<String>) -> Self {
        let name = name.into();
        let module = name.strip_suffix(".weight");
        let others = ["LayerNorm", "_embeddings", "decoder"];
        let linear = module.is_some_and(|it| !others.iter().any(|end| it.ends_with(end)));
        Self { name, linear }
    }
}

/// The parts of `prefix` around its innermost module, from the nearest outwards: of `model.bert.`
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

/// `rest` with the module at its start called by another name; `None` where it starts with none of
/// `modules`.
fn renamed_module(rest: &str, modules: &[(&str, &str)]) -> Option<String> {
    modules.iter().find_map(|(theirs, ours)| {
        let member = rest.strip_prefix(theirs)?.strip_prefix('.')?;
        Some(format!("{ours}.{member}"))
    })
}

/// The number of a layer and its module's name: `0.attention` of `0.attention`; `None` where no
/// number stands there.
fn layer(rest: &str) -> Option<(&str, &str)> {
    let (number, module) = rest.split_once('.')?;
    let is_number = !number.is_empty() && number.bytes().all(|it| it.is_ascii_digit());
    is_number.then_some((number, module))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The encoder's names in each dialect, and what they are.
    #[test]
    fn every_dialect_comes_to_the_names_of_transformers() {
        use Dialect::{Bert4torch, Keras, Paddle, TensorFlow, Transformers};
        for (dialect, written, expected, linear) in [
            (
                Transformers,
                "pooler.dense.bias",
                "pooler.dense.bias",
                false,
            ),
            (
                Transformers,
                "embeddings.LayerNorm.gamma",
                "embeddings.LayerNorm.weight",
                false,
            ),
            (
                Bert4torch,
                "embeddings.segment_embeddings.weight",
                "embeddings.token_type_embeddings.weight",
                false,
            ),
            (
                Bert4torch,
                "encoderLayer.11.layerNorm1.bias",
                "encoder.layer.11.attention.output.LayerNorm.bias",
                false,
            ),
            (
                Bert4torch,
                "encoderLayer.11.multiHeadAttention.o.weight",
                "encoder.layer.11.attention.output.dense.weight",
                true,
            ),
            (Bert4torch, "pooler.weight", "pooler.dense.weight", true),
            (
                TensorFlow,
                "encoder.layer_3.output.dense.kernel",
                "encoder.layer.3.output.dense.weight",
                true,
            ),
            (
                TensorFlow,
                "embeddings.word_embeddings",
                "embeddings.word_embeddings.weight",
                false,
            ),
            (
                TensorFlow,
                "embeddings.LayerNorm.beta",
                "embeddings.LayerNorm.bias",
                false,
            ),
            (
                Keras,
                "Embedding-Token/Embedding-Token/embeddings:0",
                "embeddings.word_embeddings.weight",
                false,
            ),
            (
                Keras,
                "Transformer-2-FeedForward/Transformer-2-FeedForward/dense_1/kernel:0",
                "encoder.layer.2.output.dense.weight",
                true,
            ),
            (
                Paddle,
                "encoder.layer.0.ffn.weight",
                "encoder.layer.0.intermediate.dense.weight",
                true,
            ),
            (
                Paddle,
                "encoder.layer.0.layer_norm.weight",
                "encoder.layer.0.output.LayerNorm.weight",
                false,
            ),
            (
                Paddle,
                "encoder.layer.0.attention.layer_norm.bias",
                "encoder.layer.0.attention.output.LayerNorm.bias",
                false,
            ),
        ] {
            let found = dialect.encoder(written);
            let name = format!("nezha.{expected}");
            assert_eq!(
                found,
                Some(Translation { name, linear }),
                "{dialect}: {written}"
            );
        }
    }

    #[test]
    fn every_dialects_heads_come_to_the_names_of_transformers() {
        use Dialect::{Bert4torch, Keras, Paddle, TensorFlow, Transformers};
        for (dialect, written, expected, linear) in [
            (Transformers, "classifier.weight", "classifier.weight", true),
            (
                Transformers,
                "cls.predictions.transform.LayerNorm.beta",
                "cls.predictions.transform.LayerNorm.bias",
                false,
            ),
            (
                Bert4torch,
                "mlmDecoder.weight",
                "cls.predictions.decoder.weight",
                false,
            ),
            (Bert4torch, "mlmBias", "cls.predictions.bias", false),
            (
                Bert4torch,
                "nsp.weight",
                "cls.seq_relationship.weight",
                true,
            ),
            (
                TensorFlow,
                "cls.seq_relationship.output_weights",
                "cls.seq_relationship.weight",
                false,
            ),
            (
                TensorFlow,
                "cls.squad.output_bias",
                "qa_outputs.bias",
                false,
            ),
            (TensorFlow, "output_weights", "classifier.weight", false),
            (
                Keras,
                "NSP-Proba/NSP-Proba/kernel:0",
                "cls.seq_relationship.weight",
                true,
            ),
            (
                Paddle,
                "cls.predictions.decoder_weight",
                "cls.predictions.decoder.weight",
                false,
            ),
            (
                Paddle,
                "cls.predictions.dense.weight",
                "cls.predictions.transform.dense.weight",
                true,
            ),
            (Paddle, "classifier.weight", "classifier.weight", true),
        ] {
            let expected = Translation {
                name: expected.to_owned(),
                linear,
            };
            assert_eq!(
                dialect.head(written, true),
                Some(expected),
                "{dialect}: {written}"
            );
        }
    }

    #[test]
    fn a_prefix_is_whatever_stands_before_the_first_query() {
        for (dialect, name, prefix) in [
            (
                Dialect::Transformers,
                "encoder.layer.0.attention.self.query.weight",
                Some(""),
            ),
            (
                Dialect::Transformers,
                "a.b.encoder.encoder.layer.0.attention.self.query.weight",
                Some("a.b.encoder."),
            ),
            (
                Dialect::Transformers,
                "xencoder.layer.0.attention.self.query.weight",
                None,
            ),
            (
                Dialect::Transformers,
                "encoder.layer.1.attention.self.query.weight",
                None,
            ),
            (
                Dialect::TensorFlow,
                "bert.encoder.layer_0.attention.self.query.kernel",
                Some("bert."),
            ),
            (
                Dialect::Keras,
                "model_weights/Transformer-0-MultiHeadSelfAttention/x/dense/kernel:0",
                Some("model_weights/"),
            ),
            (
                Dialect::Paddle,
                "nezha.encoder.layer.0.attention.query.weight",
                Some("nezha."),
            ),
            (
                Dialect::Bert4torch,
                "bert.encoderLayer.0.multiHeadAttention.q.weight",
                Some("bert."),
            ),
        ] {
            assert_eq!(dialect.prefix(name), prefix, "{dialect}: {name}");
        }
    }

    #[test]
    fn the_modules_around_a_prefix_go_outwards() {
        assert_eq!(around("a.b.c.").collect::<Vec<_>>(), ["a.b.", "a.", ""]);
        assert_eq!(around("a/").collect::<Vec<_>>(), [""]);
        assert_eq!(around("").count(), 0);
    }
}
