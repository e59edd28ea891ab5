//! Parts that several heads have in common.

use ndarray::{Array2, ArrayD, Ix1, Ix2};
use nezha_graphs::Activation;

use super::Given;
use crate::reference::{ReferenceError, ops};

/// Applies `f` to each text's last hidden state, `[s, H]` → `[s, n]`, and stacks the results to
/// `[texts, s, n]`.
pub(super) fn per_text(
    given: &Given,
    f: impl Fn(&Array2<f64>) -> Result<Array2<f64>, ReferenceError>,
) -> Result<ArrayD<f64>, ReferenceError> {
    let texts = given.texts.iter();
    let results: Result<Vec<_>, _> = texts.map(|text| f(text.last_hidden_state())).collect();
    Ok(ops::stack(results?.iter()))
}

/// The linear layer `name` over every token, `[texts, s, width]`.
pub(super) fn of_tokens(
    given: &Given,
    name: &str,
    width: usize,
) -> Result<ArrayD<f64>, ReferenceError> {
    per_text(given, |x| given.model.weights.root().linear(name, x, width))
}

/// The linear layer `name` over the pooled texts, `[texts, width]`.
pub(super) fn of_pooled(
    given: &Given,
    name: &str,
    width: usize,
) -> Result<ArrayD<f64>, ReferenceError> {
    let root = given.model.weights.root();
    Ok(root.linear(name, &pooled(given)?, width)?.into_dyn())
}

/// Scores of two classes, "the second text follows" and "it is random", `[texts, 2]`.
pub(super) fn relationship(given: &Given) -> Result<ArrayD<f64>, ReferenceError> {
    of_pooled(given, "cls.seq_relationship", 2)
}

/// `tanh(dense(x[0]))`, `[texts, H]`; `NezhaPooler`.
pub(super) fn pooled(given: &Given) -> Result<Array2<f64>, ReferenceError> {
    let hidden = given.model.config.hidden_size;
    let first = Array2::from_shape_fn((given.texts.len(), hidden), |(text, h)| {
        given.texts[text].last_hidden_state()[[0, h]]
    });
    let pooler = given.model.weights.module("nezha.pooler");
    let dense = pooler.linear("dense", &first, hidden)?;
    Ok(ops::activate(Activation::Tanh, dense))
}

/// `LayerNorm(act(dense(x)))·Eᵀ + bias`, `[texts, s, V]`; `NezhaLMPredictionHead`.
///
/// E is the word embeddings; with `tie_word_embeddings: false` it is the decoder's own matrix.
pub(super) fn predictions(given: &Given) -> Result<ArrayD<f64>, ReferenceError> {
    let model = given.model;
    let config = &model.config;
    let head = model.weights.module("cls.predictions");
    let transform = head.child("transform");
    let decoder = match config.tie_word_embeddings {
        true => model.word_embeddings()?,
        false => head.weight("decoder.weight", Ix2(config.vocab_size, config.hidden_size))?,
    };
    let decoder = decoder.mapv(f64::from);
    let bias = head.weight("bias", Ix1(config.vocab_size))?.mapv(f64::from);
    per_text(given, |x| {
        let x = transform.linear("dense", x, config.hidden_size)?;
        let x = ops::activate(config.hidden_act, x);
        let x = transform.layer_norm("LayerNorm", &x, config.layer_norm_eps)?;
        Ok(x.dot(&decoder.t()) + &bias)
    })
}
