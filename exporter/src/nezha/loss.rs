//! The loss that most of transformers' heads have, in standard operators that every engine has.

use nezha_graphs::{DType, Role};

use super::heads::{Given, Outputs};
use crate::graph::{Scope, Value};

/// The label that counts for nothing.
const IGNORED: i64 = -100;

/// The cross-entropy of an output against labels among the inputs; none without them.
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

/// The mean of `−log softmax(logits)[label]` over the labels that are not `ignored`; 0/0, which is
/// NaN, where all are. `logits` is […, C], `labels` […].
pub(super) fn cross_entropy(s: &Scope, logits: Value, labels: Value, ignored: Value) -> Value {
    let classes = s.width(logits) as i64;
    let log_probabilities = match s.rank(logits) {
        // The classes of these are an axis of the graph, and already the second one.
        2 => s.log_softmax(logits),
        _ => s.reshape(s.log_softmax(logits), &[-1, classes]),
    };
    let labels = s.reshape(labels, &[-1, 1]);
    let dtype = s.value_type(labels).dtype;
    let is_ignored = s.cast(s.equal(labels, ignored), DType::F32);
    let counts = s.sub(s.float(1.0), is_ignored);
    // An ignored label is no index: it reads class 0 and its weight takes that away.
    let index = s.mul(labels, s.cast(counts, dtype));
    let picked = s.gather_elements(log_probabilities, index, 1);
    s.div(s.neg(s.sum_all(s.mul(picked, counts))), s.sum_all(counts))
}
