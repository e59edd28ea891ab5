//! Logits to scores.

use ndarray::ArrayView1;

/// `exp(x_i) / Σ exp(x_j)`.
pub(super) fn softmax<'a>(logits: impl IntoIterator<Item = &'a f32>) -> Vec<f32> {
    let mut scores: Vec<f32> = logits.into_iter().copied().collect();
    let largest = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    scores
        .iter_mut()
        .for_each(|score| *score = (*score - largest).exp());
    let sum: f32 = scores.iter().sum();
    scores.iter_mut().for_each(|score| *score /= sum);
    scores
}

/// `1 / (1 + exp(-x_i))`.
pub(super) fn sigmoid(logits: ArrayView1<'_, f32>) -> Vec<f32> {
    logits
        .iter()
        .map(|logit| 1.0 / (1.0 + (-logit).exp()))
        .collect()
}

/// Index and score of the `count` best, the best first; the lower index first among equals.
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
