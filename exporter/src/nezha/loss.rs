//! The loss that most of transformers' heads have, in standard operators of every engine.

use nezha_graphs::{DType, Role};

use super::heads::{Given, Outputs};
use crate::graph::{Scope, Value};

/// The label that is ignored.
const IGNORED: i64 = -100;

/// The cross-entropy of an output against labels among the inputs; `None` without labels.
pub(super) fn classify(
    s: &Scope,
    given: &Given,
    outputs: &Outputs,
    logits: Role,
    labels: Role,
) -> Option<Value> {
    let logits = outputs.get(&logits).copied()?;
    let labels = given.inputs.get(labels)?;
    Some(cross_entropy(s, logits, labels, s.int64(IGNORED)))
}

/// The mean of `−log softmax(logits)[label]` over the labels that are not `ignored`. If all are, it
/// is 0/0, which is NaN. `logits` is […, C], `labels` […].
pub(super) fn cross_entropy(s: &Scope, logits: Value, labels: Value, ignored: Value) -> Value {
    let classes = s.width(logits) as i64;
    let log_probabilities = match s.rank(logits) {
        // Here the classes are a dynamic axis, which is already the second one.
        2 => s.log_softmax(logits),
        _ => s.reshape(s.log_softmax(logits), &[-1, classes]),
    };
    let labels = s.reshape(labels, &[-1, 1]);
    let dtype = s.value_type(labels).dtype;
    let is_ignored = s.cast(s.equal(labels, ignored), DType::F32);
    let counts = s.sub(s.float(1.0), is_ignored);
    // An ignored label is not a valid index. It reads class 0 instead, and its weight is 0.
    let index = s.mul(labels, s.cast(counts, dtype));
    let picked = s.gather_elements(log_probabilities, index, 1);
    s.div(s.neg(s.sum_all(s.mul(picked, counts))), s.sum_all(counts))
}
