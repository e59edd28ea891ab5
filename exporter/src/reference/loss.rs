//! The losses that transformers' `NezhaFor…` classes compute when labels are given.

use ndarray::{ArrayD, Axis};
use nezha_graphs::{Head, ProblemType};

use super::inputs::{Inputs, expect_below, floats, integers};
use super::{Outputs, ReferenceError, ops};

/// The label that torch's `CrossEntropyLoss` leaves out by default.
const IGNORED: i64 = -100;

/// The loss of `head`, where its labels are given; in pretraining and question answering, where
/// both are.
pub(super) fn loss(
    head: Head,
    problem_type: ProblemType,
    inputs: &Inputs,
    outputs: &Outputs,
) -> Result<Option<f64>, ReferenceError> {
    let classes = |labels, logits: &str| class_loss(inputs, labels, &outputs[logits]);
    let positions = |labels, logits: &str| position_loss(inputs, labels, &outputs[logits]);
    match head {
        Head::Base => Ok(None),
        Head::Pretraining => {
            let tokens = classes("labels", "prediction_logits")?;
            let texts = classes("next_sentence_label", "seq_relationship_logits")?;
            Ok(tokens.zip(texts).map(|(tokens, texts)| tokens + texts))
        }
        Head::QuestionAnswering => {
            let start = positions("start_positions", "start_logits")?;
            let end = positions("end_positions", "end_logits")?;
            Ok(start.zip(end).map(|(start, end)| (start + end) / 2.0))
        }
        Head::SequenceClassification => match problem_type {
            ProblemType::SingleLabelClassification => classes("labels", "logits"),
            ProblemType::Regression => squared_loss(inputs, &outputs["logits"]),
            ProblemType::MultiLabelClassification => binary_loss(inputs, &outputs["logits"]),
        },
        Head::MaskedLm | Head::NextSentence | Head::MultipleChoice | Head::TokenClassification => {
            classes("labels", "logits")
        }
    }
}

/// Cross-entropy of `[…, n]` logits and `[…]` classes, −100 ignored.
fn class_loss(
    inputs: &Inputs,
    name: &str,
    logits: &ArrayD<f64>,
) -> Result<Option<f64>, ReferenceError> {
    let (classes, shape) = last_axis(logits);
    let Some(labels) = integers(inputs, name, shape)? else {
        return Ok(None);
    };
    expect_below(classes, name, labels, |label| label == IGNORED)?;
    Ok(Some(cross_entropy(logits, labels, IGNORED)))
}

/// Cross-entropy of `[b, s]` logits and `[b]` positions clamped to 0 to s, of which s is ignored.
fn position_loss(
    inputs: &Inputs,
    name: &str,
    logits: &ArrayD<f64>,
) -> Result<Option<f64>, ReferenceError> {
    let (length, shape) = last_axis(logits);
    let outside = length as i64;
    let positions = integers(inputs, name, shape)?;
    Ok(positions.map(|positions| {
        let labels = positions.mapv(|position| position.clamp(0, outside));
        cross_entropy(logits, &labels, outside)
    }))
}

/// Mean of −ln softmax(logits)[label] over the labels that are not ignored; NaN where all are.
///
/// torch's `CrossEntropyLoss`.
fn cross_entropy(logits: &ArrayD<f64>, labels: &ArrayD<i64>, ignored: i64) -> f64 {
    let rows = logits.lanes(Axis(labels.ndim()));
    let pairs = rows.into_iter().zip(labels);
    let losses: Vec<f64> = pairs
        .filter(|(_, label)| **label != ignored)
        .map(|(row, label)| -ops::log_softmax(row)[*label as usize])
        .collect();
    losses.iter().sum::<f64>() / losses.len() as f64
}

/// Mean of (logit − label)²; torch's `MSELoss`, of squeezed arrays where there is one label.
fn squared_loss(inputs: &Inputs, logits: &ArrayD<f64>) -> Result<Option<f64>, ReferenceError> {
    let (labels, batch) = last_axis(logits);
    let labels = match labels {
        1 => floats(inputs, "labels", &[batch, logits.shape()])?,
        _ => floats(inputs, "labels", &[logits.shape()])?,
    };
    Ok(labels.map(|labels| {
        let pairs = logits.iter().zip(labels);
        pairs.map(|(x, y)| (x - y).powi(2)).sum::<f64>() / logits.len() as f64
    }))
}

/// Mean of −y·ln σ(x) − (1 − y)·ln(1 − σ(x)) = max(x, 0) − x·y + ln(1 + exp(−|x|)).
///
/// torch's `BCEWithLogitsLoss`.
fn binary_loss(inputs: &Inputs, logits: &ArrayD<f64>) -> Result<Option<f64>, ReferenceError> {
    let labels = floats(inputs, "labels", &[logits.shape()])?;
    Ok(labels.map(|labels| {
        let pairs = logits.iter().zip(labels);
        let losses = pairs.map(|(x, y)| x.max(0.0) - x * y + (-x.abs()).exp().ln_1p());
        losses.sum::<f64>() / logits.len() as f64
    }))
}

/// The size of the last axis, and the shape without it.
fn last_axis(logits: &ArrayD<f64>) -> (usize, &[usize]) {
    match logits.shape() {
        [leading @ .., last] => (*last, leading),
        [] => (1, &[]),
    }
}
