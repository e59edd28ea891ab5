//! Embeddings, attention and layers, for one text at a time.

use ndarray::{Array1, Array2, Array3, ArrayView1, Ix2, s};

use super::inputs::{Text, Words};
use super::weights::Module;
use super::{Outputs, Reference, ReferenceError, ops};

/// The encoder's results for one text of s tokens.
pub(super) struct Encoded {
    /// For each token, whether any token attends to it.
    pub(super) visible: Vec<bool>,
    /// Output of the embeddings and of each layer, L + 1 of `[s, H]`.
    pub(super) hidden_states: Vec<Array2<f64>>,
    /// Self-attention probabilities of each layer, L of `[A, s, s]`.
    pub(super) attentions: Vec<Array3<f64>>,
    /// Cross-attention probabilities of each layer, L of `[A, s, e]`; empty without an encoder.
    pub(super) cross_attentions: Vec<Array3<f64>>,
}

impl Encoded {
    /// Output of the last layer, `[s, H]`.
    pub(super) fn last_hidden_state(&self) -> &Array2<f64> {
        &self.hidden_states[self.hidden_states.len() - 1]
    }
}

/// Hidden states and attentions, by the contract's names, with the texts stacked.
pub(super) fn outputs(texts: &[Encoded]) -> Outputs {
    let mut outputs = Outputs::new();
    let count = |of: fn(&Encoded) -> usize| texts.first().map_or(0, of);
    for i in 0..count(|text| text.hidden_states.len()) {
        let stacked = ops::stack(texts.iter().map(|text| &text.hidden_states[i]));
        outputs.insert(format!("hidden_states.{i}"), stacked);
    }
    for i in 0..count(|text| text.attentions.len()) {
        let stacked = ops::stack(texts.iter().map(|text| &text.attentions[i]));
        outputs.insert(format!("attentions.{i}"), stacked);
    }
    for i in 0..count(|text| text.cross_attentions.len()) {
        let stacked = ops::stack(texts.iter().map(|text| &text.cross_attentions[i]));
        outputs.insert(format!("cross_attentions.{i}"), stacked);
    }
    outputs
}

/// transformers' `NezhaEmbeddings` and `NezhaEncoder`; `head_mask` is `[L, A]`.
pub(super) fn encode(
    model: &Reference,
    text: &Text,
    head_mask: &Array2<f64>,
) -> Result<Encoded, ReferenceError> {
    let nezha = model.weights.module("nezha");
    let length = text.token_types.len();
    let mut x = embed(model, &nezha.child("embeddings"), text)?;
    let mut encoded = Encoded {
        visible: (0..length)
            .map(|token| text.visible.column(token).iter().any(|it| *it))
            .collect(),
        hidden_states: vec![x.clone()],
        attentions: Vec::new(),
        cross_attentions: Vec::new(),
    };
    for (i, heads) in head_mask.rows().into_iter().enumerate() {
        let layer = nezha.child(&format!("encoder.layer.{i}"));
        let attention = layer.child("attention");
        let (attended, probabilities) = attend(model, &attention, &x, &x, &text.visible, heads)?;
        encoded.attentions.push(probabilities);
        x = attended;
        if let Some(encoder) = &text.encoder {
            let attention = layer.child("crossattention");
            let keys = &encoder.hidden_states;
            let visible =
                Array2::from_shape_fn((length, keys.nrows()), |(_, j)| encoder.visible[j]);
            let (attended, probabilities) = attend(model, &attention, &x, keys, &visible, heads)?;
            encoded.cross_attentions.push(probabilities);
            x = attended;
        }
        x = feed_forward(model, &layer, &x)?;
        encoded.hidden_states.push(x.clone());
    }
    Ok(encoded)
}

/// `LayerNorm(word + token_type)`, `[s, H]`: there are no absolute position embeddings.
fn embed(model: &Reference, module: &Module, text: &Text) -> Result<Array2<f64>, ReferenceError> {
    let config = &model.config;
    let word = model.word_embeddings()?;
    let token_type = module.weight(
        "token_type_embeddings.weight",
        Ix2(config.type_vocab_size, config.hidden_size),
    )?;
    let shape = (text.token_types.len(), config.hidden_size);
    let sum = Array2::from_shape_fn(shape, |(i, h)| {
        let word = match &text.words {
            Words::Ids(ids) => f64::from(word[[ids[i], h]]),
            Words::Embeddings(embeddings) => embeddings[[i, h]],
        };
        word + f64::from(token_type[[text.token_types[i], h]])
    });
    module.layer_norm("LayerNorm", &sum, config.layer_norm_eps)
}

/// Attention of x, `[s, H]`, to `source`, `[k, H]`: x itself in self-attention, the encoder's
/// hidden states in cross-attention. Returns the next x and the probabilities `[A, s, k]`.
///
/// Wei et al., "NEZHA", arXiv:1909.00204, based on the attention of Shaw et al., arXiv:1803.02155;
/// transformers' `NezhaSelfAttention` and `NezhaSelfOutput`:
///
/// ```text
/// score[i,j] = (q_i·k_j + q_i·T[r(i,j)]) / √D where j is visible to i, else min(f32)
/// p = softmax_j(score) · head_mask
/// ctx_i = Σ_j p[i,j]·(v_j + T[r(i,j)])
/// x = LayerNorm(x + dense(ctx))
/// ```
///
/// transformers adds min(f32) to the masked scores. In single precision this removes the score
/// itself, so a row that attends to no key is uniform over all keys. Here the minimum replaces the
/// score, which is the same without rounding.
fn attend(
    model: &Reference,
    module: &Module,
    x: &Array2<f64>,
    source: &Array2<f64>,
    visible: &Array2<bool>,
    head_mask: ArrayView1<f64>,
) -> Result<(Array2<f64>, Array3<f64>), ReferenceError> {
    let config = &model.config;
    let (hidden, size) = (config.hidden_size, config.head_size());
    let query = module.linear("self.query", x, hidden)?;
    let key = module.linear("self.key", source, hidden)?;
    let value = module.linear("self.value", source, hidden)?;

    let (queries, keys) = visible.dim();
    let mut context = Array2::zeros((queries, hidden));
    let mut probabilities = Array3::zeros((config.num_attention_heads, queries, keys));
    for head in 0..config.num_attention_heads {
        let columns = s![.., head * size..(head + 1) * size];
        let (q, k, v) = (
            query.slice(columns),
            key.slice(columns),
            value.slice(columns),
        );
        for i in 0..queries {
            let q = q.row(i);
            let scores = Array1::from_shape_fn(keys, |j| match visible[[i, j]] {
                true => (q.dot(&k.row(j)) + q.dot(&model.relative(i, j))) / (size as f64).sqrt(),
                false => f64::from(f32::MIN),
            });
            let p = ops::softmax(scores.view()) * head_mask[head];
            let mut context = context.slice_mut(columns);
            for j in 0..keys {
                let mut context = context.row_mut(i);
                context.scaled_add(p[j], &v.row(j));
                context.scaled_add(p[j], &model.relative(i, j));
            }
            probabilities.slice_mut(s![head, i, ..]).assign(&p);
        }
    }
    let output = module.child("output");
    let sum = x + output.linear("dense", &context, hidden)?;
    let attended = output.layer_norm("LayerNorm", &sum, config.layer_norm_eps)?;
    Ok((attended, probabilities))
}

/// `LayerNorm(x + dense(act(dense(x))))`; transformers' `NezhaIntermediate` and `NezhaOutput`.
fn feed_forward(
    model: &Reference,
    layer: &Module,
    x: &Array2<f64>,
) -> Result<Array2<f64>, ReferenceError> {
    let config = &model.config;
    let wide = layer.linear("intermediate.dense", x, config.intermediate_size)?;
    let wide = ops::activate(config.hidden_act, wide);
    let sum = x + layer.linear("output.dense", &wide, config.hidden_size)?;
    layer.layer_norm("output.LayerNorm", &sum, config.layer_norm_eps)
}
