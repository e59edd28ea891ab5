//! The variables of Huawei's TensorFlow code, which bert4keras also reads and writes. Slashes in
//! names were replaced by dots.
//!
//! A `kernel` is `[in, out]`; `output_weights` is `[out, in]`.

use super::{Translation, layer};

/// The query matrix of the first layer.
pub(super) const QUERY: &str = "encoder.layer_0.attention.self.query.kernel";

/// The heads' names, and transformers' names for them. A fine-tuned classifier is at the top level,
/// for texts as for tokens.
const HEADS: [(&str, &str); 8] = [
    ("cls.predictions.output_bias", "cls.predictions.bias"),
    (
        "cls.predictions.output_weights",
        "cls.predictions.decoder.weight",
    ),
    (
        "cls.seq_relationship.output_weights",
        "cls.seq_relationship.weight",
    ),
    (
        "cls.seq_relationship.output_bias",
        "cls.seq_relationship.bias",
    ),
    ("cls.squad.output_weights", "qa_outputs.weight"),
    ("cls.squad.output_bias", "qa_outputs.bias"),
    ("output_weights", "classifier.weight"),
    ("output_bias", "classifier.bias"),
];

pub(super) fn encoder(rest: &str) -> Option<Translation> {
    if let Some(member) = rest.strip_prefix("encoder.layer_") {
        let (number, module) = layer(member)?;
        return Some(translation(&format!("encoder.layer.{number}.{module}")));
    }
    let is_ours = rest.starts_with("embeddings.") || rest.starts_with("pooler.");
    is_ours.then(|| translation(rest))
}

pub(super) fn head(rest: &str) -> Option<Translation> {
    let known = HEADS.iter().find(|(theirs, _)| rest == *theirs);
    match known {
        Some((_, ours)) => Some(Translation::plain(*ours)),
        None => rest
            .starts_with("cls.predictions.transform.")
            .then(|| translation(rest)),
    }
}

fn translation(name: &str) -> Translation {
    let ends = [("kernel", "weight"), ("gamma", "weight"), ("beta", "bias")];
    for (theirs, ours) in ends {
        if let Some(module) = name.strip_suffix(theirs)
            && module.ends_with('.')
        {
            return Translation {
                name: format!("{module}{ours}"),
                linear: theirs == "kernel",
            };
        }
    }
    match name.ends_with("_embeddings") {
        true => Translation::plain(format!("{name}.weight")),
        false => Translation::plain(name),
    }
}
