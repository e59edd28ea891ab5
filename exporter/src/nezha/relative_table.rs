/// The base of the wavelengths, as in "Attention Is All You Need" (Vaswani et al., 2017, §3.5).
const WAVELENGTH_BASE: f64 = 10_000.0;

/// NEZHA's table T of relative positions, `[2M + 1, D]` in row-major order, for M =
/// `max_relative_position` and D = `head_size`.
///
/// Row r belongs to the distance r − M, key position minus query position, clipped to ±M:
///
/// ```text
/// T[r, 2k] = sin(r·w_k),  T[r, 2k + 1] = cos(r·w_k),  w_k = exp(2k · (−ln(10000) / D))
/// ```
///
/// (Wei et al., "NEZHA", arXiv:1909.00204, functional relative positional encoding.) The angle is
/// computed from the row r, not from the distance, as in transformers'
/// `NezhaRelativePositionsEncoding`. A head of size 1 has only the sine column.
///
/// Every step rounds where PyTorch rounds: the factor −ln(10000) / D is a double that is rounded to
/// single, and all other steps are in single precision. With `libm`, the bits are the same on every
/// platform. PyTorch's own `exp` and `sin` may differ in the last place, and the row number
/// multiplies the difference of `exp`. So tables are compared with PyTorch's at a tolerance of (2M
/// + 1)·2⁻²⁴.
///
/// Only this function computes the table. All layers and heads, keys and values, the graph and the
/// reference share it.
pub fn relative_position_table(max_relative_position: usize, head_size: usize) -> Vec<f32> {
    let factor = (-libm::log(WAVELENGTH_BASE) / head_size as f64) as f32;
    let frequencies: Vec<f32> = (0..head_size)
        .step_by(2)
        .map(|even_column| libm::expf(even_column as f32 * factor))
        .collect();
    let rows = 0..=2 * max_relative_position;
    rows.flat_map(|row| {
        (0..head_size).map({
            let frequencies = &frequencies;
            move |column| {
                let angle = row as f32 * frequencies[column / 2];
                match column % 2 {
                    0 => libm::sinf(angle),
                    _ => libm::cosf(angle),
                }
            }
        })
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::relative_position_table;

    #[test]
    fn the_first_row_is_the_angle_zero_at_every_frequency() {
        assert_eq!(
            relative_position_table(2, 4)[..4],
            [0.0, 1.0, 0.0, 1.0],
            "sin 0 and cos 0"
        );
        assert_eq!(relative_position_table(0, 1), [0.0]);
    }

    /// The bits are part of every exported file, so they must be the same on every platform.
    #[test]
    fn the_bits_do_not_depend_on_the_platform() {
        let hash = relative_position_table(64, 64)
            .iter()
            .flat_map(|value| value.to_bits().to_le_bytes())
            .fold(0xcbf2_9ce4_8422_2325u64, |hash, byte| {
                (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
            });
        assert_eq!(
            format!("{hash:016x}"),
            "7762f7c2b2557cee",
            "FNV-1a of T at M = 64, D = 64"
        );
    }
}
