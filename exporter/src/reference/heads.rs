//! What stands on top of the encoder.

use ndarray::{Array2, ArrayD, Axis, Ix1, Ix2};
use nezha_graphs::{Activation, Head};

use super::encoder::Encoded;
use super::{Outputs, Reference, ReferenceError, ops};

/// The head's own outputs, by name; transformers' `NezhaModel` and `NezhaFor…` classes.
///
/// `choices` is how many texts in a row belong to one question.
pub(super) fn outputs(
    model: &Reference,
    head: Head,
    texts: &[Encoded],
    choices: usize,
) -> Result<Outputs, ReferenceError> {
    let labels = model.config.num_labels();
    let named = match head {
        Head::Base => {
            let mut named = vec![("last_hidden_state", per_text(texts, |x| Ok(x.clone()))?)];
            if model.has_pooler() {
                named.push(("pooler_output", pooled(model, texts)?.into_dyn()));
            }
            named
        }
        Head::Pretraining => vec![
            ("prediction_logits", predictions(model, texts)?),
            (
                "seq_relationship_logits",
                of_pooled(model, texts, "cls.seq_relationship", 2)?,
            ),
        ],
        Head::MaskedLm => vec![("logits", predictions(model, texts)?)],
        Head::NextSentence => vec![(
            "logits",
            of_pooled(model, texts, "cls.seq_relationship", 2)?,
        )],
        Head::SequenceClassification => {
            vec![("logits", of_pooled(model, texts, "classifier", labels)?)]
        }
        Head::MultipleChoice => {
            let scores = of_pooled(model, texts, "classifier", 1)?;
            let shape = (texts.len() / choices, choices);
            let scores = Array2::from_shape_fn(shape, |(b, c)| scores[[b * choices + c, 0]]);
            vec![("logits", scores.into_dyn())]
        }
        Head::TokenClassification => {
            vec![("logits", of_tokens(model, texts, "classifier", labels)?)]
        }
        Head::QuestionAnswering => {
            let scores = of_tokens(model, texts, "qa_outputs", 2)?;
            let column = |i| scores.index_axis(Axis(2), i).to_owned();
            vec![("start_logits", column(0)), ("end_logits", column(1))]
        }
    };
    Ok(named
        .into_iter()
        .map(|(name, array)| (name.to_owned(), array))
        .collect())
}

/// A function of each text's last hidden state: `[s, H]` → `[s, n]`, stacked to `[texts, s, n]`.
fn per_text(
    texts: &[Encoded],
    f: impl Fn(&Array2<f64>) -> Result<Array2<f64>, ReferenceError>,
) -> Result<ArrayD<f64>, ReferenceError> {
    let results: Result<Vec<_>, _> = texts
        .iter()
        .map(|text| f(text.last_hidden_state()))
        .collect();
    Ok(ops::stack(results?.iter()))
}

/// The linear layer `name` over every token, `[texts, s, width]`.
fn of_tokens(
    model: &Reference,
    texts: &[Encoded],
    name: &str,
    width: usize,
) -> Result<ArrayD<f64>, ReferenceError> {
    per_text(texts, |x| model.weights.root().linear(name, x, width))
}

/// The linear layer `name` over the pooled texts, `[texts, width]`.
fn of_pooled(
    model: &Reference,
    texts: &[Encoded],
    name: &str,
    width: usize,
) -> Result<ArrayD<f64>, ReferenceError> {
    let pooled = pooled(model, texts)?;
    Ok(model
        .weights
        .root()
        .linear(name, &pooled, width)?
        .into_dyn())
}

/// `tanh(dense(x[0]))`, `[texts, H]`; `NezhaPooler`.
fn pooled(model: &Reference, texts: &[Encoded]) -> Result<Array2<f64>, ReferenceError> {
    let hidden = model.config.hidden_size;
    let first = Array2::from_shape_fn((texts.len(), hidden), |(text, h)| {
        texts[text].last_hidden_state()[[0, h]]
    });
    let dense = model
        .weights
        .module("nezha.pooler")
        .linear("dense", &first, hidden)?;
    Ok(ops::activate(Activation::Tanh, dense))
}

/// `LayerNorm(act(dense(x)))·Eᵀ + bias`, `[texts, s, V]`; `NezhaLMPredictionHead`.
///
/// E is the word embeddings; a decoder of its own with `tie_word_embeddings: false`.
fn predictions(model: &Reference, texts: &[Encoded]) -> Result<ArrayD<f64>, ReferenceError> {
    let config = &model.config;
    let head = model.weights.module("cls.predictions");
    let transform = head.child("transform");
    let decoder = match config.tie_word_embeddings {
        true => model.word_embeddings()?,
        false => head.weight("decoder.weight", Ix2(config.vocab_size, config.hidden_size))?,
    };
    let decoder = decoder.mapv(f64::from);
    let bias = head.weight("bias", Ix1(config.vocab_size))?.mapv(f64::from);
    per_text(texts, |x| {
        let x = transform.linear("dense", x, config.hidden_size)?;
        let x = ops::activate(config.hidden_act, x);
        let x = transform.layer_norm("LayerNorm", &x, config.layer_norm_eps)?;
        Ok(x.dot(&decoder.t()) + &bias)
    })
}
