//! The loss that most of transformers' `NezhaFor…` classes compute when labels are given.

use ndarray::{ArrayD, Axis};
use nezha_graphs::Role;

use super::inputs::{Inputs, expect_below, integers};
use super::{Outputs, ReferenceError, ops};

/// The label that PyTorch's `CrossEntropyLoss` ignores by default.
const IGNORED: i64 = -100;

/// Cross-entropy of `[…, n]` logits and `[…]` classes, with −100 ignored; `None` without labels.
pub(super) fn class_loss(
    inputs: &Inputs,
    labels: Role,
    outputs: &Outputs,
    logits: Role,
) -> Result<Option<f64>, ReferenceError> {
    let logits = &outputs[&*logits.name()];
    let (classes, shape) = last_axis(logits);
    let name = &labels.name();
    let Some(labels) = integers(inputs, name, shape)? else {
        return Ok(None);
    };
    expect_below(classes, name, labels, |label| label == IGNORED)?;
    Ok(Some(cross_entropy(logits, labels, IGNORED)))
}

/// Mean of −ln softmax(logits)[label] over the labels that are not ignored; NaN if all are.
///
/// This is PyTorch's `CrossEntropyLoss`.
pub(super) fn cross_entropy(logits: &ArrayD<f64>, labels: &ArrayD<i64>, ignored: i64) -> f64 {
    let rows = logits.lanes(Axis(labels.ndim()));
    let pairs = rows.into_iter().zip(labels);
    let losses: Vec<f64> = pairs
        .filter(|(_, label)| **label != ignored)
        .map(|(row, label)| -ops::log_softmax(row)[*label as usize])
        .collect();
    losses.iter().sum::<f64>() / losses.len() as f64
}

/// The size of the last axis, and the shape without it.
pub(super) fn last_axis(logits: &ArrayD<f64>) -> (usize, &[usize]) {
    match logits.shape() {
        [leading @ .., last] => (*last, leading),
        [] => (1, &[]),
    }
}
