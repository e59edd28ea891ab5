//! `x = LayerNorm(word[ids] + token_type[types])`: NEZHA has no position embeddings.

use nezha_graphs::{Config, DType};

use super::inputs::Inputs;
use super::ops::layer_norm;
use crate::graph::{Scope, Value};

/// The embedded tokens, [batch, sequence, H]; `words` is the table of [`word_embeddings`].
pub(super) fn embeddings(s: &Scope, config: &Config, inputs: &Inputs, words: Value) -> Value {
    let embedded = match s.value_type(inputs.tokens).dtype {
        DType::I64 => s.at("word_embeddings").gather(words, inputs.tokens, 0),
        _ => inputs.tokens,
    };
    let types = s.at("token_type_embeddings");
    let table = types.weight("weight", &[config.type_vocab_size, config.hidden_size]);
    // Without types, every token belongs to the first text, so that text's row is added to all.
    let rows = inputs.token_type_ids.unwrap_or_else(|| types.int64(0));
    let sum = s.add(embedded, types.gather(table, rows, 0));
    layer_norm(&s.at("LayerNorm"), sum, config.layer_norm_eps)
}

/// The word embeddings, [`vocab_size`, H], which the prediction head may share.
pub(super) fn word_embeddings(s: &Scope, config: &Config) -> Value {
    let shape = [config.vocab_size, config.hidden_size];
    s.at("word_embeddings").weight("weight", &shape)
}
