//! Checks the indices in the inputs. Engines differ in what they do with an index that is out of
//! range, from counting backwards to reading past the end.

use ndarray::{ArrayD, Dimension};
use nezha_graphs::{Bindings, Config, Port, Role, Signature, axes};

use crate::{SessionError, Tensors};

/// The label that the loss ignores.
const IGNORED: i64 = -100;

/// Checks positions, labels and, as far as the config is known, token ids and token types.
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

/// Checks that every number of the input is at least 0 and less than its `limit`; labels may also
/// be [`IGNORED`].
fn below(
    inputs: &Tensors,
    port: &Port,
    limit: impl Fn(&[usize]) -> Option<usize>,
) -> Result<(), SessionError> {
    let is_label = !port.role.scores().is_empty();
    let ignored = |value: i64| is_label && value == IGNORED;
    let is_inside = |index: &[usize], value: i64| match limit(index) {
        Some(limit) if !ignored(value) => match usize::try_from(value) {
            Ok(number) if number < limit => Ok(()),
            _ => Err(SessionError::OutOfRange {
                name: port.name.clone(),
                index: index.to_vec(),
                value,
                last: limit.saturating_sub(1),
            }),
        },
        _ => Ok(()),
    };
    let Some(tensor) = inputs.get(&port.name) else {
        return Ok(());
    };
    match (tensor.array::<i64>(), tensor.array::<i32>()) {
        (Ok(numbers), _) => each(numbers, is_inside),
        (_, Ok(numbers)) => each(numbers, is_inside),
        _ => Ok(()),
    }
}

/// Fails with the first number that doesn't pass.
fn each<T: Copy + Into<i64>>(
    numbers: &ArrayD<T>,
    check: impl Fn(&[usize], i64) -> Result<(), SessionError>,
) -> Result<(), SessionError> {
    let mut numbers = numbers.indexed_iter();
    numbers.try_for_each(|(index, value)| check(index.slice(), (*value).into()))
}
