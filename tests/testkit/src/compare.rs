//! The one comparison of numbers and of lists.
//!
//! Lengths and shapes come before elements, nothing to compare is a failure, a NaN is near nothing,
//! and a failure names the case, the tensor, the index and both values.

use std::iter::Zip;

use ndarray::{ArrayRef, Dimension};

/// How near two numbers have to be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Tolerance {
    /// The same bits.
    Bits,
    /// This far apart at most.
    Within(f64),
    /// This share of the largest magnitude that is expected in the tensor at most.
    OfLargest(f64),
}

/// Fails unless the tensor `name` has the expected shape, some elements, and each near the expected
/// one; gives the largest difference, as a share of the largest magnitude that is expected.
///
/// NaN equals NaN in the `loss` alone, where all labels are ignored.
#[track_caller]
pub fn assert_near<E, A, D, F>(
    context: &str,
    name: &str,
    expected: &ArrayRef<E, D>,
    actual: &ArrayRef<A, F>,
    tolerance: Tolerance,
) -> f64
where
    E: Copy + Into<f64>,
    A: Copy + Into<f64>,
    D: Dimension,
    F: Dimension,
{
    let (shape, expected_shape) = (actual.shape(), expected.shape());
    assert_eq!(shape, expected_shape, "{context}: shape of {name}");
    assert!(!expected.is_empty(), "{context}: {name} has no elements");
    let magnitudes = expected.iter().map(|it| (*it).into().abs());
    let largest = magnitudes.filter(|it| it.is_finite()).fold(0.0, f64::max);
    let allowed = match tolerance {
        Tolerance::Bits => 0.0,
        Tolerance::Within(allowed) => allowed,
        Tolerance::OfLargest(share) => share * largest,
    };
    let mut worst = 0.0;
    // Both in the order of their indices, whatever they are in memory.
    for (at, (expected, actual)) in expected.iter().zip(actual.iter()).enumerate() {
        let (expected, actual) = ((*expected).into(), (*actual).into());
        let same = expected.to_bits() == actual.to_bits();
        // Also where both are the same infinity.
        if same || name == "loss" && expected.is_nan() && actual.is_nan() {
            continue;
        }
        let apart = (actual - expected).abs();
        // Nothing is near an infinity or a NaN.
        let near = apart <= allowed && apart.is_finite() && tolerance != Tolerance::Bits;
        assert!(
            near,
            "{context}: {name}{:?} is {actual:e}, expected {expected:e}: {apart:e} apart, \
             {allowed:e} allowed ({tolerance:?}, the largest magnitude is {largest:e})",
            index(at, shape),
        );
        worst = f64::max(worst, apart / largest.max(f64::MIN_POSITIVE));
    }
    worst
}

/// The index of the element that `at` others come before.
fn index(mut at: usize, shape: &[usize]) -> Vec<usize> {
    let mut index = vec![0; shape.len()];
    for (it, size) in index.iter_mut().zip(shape).rev() {
        (*it, at) = (at % size, at / size);
    }
    index
}

/// [`assert_near`] within a share of the largest magnitude, as engines are held to.
#[track_caller]
pub fn assert_close<E, A, D, F>(
    context: &str,
    name: &str,
    expected: &ArrayRef<E, D>,
    actual: &ArrayRef<A, F>,
    share: f64,
) -> f64
where
    E: Copy + Into<f64>,
    A: Copy + Into<f64>,
    D: Dimension,
    F: Dimension,
{
    let tolerance = Tolerance::OfLargest(share);
    assert_near(context, name, expected, actual, tolerance)
}

/// What is expected beside what was found, one by one; fails where there are more of one than of the
/// other, and where there are none.
#[track_caller]
pub fn pairs<E, F>(context: &str, expected: E, found: F) -> Zip<E::IntoIter, F::IntoIter>
where
    E: IntoIterator<IntoIter: ExactSizeIterator>,
    F: IntoIterator<IntoIter: ExactSizeIterator>,
{
    let (expected, found) = (expected.into_iter(), found.into_iter());
    let (count, expected_count) = (found.len(), expected.len());
    assert_eq!(count, expected_count, "{context}: how many there are");
    assert!(count > 0, "{context}: nothing to compare");
    expected.zip(found)
}

#[cfg(test)]
mod tests {
    use std::panic::{self, AssertUnwindSafe};

    use ndarray::{ArrayD, array};

    use super::*;

    /// What a comparison that has to fail says.
    fn failure(comparison: impl FnOnce()) -> String {
        let panicked = panic::catch_unwind(AssertUnwindSafe(comparison));
        let payload = panicked.expect_err("it passed");
        payload.downcast_ref::<String>().unwrap().clone()
    }

    #[test]
    fn a_number_that_is_off_is_named_by_case_tensor_index_and_both_values() {
        let (expected, found) = (
            array![[1.0, 2.0], [4.0, 3.0]],
            array![[1.0, 2.0], [4.0, 3.5]],
        );
        let share = Tolerance::OfLargest(0.1);
        let said = failure(|| {
            assert_near("padded", "logits", &expected, &found, share);
        });
        for part in [
            "padded: logits[1, 1] is 3.5e0",
            "expected 3e0",
            "5e-1 apart",
        ] {
            assert!(said.contains(part), "no '{part}' in: {said}");
        }
        let wider = Tolerance::OfLargest(0.125);
        let worst = assert_near("padded", "logits", &expected, &found, wider);
        assert_eq!(worst, 0.125);
    }

    #[test]
    fn a_tensor_of_another_shape_is_refused_whatever_its_elements_are() {
        for (expected, found) in [
            (array![1.0, 2.0].into_dyn(), array![1.0].into_dyn()),
            (array![1.0].into_dyn(), array![1.0, 2.0].into_dyn()),
            (array![1.0, 2.0].into_dyn(), array![[1.0, 2.0]].into_dyn()),
        ] {
            let said = failure(|| {
                assert_close("a case", "y", &expected, &found, f64::MAX);
            });
            assert!(said.contains("a case: shape of y"), "{said}");
        }
        let nothing = ArrayD::<f64>::zeros(vec![2, 0]);
        let said = failure(|| {
            assert_close("a case", "y", &nothing, &nothing, f64::MAX);
        });
        assert!(said.contains("has no elements"), "{said}");
    }

    #[test]
    fn nothing_is_near_a_nan_or_an_infinity() {
        let numbers = [1.0, f64::NAN, f64::INFINITY, f64::NEG_INFINITY];
        for (i, expected) in numbers.into_iter().enumerate() {
            for (j, found) in numbers.into_iter().enumerate() {
                let compare = || {
                    let (expected, found) = (array![2.0, expected], array![2.0, found]);
                    assert_close("a case", "y", &expected, &found, 1e9);
                };
                match i == j {
                    true => compare(),
                    false => drop(failure(compare)),
                }
            }
        }
    }

    #[test]
    fn a_loss_of_ignored_labels_is_not_a_number_in_either() {
        let (nan, other_nan) = (array![f64::NAN], array![-f64::NAN]);
        assert_close("a case", "loss", &nan, &other_nan, 0.0);
        let said = failure(|| {
            assert_close("a case", "loss", &nan, &array![0.0], f64::MAX);
        });
        assert!(said.contains("is 0e0, expected NaN"), "{said}");
    }

    #[test]
    fn bits_tell_what_no_difference_does() {
        let bits = Tolerance::Bits;
        assert_near("a case", "y", &array![0.1_f32], &array![0.1_f32], bits);
        failure(|| {
            assert_near("a case", "y", &array![0.0_f32], &array![-0.0_f32], bits);
        });
        let next = 0.1_f32.next_up();
        failure(|| {
            assert_near("a case", "y", &array![0.1_f32], &array![next], bits);
        });
    }

    #[test]
    fn lists_of_different_lengths_and_empty_lists_have_no_pairs() {
        let found: Vec<(&i32, &i32)> = pairs("answers", &[1, 2], &[3, 4]).collect();
        assert_eq!(found, [(&1, &3), (&2, &4)]);
        for (expected, found) in [(&[1, 2][..], &[1][..]), (&[1], &[1, 2]), (&[1], &[])] {
            let said = failure(|| drop(pairs("answers", expected, found)));
            assert!(said.contains("answers: how many there are"), "{said}");
        }
        let none: [i32; 0] = [];
        let said = failure(|| drop(pairs("answers", none, none)));
        assert!(said.contains("nothing to compare"), "{said}");
    }
}
