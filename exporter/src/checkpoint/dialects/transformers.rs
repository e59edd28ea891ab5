//! transformers' own names, and those of Huawei's PyTorch code, which differ only in the prefix.
//!
//! Weights that were converted from TensorFlow may keep `gamma` and `beta`.

use super::Translation;

/// The query matrix of the first layer.
pub(super) const QUERY: &str = "encoder.layer.0.attention.self.query.weight";

/// Prefixes of a base model's own modules.
const BASE_MODULES: [&str; 3] = ["embeddings.", "encoder.", "pooler."];

/// Prefixes of the heads' modules.
const HEADS: [&str; 4] = [
    "cls.predictions.",
    "cls.seq_relationship.",
    "classifier.",
    "qa_outputs.",
];

/// Suffixes of the names of saved tables of relative positions. Every release of transformers
/// before 4.31 and of bert4torch saves one with each layer.
const POSITION_BUFFERS: [&str; 2] = [
    "relative_positions_encoding.positions_encoding",
    "relative_positions_encoding.position_embeddings",
];

/// Suffixes of the names of other buffers that a graph computes itself.
const BUFFERS: [&str; 2] = ["embeddings.position_ids", "embeddings.token_type_ids"];

pub(super) fn encoder(rest: &str) -> Option<Translation> {
    let is_ours = BASE_MODULES.iter().any(|module| rest.starts_with(module));
    is_ours.then(|| translation(rest))
}

pub(super) fn head(rest: &str) -> Option<Translation> {
    let is_ours = HEADS.iter().any(|module| rest.starts_with(module));
    is_ours.then(|| translation(rest))
}

fn translation(rest: &str) -> Translation {
    for (theirs, ours) in [("gamma", "weight"), ("beta", "bias")] {
        if let Some(module) = rest.strip_suffix(theirs)
            && module.ends_with("LayerNorm.")
        {
            return Translation::plain(format!("{module}{ours}"));
        }
    }
    Translation::parameter(rest)
}

/// Whether a tensor is a table of relative positions that was saved with a layer.
pub(in super::super) fn is_position_buffer(canonical: &str) -> bool {
    POSITION_BUFFERS.iter().any(|end| canonical.ends_with(end))
}

/// Whether a tensor is a buffer that no graph reads.
pub(in super::super) fn is_unread_buffer(canonical: &str) -> bool {
    is_position_buffer(canonical) || BUFFERS.iter().any(|end| canonical.ends_with(end))
}
