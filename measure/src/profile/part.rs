//! The parts of a model, and how a node's name tells its part.

use std::fmt;

/// A part of a model.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Group {
    /// The embeddings of words and token types, and their LayerNorm.
    Embeddings,
    /// The conversion of the attention mask to the term that is added to the scores.
    AttentionMask,
    /// The dense layers for queries, keys, values and output.
    AttentionProjections,
    /// From queries and keys to the sum of scores and mask.
    AttentionScores,
    /// Everything that a model without relative positions lacks.
    AttentionRelative,
    /// From scores to probabilities.
    AttentionSoftmax,
    /// From probabilities and values to the input of the output's dense layer.
    AttentionContext,
    /// What follows the output's dense layer.
    AttentionNorm,
    /// The dense layers after attention, and their LayerNorm.
    FeedForward,
    /// The dense layer over the first token.
    Pooler,
    /// What the head adds.
    Head,
    /// The first modules of the path, in a model whose structure isn't BERT's.
    Module(String),
    /// The module is unknown.
    Other,
}

impl fmt::Display for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Group::Embeddings => "embeddings",
            Group::AttentionMask => "attention: mask",
            Group::AttentionProjections => "attention: projections",
            Group::AttentionScores => "attention: scores",
            Group::AttentionRelative => "attention: relative",
            Group::AttentionSoftmax => "attention: softmax",
            Group::AttentionContext => "attention: context",
            Group::AttentionNorm => "attention: residual and LayerNorm",
            Group::FeedForward => "feed-forward",
            Group::Pooler => "pooler",
            Group::Head => "head",
            Group::Module(path) => path,
            Group::Other => "other",
        })
    }
}

/// Modules with parameters of their own that belong to a head.
const HEADS: [&str; 8] = [
    "cls",
    "classifier",
    "qa_outputs",
    "lm_head",
    "pooling",
    "probabilities",
    "loss",
    "outputs",
];
/// How many modules name a group of a model whose structure isn't BERT's.
const DEPTH: usize = 2;

/// What a name tells by itself.
pub(super) enum Place {
    Group(Group),
    /// Attention itself, between its dense layers.
    Attention,
}

/// Finds the place of a node by its module path, as in
/// `nezha.encoder.layer.0.attention.self/MatMul` or `/bert/encoder/layer.0/attention/self/MatMul`.
pub(super) fn place(name: &str) -> Place {
    let Some((path, _)) = name.rsplit_once('/') else {
        return Place::Group(Group::Other);
    };
    let modules: Vec<&str> = path.split(['/', '.']).filter(|it| !it.is_empty()).collect();
    let has = |names: &[&str]| modules.iter().any(|it| names.contains(it));
    let ends = |suffix: &str| modules.iter().any(|it| it.ends_with(suffix));
    let is_attention = |it: &&str| ["attention", "crossattention"].contains(it);
    let attention = modules.iter().position(is_attention);
    Place::Group(match attention.map(|at| &modules[at + 1..]) {
        _ if ends("relative_positions_encoding") => Group::AttentionRelative,
        _ if ends("attention_mask") => Group::AttentionMask,
        Some([] | ["self"]) => return Place::Attention,
        Some(["output", "dense", ..]) => Group::AttentionProjections,
        Some(["output", ..]) => Group::AttentionNorm,
        Some(_) => Group::AttentionProjections,
        None if has(&["layer"]) && has(&["intermediate", "output", "ffn"]) => Group::FeedForward,
        None if has(&["embeddings", "inputs"]) => Group::Embeddings,
        None if has(&["pooler"]) => Group::Pooler,
        None if has(&HEADS) => Group::Head,
        None if modules.is_empty() => Group::Other,
        None => Group::Module(modules[..DEPTH.min(modules.len())].join(".")),
    })
}
