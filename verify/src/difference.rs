//! How far the outputs of an engine are off.

use std::collections::BTreeMap;

use ndarray::{ArrayD, Axis};
use nezha_exporter::reference::Outputs;
use nezha_graphs::{DType, Port, Role};
use nezha_runtime::Tensors;

use crate::error::AnswerError;

/// How far each output is off, by the contract's names.
pub type Differences = BTreeMap<String, f64>;

/// The largest magnitude of each output in all runs of the reference.
///
/// A single run would give no good scale: a logit or a loss may happen to be almost 0, though the
/// terms of its sum are not.
pub type Scales = BTreeMap<String, f64>;

/// Adds the magnitudes of one more run of the reference.
pub fn add_scales(scales: &mut Scales, expected: &Outputs) {
    for (name, array) in expected {
        let scale = scales.entry(name.clone()).or_default();
        let finite = array.iter().filter(|it| it.is_finite());
        *scale = finite.fold(*scale, |largest, it| largest.max(it.abs()));
    }
}

/// The output that is furthest off, and by how much, as a share of its scale.
pub fn worst(differences: Differences, scales: &Scales) -> (String, f64) {
    let errors = differences.into_iter().map(|(output, difference)| {
        // Ids are compared by their probabilities, whose scale is 1.
        let scale = match Role::from_name(&output) {
            Role::TopIds => 1.0,
            _ => scales.get(&output).copied().unwrap_or_default(),
        };
        (output, difference / scale.max(f64::MIN_POSITIVE))
    });
    errors
        .max_by(|a, b| a.1.total_cmp(&b.1))
        .unwrap_or((String::new(), f64::INFINITY))
}

/// The reference's output for `port`.
pub(crate) fn output<'o>(
    port: &Port,
    expected: &'o Outputs,
) -> Result<&'o ArrayD<f64>, AnswerError> {
    expected
        .get(port.contract_name().as_ref())
        .ok_or_else(|| no_reference(port))
}

fn no_reference(port: &Port) -> AnswerError {
    AnswerError::NoReference {
        name: port.name.clone(),
    }
}

/// The largest difference of an output's elements from the reference; infinite if the output has
/// another shape, or NaN where the reference has a number.
///
/// # Errors
/// [`AnswerError`] if the reference or the engine doesn't have the output.
pub fn difference(port: &Port, expected: &Outputs, found: &Tensors) -> Result<f64, AnswerError> {
    if port.dtype == DType::I64 {
        return ids_difference(port, expected, found);
    }
    let expected = output(port, expected)?;
    let found = found.array::<f32>(&port.name)?;
    if expected.shape() != found.shape() {
        return Ok(f64::INFINITY);
    }
    let worst = expected.iter().zip(found).map(|(expected, found)| {
        let difference = (f64::from(*found) - expected).abs();
        // A loss whose labels are all ignored is 0/0, and a pair of tokens that can't be a span has
        // the score −∞.
        match difference.is_nan() {
            true if expected.is_nan() && found.is_nan() => 0.0,
            true if f64::from(*found) == *expected => 0.0,
            true => f64::INFINITY,
            false => difference,
        }
    });
    Ok(worst.fold(0.0, f64::max))
}

/// How far the probabilities of the found ids are from the best ones: engines may order two tokens
/// either way if they are almost equally probable.
fn ids_difference(port: &Port, expected: &Outputs, found: &Tensors) -> Result<f64, AnswerError> {
    let found = found.array::<i64>(&port.name)?;
    let [probabilities, best] =
        [Role::Probabilities, Role::TopProbabilities].map(|it| expected.get(it.name().as_ref()));
    let (probabilities, best) = probabilities.zip(best).ok_or_else(|| no_reference(port))?;
    if best.shape() != found.shape() {
        return Ok(f64::INFINITY);
    }
    let last = Axis(best.ndim().saturating_sub(1));
    let rows = probabilities.lanes(last).into_iter();
    let rows = rows.zip(best.lanes(last)).zip(found.lanes(last));
    let mut worst: f64 = 0.0;
    for ((probabilities, best), ids) in rows {
        for (best, id) in best.iter().zip(ids) {
            let found = usize::try_from(*id)
                .ok()
                .and_then(|id| probabilities.get(id));
            worst = worst.max(found.map_or(f64::INFINITY, |found| (best - found).abs()));
        }
    }
    Ok(worst)
}

#[cfg(test)]
mod tests {
    use ndarray::arr1;
    use nezha_graphs::Dim;

    use super::*;

    #[test]
    fn another_shape_and_a_number_that_is_none_are_infinitely_far_off() {
        let port = Port::new("y", DType::F32, &[Dim::from(2)], "");
        let far = |expected: [f64; 2], found: &[f32]| {
            let expected = Outputs::from([("y".to_owned(), arr1(&expected).into_dyn())]);
            let found = Tensors::from([("y", arr1(found).into())]);
            difference(&port, &expected, &found).unwrap()
        };
        assert_eq!(far([4.0, -8.0], &[4.0, -8.0]), 0.0);
        assert_eq!(far([4.0, -8.0], &[6.0, -8.0]), 2.0);
        assert_eq!(far([4.0, -8.0], &[4.0]), f64::INFINITY);
        assert_eq!(far([4.0, -8.0], &[4.0, f32::NAN]), f64::INFINITY);
        assert_eq!(far([4.0, -8.0], &[4.0, f32::INFINITY]), f64::INFINITY);
        assert_eq!(far([4.0, f64::NAN], &[4.0, f32::NAN]), 0.0);
    }

    #[test]
    fn a_number_that_happens_to_be_small_is_measured_by_the_others() {
        let scales = Scales::from([("logits".to_owned(), 2.0), ("loss".to_owned(), 1e-3)]);
        let differences = [("logits", 1e-6), ("loss", 1e-8)].map(|(it, by)| (it.to_owned(), by));
        let (output, error) = worst(differences.into(), &scales);
        assert_eq!((output.as_str(), error), ("loss", 1e-5));
        let (output, error) = worst([("top_ids".to_owned(), 0.5)].into(), &scales);
        assert_eq!((output.as_str(), error), ("top_ids", 0.5));
    }

    #[test]
    fn the_best_ids_may_change_places_where_they_are_equally_probable() {
        let port = Port::new("top_ids", DType::I64, &[Dim::from(2)], "");
        let array = |values: &[f64]| arr1(values).into_dyn();
        let expected = Outputs::from([
            ("probabilities".to_owned(), array(&[0.1, 0.4, 0.4, 0.1])),
            ("top_probabilities".to_owned(), array(&[0.4, 0.4])),
        ]);
        let far = |ids: [i64; 2]| {
            let found = Tensors::from([("top_ids", arr1(&ids).into())]);
            ids_difference(&port, &expected, &found).unwrap()
        };
        assert_eq!(far([1, 2]), 0.0);
        assert_eq!(far([2, 1]), 0.0);
        assert!((far([1, 0]) - 0.3).abs() < 1e-12);
        assert_eq!(far([1, 4]), f64::INFINITY);
        assert_eq!(far([-1, 2]), f64::INFINITY);
    }
}
