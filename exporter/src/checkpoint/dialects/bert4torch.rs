//! bert4torch's names, of old and new releases. Matrices are stored as in PyTorch.

use super::{Translation, layer, renamed_module};

/// The query matrix of the first layer.
pub(super) const QUERY: &str = "encoderLayer.0.multiHeadAttention.q.weight";

const EMBEDDINGS: [(&str, &str); 3] = [
    ("embeddings.word_embeddings", "embeddings.word_embeddings"),
    (
        "embeddings.segment_embeddings",
        "embeddings.token_type_embeddings",
    ),
    ("embeddings.layerNorm", "embeddings.LayerNorm"),
];

/// Modules of a layer. The older releases number the `LayerNorm`s.
const LAYER: [(&str, &str); 10] = [
    ("multiHeadAttention.q", "attention.self.query"),
    ("multiHeadAttention.k", "attention.self.key"),
    ("multiHeadAttention.v", "attention.self.value"),
    ("multiHeadAttention.o", "attention.output.dense"),
    ("attnLayerNorm", "attention.output.LayerNorm"),
    ("layerNorm1", "attention.output.LayerNorm"),
    ("feedForward.intermediateDense", "intermediate.dense"),
    ("feedForward.outputDense", "output.dense"),
    ("ffnLayerNorm", "output.LayerNorm"),
    ("layerNorm2", "output.LayerNorm"),
];

/// Heads that are modules inside of the encoder's own class.
const HEADS: [(&str, &str); 4] = [
    ("nsp", "cls.seq_relationship"),
    ("mlmDense", "cls.predictions.transform.dense"),
    ("mlmLayerNorm", "cls.predictions.transform.LayerNorm"),
    ("mlmDecoder", "cls.predictions.decoder"),
];

pub(super) fn encoder(rest: &str) -> Option<Translation> {
    if let Some(member) = rest.strip_prefix("encoderLayer.") {
        let (number, module) = layer(member)?;
        let inner = renamed_module(module, &LAYER).unwrap_or_else(|| module.to_owned());
        return Some(Translation::parameter(format!(
            "encoder.layer.{number}.{inner}"
        )));
    }
    if let Some(member) = rest.strip_prefix("pooler.") {
        return Some(Translation::parameter(format!("pooler.dense.{member}")));
    }
    let name = renamed_module(rest, &EMBEDDINGS)
        .or_else(|| rest.starts_with("embeddings.").then(|| rest.to_owned()))?;
    Some(Translation::parameter(name))
}

/// Outside of the encoder are the modules that users add on top of its pooled output; in the
/// examples, and so usually, they are called `dense`.
pub(super) fn head(rest: &str, beside: bool) -> Option<Translation> {
    if beside && rest == "mlmBias" {
        return Some(Translation::plain("cls.predictions.bias"));
    }
    let modules: &[(&str, &str)] = match beside {
        true => &HEADS,
        false => &[("dense", "classifier"), ("classifier", "classifier")],
    };
    renamed_module(rest, modules).map(Translation::parameter)
}
