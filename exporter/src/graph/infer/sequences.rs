//! Operations along a sequence.

use nezha_graphs::Dim;

use super::{Inferred, expect_float, expect_same_dtype, plain, show};
use crate::graph::ValueType;

/// The states after each step of a cell with this many gates. A cell with four gates also has a
/// memory.
pub(super) fn recurrent(
    gates: usize,
    hidden: usize,
    x: &ValueType,
    weights: &[&ValueType],
) -> Inferred {
    expect_float(x)?;
    let ([length, batch, inputs], [of_inputs, of_states, bias, first @ ..]) =
        (x.shape.as_slice(), weights)
    else {
        return Err(format!("{} with {} weights", show(&x.shape), weights.len()));
    };
    let rows = gates * hidden;
    let expected = [
        vec![Dim::from(1), rows.into(), inputs.clone()],
        vec![Dim::from(1), rows.into(), hidden.into()],
        vec![Dim::from(1), (2 * rows).into()],
    ];
    for (weight, expected) in [of_inputs, of_states, bias].into_iter().zip(expected) {
        expect_same_dtype(x, weight)?;
        if weight.shape != expected {
            return Err(format!("{} for {}", show(&weight.shape), show(&expected)));
        }
    }
    let at_first = [Dim::from(1), batch.clone(), hidden.into()];
    if first.len() != gates - 2 || first.iter().any(|it| it.shape != at_first) {
        return Err(format!(
            "{} first states that are not {}",
            first.len(),
            show(&at_first)
        ));
    }
    let states = vec![length.clone(), Dim::from(1), batch.clone(), hidden.into()];
    Ok(plain(x.dtype, states))
}

/// A convolution that keeps the length.
pub(super) fn conv(
    [padding, dilation]: [usize; 2],
    x: &ValueType,
    kernel: &ValueType,
    bias: &[&ValueType],
) -> Inferred {
    expect_float(x)?;
    expect_same_dtype(x, kernel)?;
    let ([batch, channels, length], [outputs, same, columns]) =
        (x.shape.as_slice(), kernel.shape.as_slice())
    else {
        return Err(format!("{} with {}", show(&x.shape), show(&kernel.shape)));
    };
    let reach = columns.as_fixed().unwrap_or(0).saturating_sub(1) * dilation;
    if channels != same || 2 * padding != reach {
        let (x, kernel) = (show(&x.shape), show(&kernel.shape));
        return Err(format!("{x} with {kernel}, {padding} zeros on each side"));
    }
    if bias.len() > 1 || bias.iter().any(|it| !it.shape.iter().eq([outputs])) {
        return Err("a bias of another shape".to_owned());
    }
    let shape = vec![batch.clone(), outputs.clone(), length.clone()];
    Ok(plain(x.dtype, shape))
}
