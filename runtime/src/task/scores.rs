//! Turns logits into scores.

use ndarray::ArrayView1;

/// `exp(x_i) / Σ exp(x_j)`, in f64: in f32, the sum over a whole vocabulary is off by 3e-4.
pub(super) fn softmax<'a>(logits: impl IntoIterator<Item = &'a f32>) -> Vec<f32> {
    let mut scores: Vec<f64> = logits.into_iter().map(|logit| f64::from(*logit)).collect();
    let largest = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    for score in &mut scores {
        *score = (*score - largest).exp();
    }
    let sum: f64 = scores.iter().sum();
    scores.iter().map(|score| (score / sum) as f32).collect()
}

/// `1 / (1 + exp(-x_i))`.
pub(super) fn sigmoid(logits: ArrayView1<'_, f32>) -> Vec<f32> {
    logits
        .iter()
        .map(|logit| 1.0 / (1.0 + (-logit).exp()))
        .collect()
}

/// Index and score of the `count` best, the best first; of equal scores, the lower index first.
pub(super) fn best(scores: &[f32], count: usize) -> Vec<(usize, f32)> {
    let order = |a: &(usize, f32), b: &(usize, f32)| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0));
    let mut all: Vec<(usize, f32)> = scores.iter().copied().enumerate().collect();
    if (1..all.len()).contains(&count) {
        all.select_nth_unstable_by(count, order);
    }
    all.truncate(count);
    all.sort_unstable_by(order);
    all
}

/// Index and score of the best.
pub(super) fn argmax(scores: &[f32]) -> (usize, f32) {
    best(scores, 1).first().copied().unwrap_or((0, f32::NAN))
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    #[test]
    fn softmax_of_huge_logits_is_finite() {
        assert_eq!(softmax(&[1e30, 1e30, -1e30]), [0.5, 0.5, 0.0]);
    }

    #[test]
    fn softmax_of_a_large_vocabulary_keeps_the_small_ones_in_the_sum() {
        let mut logits = vec![0.0; 30_001];
        logits[0] = 30_000_f32.ln();
        assert!(
            (softmax(&logits)[0] - 0.5).abs() < 1e-6,
            "{}",
            softmax(&logits)[0]
        );
    }

    #[test]
    fn sigmoid_of_huge_logits_is_finite() {
        assert_eq!(sigmoid(array![-1e30, 0.0, 1e30].view()), [0.0, 0.5, 1.0]);
    }

    #[test]
    fn the_best_come_first_and_the_lower_index_among_equals() {
        let scores = [0.1, 0.4, 0.2, 0.4];
        assert_eq!(best(&scores, 3), [(1, 0.4), (3, 0.4), (2, 0.2)]);
        assert_eq!(best(&scores, 9).len(), 4);
        assert_eq!(best(&scores, 0), []);
    }
}
