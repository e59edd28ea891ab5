//! From the names in a file to the names of transformers' head models.

/// What a base model's own modules start with, when it was saved without a head around it.
const BASE_MODULES: [&str; 3] = ["embeddings.", "encoder.", "pooler."];

/// What the names of buffers end with that a graph computes itself.
///
/// Early releases of transformers saved a table of relative positions with every layer.
const BUFFERS: [&str; 3] = [
    "relative_positions_encoding.positions_encoding",
    "embeddings.position_ids",
    "embeddings.token_type_ids",
];

/// A way of writing names that is not transformers' own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Dialect {
    /// A base model saved by itself, without the prefix `nezha.`.
    BareBase,
    /// Huawei's code and what derives from it: the prefix `bert.` in place of `nezha.`.
    Huawei,
    /// Saved from data-parallel training: `module.` before every name.
    DataParallel,
    /// LayerNorm parameters under TensorFlow's names, `gamma` and `beta`.
    GammaBeta,
    /// The prediction head's bias as `cls.predictions.decoder.bias`.
    DecoderBias,
}

impl Dialect {
    /// What is done about it.
    pub(super) fn explanation(self) -> &'static str {
        match self {
            Dialect::BareBase => "a bare base model: 'nezha.' was put before its names",
            Dialect::Huawei => "Huawei's names: 'bert.' was read as 'nezha.'",
            Dialect::DataParallel => "saved from data-parallel training: 'module.' was dropped",
            Dialect::GammaBeta => "LayerNorm 'gamma' and 'beta' were read as 'weight' and 'bias'",
            Dialect::DecoderBias => {
                "'cls.predictions.decoder.bias' was read as 'cls.predictions.bias'"
            }
        }
    }
}

/// The canonical name of the tensor that the file calls `name`, and the dialects it is written in.
pub(super) fn canonical(name: &str) -> (String, Vec<Dialect>) {
    let mut dialects = Vec::new();
    let mut rest = name;
    if let Some(inner) = rest.strip_prefix("module.") {
        dialects.push(Dialect::DataParallel);
        rest = inner;
    }
    let mut canonical = if let Some(inner) = rest.strip_prefix("bert.") {
        dialects.push(Dialect::Huawei);
        format!("nezha.{inner}")
    } else if BASE_MODULES.iter().any(|module| rest.starts_with(module)) {
        dialects.push(Dialect::BareBase);
        format!("nezha.{rest}")
    } else {
        rest.to_owned()
    };
    for (theirs, ours) in [("gamma", "weight"), ("beta", "bias")] {
        if let Some(module) = canonical.strip_suffix(theirs)
            && module.ends_with("LayerNorm.")
        {
            dialects.push(Dialect::GammaBeta);
            canonical = format!("{module}{ours}");
        }
    }
    (canonical, dialects)
}

/// Whether a tensor is a buffer that no graph reads.
pub(super) fn is_buffer(canonical: &str) -> bool {
    BUFFERS.iter().any(|end| canonical.ends_with(end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_dialect_comes_to_the_names_of_a_head_model() {
        use Dialect::{BareBase, DataParallel, GammaBeta, Huawei};
        for (written, expected, dialects) in [
            ("nezha.pooler.dense.bias", "nezha.pooler.dense.bias", vec![]),
            ("classifier.weight", "classifier.weight", vec![]),
            (
                "pooler.dense.bias",
                "nezha.pooler.dense.bias",
                vec![BareBase],
            ),
            (
                "module.bert.embeddings.LayerNorm.gamma",
                "nezha.embeddings.LayerNorm.weight",
                vec![DataParallel, Huawei, GammaBeta],
            ),
            (
                "cls.predictions.transform.LayerNorm.beta",
                "cls.predictions.transform.LayerNorm.bias",
                vec![GammaBeta],
            ),
            ("head.gamma", "head.gamma", vec![]),
        ] {
            assert_eq!(
                canonical(written),
                (expected.to_owned(), dialects),
                "{written}"
            );
        }
    }
}
