//! How far two answers to the same question are apart.

use ndarray::{ArrayD, Axis};
use nezha_graphs::DType;
use nezha_runtime::{Tensor, Tensors};
use serde::{Deserialize, Deserializer, Serialize};

/// One answer by another.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Agreement {
    /// The largest difference of two elements; null in JSON where one of them is not a number.
    #[serde(deserialize_with = "number_or_null")]
    pub worst_error: f64,
    /// The same by the largest element of the output that it is in.
    #[serde(deserialize_with = "number_or_null")]
    pub worst_relative_error: f64,
    /// The share of rows, along the last axis, whose largest element is at the same place.
    pub argmax_agreement: f64,
}

impl Agreement {
    /// Over the float outputs that both have, in the same shape; none if there are none.
    pub fn of(answer: &Tensors, expected: &Tensors) -> Option<Self> {
        let pairs = answer.iter().filter_map(|(name, found)| {
            let expected = expected.get(name)?;
            (expected.shape() == found.shape())
                .then(|| Some((floats(found)?, floats(expected)?)))?
        });
        let outputs: Vec<Output> = pairs.map(|(a, b)| Output::new(&a, &b)).collect();
        let largest = |of: fn(&Output) -> f64| outputs.iter().map(of).fold(0.0, worse);
        let rows: usize = outputs.iter().map(|it| it.rows).sum();
        let same: usize = outputs.iter().map(|it| it.same).sum();
        (rows > 0).then(|| Self {
            worst_error: largest(|it| it.error),
            worst_relative_error: largest(|it| it.error / it.largest.max(f64::MIN_POSITIVE)),
            argmax_agreement: same as f64 / rows as f64,
        })
    }
}

fn number_or_null<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or(f64::NAN))
}

struct Output {
    error: f64,
    largest: f64,
    rows: usize,
    same: usize,
}

impl Output {
    fn new(found: &ArrayD<f32>, expected: &ArrayD<f32>) -> Self {
        let pairs = found.iter().zip(expected);
        let last = Axis(found.ndim().saturating_sub(1));
        let rows = found.lanes(last).into_iter().zip(expected.lanes(last));
        let same = rows
            .clone()
            .filter(|(a, b)| argmax(a.iter()) == argmax(b.iter()));
        Self {
            error: pairs
                .map(|(a, b)| f64::from((a - b).abs()))
                .fold(0.0, worse),
            largest: expected
                .iter()
                .map(|it| f64::from(it.abs()))
                .fold(0.0, worse),
            rows: rows.clone().count(),
            same: same.count(),
        }
    }
}

/// The larger one; not a number is the worst of all.
fn worse(a: f64, b: f64) -> f64 {
    if a.is_nan() || b.is_nan() {
        f64::NAN
    } else {
        a.max(b)
    }
}

fn argmax<'v>(values: impl Iterator<Item = &'v f32>) -> Option<usize> {
    values
        .enumerate()
        .max_by(|a, b| a.1.total_cmp(b.1))
        .map(|(index, _)| index)
}

fn floats(tensor: &Tensor) -> Option<ArrayD<f32>> {
    match tensor.dtype() {
        DType::F32 => tensor
            .array::<f32>()
            .ok()
            .filter(|it| it.ndim() > 0)
            .cloned(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use ndarray::arr2;

    use super::*;

    fn answer(values: [[f32; 3]; 2]) -> Tensors {
        Tensors::from([("logits", arr2(&values).into())])
    }

    #[test]
    fn the_worst_element_and_the_rows_that_choose_alike_are_found() {
        let expected = answer([[0.0, 1.0, -4.0], [2.0, 1.0, 0.0]]);
        let found = answer([[0.0, 1.5, -4.0], [2.0, 2.1, 0.0]]);
        let agreement = Agreement::of(&found, &expected).unwrap();
        assert!((agreement.worst_error - 1.1).abs() < 1e-6, "{agreement:?}");
        assert!(
            (agreement.worst_relative_error - 0.275).abs() < 1e-6,
            "{agreement:?}"
        );
        assert_eq!(agreement.argmax_agreement, 0.5);
    }

    #[test]
    fn not_a_number_never_passes_for_agreement() {
        let agreement = Agreement::of(&answer([[f32::NAN; 3]; 2]), &answer([[1.0; 3]; 2]));
        assert!(agreement.unwrap().worst_error.is_nan());
    }

    #[test]
    fn outputs_that_only_one_has_are_no_agreement() {
        let other = Tensors::from([("pooler_output", arr2(&[[1.0_f32]]).into())]);
        assert_eq!(Agreement::of(&answer([[1.0; 3]; 2]), &other), None);
    }
}
