//! The numbers that a graph looks up by: engines differ in what they do with one that is out of
//! range, from counting backwards to reading past the end.

use ndarray::{ArrayD, Dimension};
use nezha_graphs::{Bindings, Config, Signature, axes};

use crate::{SessionError, Tensors};

/// The label that counts for nothing.
const IGNORED: i64 = -100;

/// The logits that labels are classes of, by name.
const CLASSES: [(&str, [&str; 2]); 2] = [
    ("labels", ["logits", "prediction_logits"]),
    ("next_sentence_label", ["logits", "seq_relationship_logits"]),
];

/// Checks token ids and token types as far as the config is known, positions, and labels.
pub(crate) fn check(
    signature: &Signature,
    config: Option<&Config>,
    inputs: &Tensors,
    bindings: &Bindings,
) -> Result<(), SessionError> {
    if let Some(config) = config {
        below(inputs, "input_ids", |_| Some(config.vocab_size))?;
        below(inputs, "token_type_ids", |_| Some(config.type_vocab_size))?;
    }
    let sizes = [axes::BATCH, axes::SEQUENCE].map(|axis| bindings.get(axis).copied());
    below(inputs, "mask_positions", |index| {
        sizes.get(index.last().copied()?).copied().flatten()
    })?;
    for (labels, logits) in CLASSES {
        let mut outputs = signature.outputs.iter();
        let logits = outputs.find(|port| logits.contains(&port.name.as_str()));
        let classes = logits.and_then(|port| port.shape.last()?.evaluate(bindings));
        below(inputs, labels, |_| classes)?;
    }
    Ok(())
}

/// Every number of the input is 0 or more and less than its `limit`; labels may be ignored ones.
fn below(
    inputs: &Tensors,
    name: &'static str,
    limit: impl Fn(&[usize]) -> Option<usize>,
) -> Result<(), SessionError> {
    let is_label = CLASSES.iter().any(|(labels, _)| *labels == name);
    let ignored = |value: i64| is_label && value == IGNORED;
    let Ok(numbers): Result<&ArrayD<i64>, _> = inputs.array(name) else {
        return Ok(());
    };
    for (index, value) in numbers.indexed_iter() {
        let Some(limit) = limit(index.slice()) else {
            continue;
        };
        let inside = usize::try_from(*value).is_ok_and(|value| value < limit);
        if !inside && !ignored(*value) {
            return Err(SessionError::OutOfRange {
                name,
                index: index.slice().to_vec(),
                value: *value,
                last: limit.saturating_sub(1),
            });
        }
    }
    Ok(())
}
