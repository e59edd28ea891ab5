//! The losses of transformers' heads, in standard operators that every engine has.

use std::collections::BTreeMap;

use nezha_graphs::{Config, DType, GraphOptions, Head, ProblemType, Role};

use super::inputs::Inputs;
use crate::graph::{Scope, Value};

/// The label that counts for nothing.
const IGNORED: i64 = -100;

/// The loss of the head's `outputs` against the labels among `inputs`; none without labels.
pub fn loss(
    s: &Scope,
    config: &Config,
    head: Head,
    options: &GraphOptions,
    inputs: &Inputs,
    outputs: &BTreeMap<Role, Value>,
) -> Option<Value> {
    if !options.loss {
        return None;
    }
    let output = |role: Role| outputs.get(&role).copied();
    let classify = |logits: Role, labels: Role| {
        Some(cross_entropy(
            s,
            output(logits)?,
            inputs.get(labels)?,
            s.int64(IGNORED),
        ))
    };
    match head {
        Head::Base => None,
        Head::MaskedLm | Head::NextSentence | Head::TokenClassification | Head::MultipleChoice => {
            classify(Role::Logits, Role::Labels)
        }
        Head::Pretraining => Some(s.add(
            classify(Role::PredictionLogits, Role::Labels)?,
            classify(Role::RelationshipLogits, Role::NextSentenceLabel)?,
        )),
        Head::QuestionAnswering => {
            let side = |logits: Role, positions: Role| {
                Some(position_loss(s, output(logits)?, inputs.get(positions)?))
            };
            let start = side(Role::StartLogits, Role::StartPositions)?;
            let end = side(Role::EndLogits, Role::EndPositions)?;
            Some(s.div(s.add(start, end), s.float(2.0)))
        }
        Head::SequenceClassification => match options.effective_problem_type(config) {
            ProblemType::SingleLabelClassification => classify(Role::Logits, Role::Labels),
            ProblemType::Regression => {
                let labels = inputs.get(Role::Labels)?;
                Some(mean_squared_error(s, config, output(Role::Logits)?, labels))
            }
            ProblemType::MultiLabelClassification => Some(binary_cross_entropy(
                s,
                output(Role::Logits)?,
                inputs.get(Role::Labels)?,
            )),
        },
    }
}

/// The mean of `−log softmax(logits)[label]` over the labels that are not `ignored`; 0/0, which is
/// NaN, where all are. `logits` is […, C], `labels` […].
fn cross_entropy(s: &Scope, logits: Value, labels: Value, ignored: Value) -> Value {
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

/// Cross-entropy over the positions of a sequence: those beyond it are ignored, those before it
/// count as 0. `logits` is [batch, sequence].
fn position_loss(s: &Scope, logits: Value, positions: Value) -> Value {
    let length = s.cast(s.squeeze(s.shape(logits, 1, 2), &[0]), DType::I32);
    let positions = s.clip(positions, s.int64(0), s.int64(i32::MAX.into()));
    let positions = s.clip(s.cast(positions, DType::I32), s.int32(0), length);
    cross_entropy(s, logits, positions, length)
}

/// The mean of `(x − y)²`.
fn mean_squared_error(s: &Scope, config: &Config, logits: Value, labels: Value) -> Value {
    let predicted = match config.num_labels() {
        1 => s.squeeze(logits, &[1]),
        _ => logits,
    };
    let difference = s.sub(predicted, labels);
    s.mean_all(s.mul(difference, difference))
}

/// The mean of `−y·log σ(x) − (1 − y)·log σ(−x)`, as `max(x, 0) − x·y + log(1 + e^−|x|)`.
fn binary_cross_entropy(s: &Scope, x: Value, y: Value) -> Value {
    let softplus = s.log(s.add(s.exp(s.neg(s.abs(x))), s.float(1.0)));
    s.mean_all(s.add(s.sub(s.relu(x), s.mul(x, y)), softplus))
}
