//! How far the outputs of two contenders differ.

use nezha_runtime::Tensors;
use nezha_verify::{OutputAgreement, common, worse};
use serde::{Deserialize, Deserializer, Serialize};

/// The outputs of a run compared with those of another.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Agreement {
    /// The largest difference between two elements; null in JSON if one of them is NaN.
    #[serde(deserialize_with = "number_or_null")]
    pub worst_error: f64,
    /// The largest difference, divided by the largest magnitude of the output that it is in.
    #[serde(deserialize_with = "number_or_null")]
    pub worst_relative_error: f64,
    /// The share of rows, along the last axis, whose largest elements are at the same place.
    pub argmax_agreement: f64,
}

impl Agreement {
    /// Compares the f32 outputs that both have in the same shape; `None` if there are none.
    pub fn of(answer: &Tensors, expected: &Tensors) -> Option<Self> {
        let outputs = common(answer, expected).filter(|(_, found, _)| found.ndim() > 0);
        let outputs: Vec<OutputAgreement> = outputs
            .map(|(_, found, expected)| {
                let mut output = OutputAgreement::default();
                output.add(found, expected);
                output
            })
            .collect();
        let largest = |of: fn(&OutputAgreement) -> f64| outputs.iter().map(of).fold(0.0, worse);
        let (rows, same) = outputs
            .iter()
            .map(OutputAgreement::rows)
            .fold((0, 0), |sum, it| (sum.0 + it.0, sum.1 + it.1));
        (rows > 0).then(|| Self {
            worst_error: largest(OutputAgreement::worst_error),
            worst_relative_error: largest(OutputAgreement::worst_relative_error),
            argmax_agreement: same as f64 / rows as f64,
        })
    }
}

fn number_or_null<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or(f64::NAN))
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
