//! Parts that several heads have in common.

use super::Given;
use crate::graph::Value;
use crate::nezha::ops::{activate, layer_norm, linear};

/// The module of the pooler.
pub(super) const POOLER: &str = "nezha.pooler";

/// `tanh(dense(x[:, 0]))` of the last hidden state, [batch, H].
pub(super) fn pooler(given: &Given) -> Value {
    let s = &given.builder.scope(POOLER);
    let first = s.gather(given.last_hidden_state, s.int64(0), 1);
    let dense = linear(&s.at("dense"), first, given.config.hidden_size);
    s.tanh(dense)
}

/// The classifier's scores of `x` […, H], […, `width`].
pub(super) fn classifier(given: &Given, x: Value, width: usize) -> Value {
    linear(&given.builder.scope("classifier"), x, width)
}

/// Scores of two classes, "the second text follows" and "it is random", [batch, 2].
pub(super) fn relationship(given: &Given) -> Value {
    let s = &given.builder.scope("cls.seq_relationship");
    let pooled = pooler(given);
    linear(s, pooled, 2)
}

/// Scores of the vocabulary for `x` [batch, sequence, H] or [n, H]: […, V].
pub(super) fn predictions(given: &Given, x: Value) -> Value {
    let config = given.config;
    let s = &given.builder.scope("cls.predictions");
    let transform = s.at("transform");
    let dense = linear(&transform.at("dense"), x, config.hidden_size);
    let active = activate(&transform, config.hidden_act, dense);
    let normed = layer_norm(&transform.at("LayerNorm"), active, config.layer_norm_eps);

    let [vocabulary, hidden] = [config.vocab_size, config.hidden_size];
    let decoder = s.at("decoder");
    let weight = match config.tie_word_embeddings {
        true => given.words,
        false => decoder.weight("weight", &[vocabulary, hidden]),
    };
    let bias = s.weight("bias", &[vocabulary]);
    // Gemm reads the matrix in the axis order of the embeddings, so a tied matrix is stored once.
    let rows = decoder.reshape(normed, &[-1, hidden as i64]);
    let scores = decoder.gemm(rows, weight, bias);
    let rank = decoder.rank(x);
    let leading = decoder.shape(x, 0, rank - 1);
    let shape = decoder.concat(0, &[leading, decoder.vector(&[vocabulary as i64])]);
    decoder.reshape_to(scores, shape)
}
