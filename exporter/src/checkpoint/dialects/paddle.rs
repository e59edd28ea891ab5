//! PaddleNLP's names. Every matrix of a linear layer is stored as `[in, out]`, square ones too.

use super::{Translation, layer, renamed_module};

/// The query matrix of the first layer.
pub(super) const QUERY: &str = "encoder.layer.0.attention.query.weight";

/// Modules of a layer.
const LAYER: [(&str, &str); 8] = [
    ("attention.query", "attention.self.query"),
    ("attention.key", "attention.self.key"),
    ("attention.value", "attention.self.value"),
    ("attention.dense", "attention.output.dense"),
    ("attention.layer_norm", "attention.output.LayerNorm"),
    ("ffn", "intermediate.dense"),
    ("ffn_output", "output.dense"),
    ("layer_norm", "output.LayerNorm"),
];

const HEADS: [(&str, &str); 4] = [
    ("cls.predictions.dense", "cls.predictions.transform.dense"),
    (
        "cls.predictions.layer_norm",
        "cls.predictions.transform.LayerNorm",
    ),
    ("cls.seq_relationship", "cls.seq_relationship"),
    ("classifier", "classifier"),
];

pub(super) fn encoder(rest: &str) -> Option<Translation> {
    if let Some(member) = rest.strip_prefix("encoder.layer.") {
        let (number, module) = layer(member)?;
        let inner = renamed_module(module, &LAYER).unwrap_or_else(|| module.to_owned());
        return Some(Translation::parameter(format!(
            "encoder.layer.{number}.{inner}"
        )));
    }
    if let Some(member) = rest.strip_prefix("embeddings.layer_norm.") {
        return Some(Translation::parameter(format!(
            "embeddings.LayerNorm.{member}"
        )));
    }
    let is_ours = rest.starts_with("embeddings.") || rest.starts_with("pooler.");
    is_ours.then(|| Translation::parameter(rest.to_owned()))
}

pub(super) fn head(rest: &str) -> Option<Translation> {
    match rest {
        "cls.predictions.decoder_weight" => {
            Some(Translation::plain("cls.predictions.decoder.weight"))
        }
        "cls.predictions.decoder_bias" => Some(Translation::plain("cls.predictions.bias")),
        _ => renamed_module(rest, &HEADS).map(Translation::parameter),
    }
}
