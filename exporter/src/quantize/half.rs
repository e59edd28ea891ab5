use half::f16;
use half::slice::HalfFloatSliceExt;

/// Numbers from here on are rounded to infinity; the largest finite number is 65504.
pub(super) const OVERFLOW: f32 = 65520.0;

/// Converts to half precision, rounded to nearest, ties to even.
pub(super) fn encode(elements: &[f32]) -> Vec<u8> {
    let mut halves = vec![f16::ZERO; elements.len()];
    halves.convert_from_f32_slice(elements);
    halves.iter().flat_map(|it| it.to_le_bytes()).collect()
}
