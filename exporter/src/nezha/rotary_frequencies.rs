/// The frequencies of rotary positions, 10000^(−2i/size) for each pair i of numbers, in f32. The
/// angle of a pair is the position times its frequency.
///
/// The graph and the reference share them, like the table of relative positions.
pub(crate) fn rotary_frequencies(size: usize) -> Vec<f32> {
    let pairs = 0..size / 2;
    let exponent = |i: usize| -2.0 * i as f64 / size as f64;
    pairs.map(|i| 10_000f64.powf(exponent(i)) as f32).collect()
}
