//! The numbers that a graph looks up by: engines differ in what they do with one that is out of
//! range, from counting backwards to reading past the end.

use ndarray::{ArrayD, Dimension};
use nezha_graphs::{Bindings, Config, Port, Role, Signature, axes};

use crate::{SessionError, Tensors};

/// The label that counts for nothing.
const IGNORED: i64 = -100;

/// Checks token ids and token types as far as the config is known, positions, and labels.
pub(crate) fn check(
    signature: &Signature,
    config: Option<&Config>,
    inputs: &Tensors,
    bindings: &Bindings,
) -> Result<(), SessionError> {
    let sizes = [axes::BATCH, axes::SEQUENCE].map(|axis| bindings.get(axis).copied());
    for port in &signature.inputs {
        match port.role {
            Role::TokenIds => below(inputs, port, |_| Some(config?.vocab_size))?,
            Role::TokenTypes => below(inputs, port, |_| Some(config?.type_vocab_size))?,
            Role::MaskPositions => below(inputs, port, |index| {
                sizes.get(index.last().copied()?).copied().flatten()
            })?,
            label => {
                let classes = signature
                    .classes(label)
                    .and_then(|it| it.evaluate(bindings));
                below(inputs, port, |_| classes)?;
            }
        }
    }
    Ok(())
}

/// Every number of the input is 0 or more and less than its `limit`; labels may be ignored ones.
fn below(
    inputs: &Tensors,
    port: &Port,
    limit: impl Fn(&[usize]) -> Option<usize>,
) -> Result<(), SessionError> {
    let is_label = !port.role.scores().is_empty();
    let ignored = |value: i64| is_label && value == IGNORED;
    let Ok(numbers): Result<&ArrayD<i64>, _> = inputs.array(&port.name) else {
        return Ok(());
    };
    for (index, value) in numbers.indexed_iter() {
        let Some(limit) = limit(index.slice()) else {
            continue;
        };
        let inside = usize::try_from(*value).is_ok_and(|value| value < limit);
        if !inside && !ignored(*value) {
            return Err(SessionError::OutOfRange {
                name: port.name.clone(),
                index: index.slice().to_vec(),
                value: *value,
                last: limit.saturating_sub(1),
            });
        }
    }
    Ok(())
}
