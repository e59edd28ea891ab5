//! A row of weights as int8: `w ≈ c·v` with `c = max|w|/127` and `v = round(w/c)`, ties to even.
//!
//! The range is symmetric, so a product with the row needs no sum of its elements. Each row has its
//! own scale, since the rows of a trained matrix differ a lot.

/// The largest magnitude that both signs of an int8 have.
const LARGEST: f32 = 127.0;

/// The scale c; 0 for a row of zeros.
pub(super) fn scale(row: &[f32]) -> f32 {
    largest(row) / LARGEST
}

/// The numbers v, one byte for each element.
pub(super) fn quantize(row: &[f32], bytes: &mut [u8]) {
    let largest = largest(row);
    let inverse = match largest > 0.0 {
        true => LARGEST / largest,
        false => 0.0,
    };
    for (byte, weight) in bytes.iter_mut().zip(row) {
        let rounded = (weight * inverse).round_ties_even();
        *byte = (rounded as i8).to_le_bytes()[0];
    }
}

fn largest(row: &[f32]) -> f32 {
    row.iter().fold(0.0, |largest, it| largest.max(it.abs()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn quantized(row: &[f32]) -> Vec<i8> {
        let mut bytes = vec![0; row.len()];
        quantize(row, &mut bytes);
        bytes.into_iter().map(|it| it as i8).collect()
    }

    proptest! {
        /// Against the formula in f64.
        #[test]
        fn a_row_is_within_half_a_step_of_itself(
            row in prop::collection::vec(-3.0..3.0f32, 1..70),
            magnitude in -12..12i32,
        ) {
            let row: Vec<f32> = row.iter().map(|it| it * 10f32.powi(magnitude)).collect();
            let largest = row.iter().fold(0.0, |largest, it| f64::max(largest, it.abs().into()));
            let step = largest / 127.0;
            let c = f64::from(scale(&row));
            prop_assert!((c - step).abs() <= step * 1e-6, "scale {c}, {step} in f64");
            for (i, (v, w)) in quantized(&row).into_iter().zip(&row).enumerate() {
                let (back, w) = (f64::from(v) * c, f64::from(*w));
                prop_assert!(
                    (back - w).abs() <= step * 0.5001,
                    "element {i}: {w} became {v}, which is {back}; a step is {step}"
                );
            }
        }
    }

    #[test]
    fn the_largest_element_is_127_and_zeros_stay_zeros() {
        assert_eq!(quantized(&[0.5, -2.0, 1.0, 0.0]), [32, -127, 64, 0]);
        assert_eq!(quantized(&[0.0, -0.0]), [0, 0]);
        assert_eq!(scale(&[0.0, -0.0]), 0.0);
    }
}
