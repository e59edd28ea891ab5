//! bert4keras' layers in a Keras file: `Transformer-0-FeedForward/Transformer-0-FeedForward/dense/kernel:0`.
//!
//! Keras numbers the `Dense` layers of a whole program, so only their order tells which is which in
//! a layer. [`number_by_layer`] replaces their numbers by their positions in this order.

use std::collections::{BTreeMap, BTreeSet};

use super::Translation;

const TOKENS: &str = "Embedding-Token";
const ATTENTION: &str = "MultiHeadSelfAttention";
const FEED_FORWARD: &str = "FeedForward";

/// The attention's `Dense` layers, in the order in which bert4keras creates them.
const ATTENTION_DENSE: [&str; 4] = [
    "attention.self.query",
    "attention.self.key",
    "attention.self.value",
    "attention.output.dense",
];

/// The feed-forward block's `Dense` layers, in that order.
const FEED_FORWARD_DENSE: [&str; 2] = ["intermediate.dense", "output.dense"];

/// Layers of the model outside of its transformer blocks: first the encoder's, then the heads'.
const ENCODER: [(&str, &str); 4] = [
    (TOKENS, "embeddings.word_embeddings"),
    ("Embedding-Segment", "embeddings.token_type_embeddings"),
    ("Embedding-Norm", "embeddings.LayerNorm"),
    ("Pooler-Dense", "pooler.dense"),
];
const HEADS: [(&str, &str); 4] = [
    ("MLM-Dense", "cls.predictions.transform.dense"),
    ("MLM-Norm", "cls.predictions.transform.LayerNorm"),
    ("MLM-Bias", "cls.predictions"),
    ("NSP-Proba", "cls.seq_relationship"),
];

/// The table of relative positions: a sinusoid, unless it was trained.
const POSITIONS: &str = "Embedding-Relative-Position";

pub(super) fn prefix(name: &str) -> Option<&str> {
    let at = name.find("Transformer-0-MultiHeadSelfAttention/")?;
    let (prefix, rest) = name.split_at_checked(at)?;
    let is_query = rest.ends_with("/dense/kernel:0");
    (is_query && (prefix.is_empty() || prefix.ends_with('/'))).then_some(prefix)
}

pub(super) fn encoder(rest: &str) -> Option<Translation> {
    let (layer, member) = layer_and_member(rest)?;
    if layer == POSITIONS {
        return Some(Translation::plain(
            "relative_positions_encoding.positions_encoding",
        ));
    }
    if let Some((_, module)) = ENCODER.iter().find(|(theirs, _)| layer == *theirs) {
        return parameter(module, member);
    }
    let (number, block) = layer.strip_prefix("Transformer-")?.split_once('-')?;
    let path = |module: &str| format!("encoder.layer.{number}.{module}");
    match block.strip_suffix("-Norm") {
        Some(ATTENTION) => parameter(&path("attention.output.LayerNorm"), member),
        Some(FEED_FORWARD) => parameter(&path("output.LayerNorm"), member),
        _ => {
            let (dense, member) = member.split_once('/')?;
            let modules: &[&str] = match block {
                ATTENTION => &ATTENTION_DENSE,
                FEED_FORWARD => &FEED_FORWARD_DENSE,
                _ => return None,
            };
            parameter(&path(modules.get(dense_number(dense)?)?), member)
        }
    }
}

pub(super) fn head(rest: &str) -> Option<Translation> {
    let (layer, member) = layer_and_member(rest)?;
    let (_, module) = HEADS.iter().find(|(theirs, _)| layer == *theirs)?;
    parameter(module, member)
}

/// The layer's name, and what follows it; Keras may repeat the layer's name.
fn layer_and_member(rest: &str) -> Option<(&str, &str)> {
    let (layer, member) = rest.split_once('/')?;
    let again = member
        .strip_prefix(layer)
        .and_then(|it| it.strip_prefix('/'));
    Some((layer, again.unwrap_or(member)))
}

fn parameter(module: &str, member: &str) -> Option<Translation> {
    let name = |parameter: &str| format!("{module}.{parameter}");
    match member.strip_suffix(":0").unwrap_or(member) {
        "kernel" => Some(Translation::linear(name("weight"))),
        "embeddings" | "gamma" => Some(Translation::plain(name("weight"))),
        "bias" | "beta" => Some(Translation::plain(name("bias"))),
        _ => None,
    }
}

/// The number in a name such as `dense` (0) or `dense_7` (7).
fn dense_number(name: &str) -> Option<usize> {
    match name.strip_prefix("dense")? {
        "" => Some(0),
        number => number.strip_prefix('_')?.parse().ok(),
    }
}

/// `names`, with the `Dense` layers of each transformer block numbered from 0, in their order.
pub(in super::super) fn number_by_layer(names: &[String]) -> Vec<String> {
    let mut numbers: BTreeMap<&str, BTreeSet<usize>> = BTreeMap::new();
    for name in names {
        if let Some((block, number, _)) = dense_of_block(name) {
            numbers.entry(block).or_default().insert(number);
        }
    }
    let renamed = names.iter().map(|name| {
        let renamed = dense_of_block(name).and_then(|(block, number, member)| {
            let order = numbers.get(block)?.iter().position(|it| *it == number)?;
            Some(match order {
                0 => format!("{block}/dense/{member}"),
                order => format!("{block}/dense_{order}/{member}"),
            })
        });
        renamed.unwrap_or_else(|| name.clone())
    });
    renamed.collect()
}

/// The part before a transformer block's `dense_N`, the number N, and the part after it.
fn dense_of_block(name: &str) -> Option<(&str, usize, &str)> {
    let (path, member) = name.rsplit_once('/')?;
    let (block, dense) = path.rsplit_once('/')?;
    let in_block = block.contains("Transformer-");
    in_block.then_some(())?;
    Some((block, dense_number(dense)?, member))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_dense_layers_of_a_block_are_numbered_in_their_order() {
        let block = "Transformer-1-MultiHeadSelfAttention/Transformer-1-MultiHeadSelfAttention";
        let names: Vec<String> = [9, 10, 8, 11]
            .iter()
            .map(|number| format!("{block}/dense_{number}/kernel:0"))
            .collect();
        let expected = ["dense_1", "dense_2", "dense", "dense_3"];
        let expected: Vec<String> = expected
            .iter()
            .map(|it| format!("{block}/{it}/kernel:0"))
            .collect();
        assert_eq!(number_by_layer(&names), expected);
        assert_eq!(
            number_by_layer(&["dense_9/kernel:0".to_owned()]),
            ["dense_9/kernel:0"]
        );
    }
}
