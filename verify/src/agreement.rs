//! How far the outputs of two runs differ, output by output.

use ndarray::{ArrayD, Axis};
use nezha_graphs::DType;
use nezha_runtime::{Tensor, Tensors};

/// Compares one output with the same output of a reference, over any number of runs.
#[derive(Clone, Debug, Default)]
pub struct OutputAgreement {
    elements: usize,
    worst: f64,
    sum: f64,
    largest: f64,
    /// Σ found·expected, Σ found², Σ expected².
    products: [f64; 3],
    rows: usize,
    same_rows: usize,
}

impl OutputAgreement {
    /// Adds an output and the expected one, which has the same shape.
    pub fn add(&mut self, found: &ArrayD<f32>, expected: &ArrayD<f32>) {
        for (a, b) in found.iter().zip(expected) {
            let [a, b] = [*a, *b].map(f64::from);
            // A loss whose labels are all ignored is 0/0 in both.
            let error = match a.is_nan() && b.is_nan() {
                true => 0.0,
                false => (a - b).abs(),
            };
            self.worst = worse(self.worst, error);
            self.largest = worse(self.largest, b.abs());
            self.sum += error;
            for (sum, product) in self.products.iter_mut().zip([a * b, a * a, b * b]) {
                *sum += product;
            }
        }
        self.elements += expected.len();
        if expected.ndim() > 0 {
            let last = Axis(expected.ndim() - 1);
            let lanes = found.lanes(last).into_iter().zip(expected.lanes(last));
            for (a, b) in lanes {
                self.rows += 1;
                self.same_rows += usize::from(argmax(a.iter()) == argmax(b.iter()));
            }
        }
    }

    /// How many elements were compared.
    pub fn elements(&self) -> usize {
        self.elements
    }

    /// The largest difference between two elements; NaN if one of them is NaN.
    pub fn worst_error(&self) -> f64 {
        self.worst
    }

    /// The largest difference, divided by the largest expected magnitude.
    pub fn worst_relative_error(&self) -> f64 {
        self.worst / self.largest.max(f64::MIN_POSITIVE)
    }

    /// The mean difference between two elements.
    pub fn mean_error(&self) -> f64 {
        self.sum / self.elements.max(1) as f64
    }

    /// The cosine of the angle between all elements found and all elements expected.
    pub fn cosine_similarity(&self) -> f64 {
        let [product, found, expected] = self.products;
        match found == 0.0 && expected == 0.0 {
            true => 1.0,
            // One root of the whole product, so that equal outputs give exactly 1.
            false => product / (found * expected).sqrt(),
        }
    }

    /// The number of rows along the last axis, and of those whose largest elements are at the same
    /// place.
    pub fn rows(&self) -> (usize, usize) {
        (self.rows, self.same_rows)
    }
}

/// The f32 outputs that both have in the same shape: name, found, expected.
pub fn common<'t>(
    answer: &'t Tensors,
    expected: &'t Tensors,
) -> impl Iterator<Item = (&'t str, &'t ArrayD<f32>, &'t ArrayD<f32>)> {
    answer.iter().filter_map(|(name, found)| {
        let expected = expected.get(name)?;
        (expected.shape() == found.shape())
            .then(|| Some((name, floats(found)?, floats(expected)?)))?
    })
}

/// The larger number; NaN counts as the largest.
pub fn worse(a: f64, b: f64) -> f64 {
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

fn floats(tensor: &Tensor) -> Option<&ArrayD<f32>> {
    match tensor.dtype() {
        DType::F32 => tensor.array::<f32>().ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use ndarray::arr2;

    use super::*;

    fn agreement(pairs: &[([f32; 2], [f32; 2])]) -> OutputAgreement {
        let mut agreement = OutputAgreement::default();
        for (found, expected) in pairs {
            agreement.add(&arr2(&[*found]).into_dyn(), &arr2(&[*expected]).into_dyn());
        }
        agreement
    }

    #[test]
    fn answers_add_up() {
        let found = agreement(&[([1.0, 2.0], [1.0, 4.0]), ([3.0, 0.0], [2.0, 3.0])]);
        assert_eq!(found.elements(), 4);
        assert_eq!(found.worst_error(), 3.0);
        assert_eq!(found.worst_relative_error(), 0.75);
        assert_eq!(found.mean_error(), 1.5);
        let cosine = (1.0 + 8.0 + 6.0) / (14.0_f64.sqrt() * 30.0_f64.sqrt());
        assert!((found.cosine_similarity() - cosine).abs() < 1e-12);
        assert_eq!(found.rows(), (2, 1));
    }

    #[test]
    fn equal_answers_agree_and_zeros_have_an_angle_too() {
        for values in [[1.0, -2.0], [0.0, 0.0]] {
            let found = agreement(&[(values, values)]);
            assert_eq!(found.worst_error(), 0.0, "{values:?}");
            assert_eq!(found.cosine_similarity(), 1.0, "{values:?}");
            assert_eq!(found.rows(), (1, 1), "{values:?}");
        }
    }

    #[test]
    fn not_a_number_never_passes_for_agreement() {
        let found = agreement(&[([f32::NAN, 1.0], [1.0, 1.0]), ([1.0, 1.0], [1.0, 1.0])]);
        assert!(found.worst_error().is_nan());
        assert!(found.mean_error().is_nan());
        assert!(found.cosine_similarity().is_nan());
    }
}
