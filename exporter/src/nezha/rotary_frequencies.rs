/// What positions are multiplied by to give the angle of each pair of numbers: 10000^(−2i/size), in f32.
///
/// Graph and reference share it, as they share the table of relative positions.
pub(crate) fn rotary_frequencies(size: usize) -> Vec<f32> {
    let pairs = 0..size / 2;
    let exponent = |i: usize| -2.0 * i as f64 / size as f64;
    pairs.map(|i| 10_000f64.powf(exponent(i)) as f32).collect()
}
