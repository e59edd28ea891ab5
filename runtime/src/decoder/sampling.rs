//! Chooses a token by its score.

use std::cmp::Ordering;

use ndarray::ArrayView1;
use nezha_graphs::setters;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

use super::DecoderError;

/// How a token is drawn among the most probable ones.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Sampling {
    /// Draw among this many of the most probable tokens, at least 1; `None` for all.
    pub top_k: Option<usize>,
    /// Draw among the fewest tokens that hold this share of the probability of those that `top_k`
    /// leaves, above 0 and at most 1; `None` for all.
    pub top_p: Option<f64>,
    /// What the logarithms of the probabilities are divided by, above 0.
    pub temperature: f64,
    /// The same seed draws the same tokens on every platform. The tokens of a sequence depend on
    /// its place in the batch, but not on the other sequences.
    pub seed: u64,
}

impl Default for Sampling {
    /// Draws among all tokens, by their probabilities.
    fn default() -> Self {
        Self {
            top_k: None,
            top_p: None,
            temperature: 1.0,
            seed: 0,
        }
    }
}

impl Sampling {
    setters! {
        top_k: impl Into<Option<usize>>,
        top_p: impl Into<Option<f64>>,
        temperature: f64,
        seed: u64,
    }
}

/// `log softmax` of the scores, in double precision; the error names `row`.
pub(super) fn log_probabilities(
    logits: ArrayView1<f32>,
    row: usize,
) -> Result<Vec<f64>, DecoderError> {
    let largest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    if !largest.is_finite() || logits.iter().any(|it| it.is_nan()) {
        return Err(DecoderError::NotANumber { row });
    }
    let largest = f64::from(largest);
    let exponentials = logits.iter().map(|it| (f64::from(*it) - largest).exp());
    let log_sum = exponentials.sum::<f64>().ln();
    let shifted = logits.iter().map(|it| f64::from(*it) - largest - log_sum);
    Ok(shifted.collect())
}

/// The most probable token; if several are, the first of them.
pub(super) fn best(log_probabilities: &[f64]) -> usize {
    let places = 0..log_probabilities.len();
    let best = places.min_by(|a, b| by_probability(log_probabilities, *a, *b));
    best.unwrap_or(0)
}

/// The `count` most probable tokens, best first.
pub(super) fn ranked(log_probabilities: &[f64], count: usize) -> Vec<usize> {
    let mut places: Vec<usize> = (0..log_probabilities.len()).collect();
    places.sort_unstable_by(|a, b| by_probability(log_probabilities, *a, *b));
    places.truncate(count);
    places
}

/// Orders the more probable token first; of equally probable ones, that with the smaller id.
fn by_probability(log_probabilities: &[f64], a: usize, b: usize) -> Ordering {
    let of = |place: usize| log_probabilities.get(place).copied().unwrap_or(f64::NAN);
    of(b).total_cmp(&of(a)).then(a.cmp(&b))
}

/// Draws tokens for one sequence.
pub(super) struct Sampler {
    sampling: Sampling,
    random: ChaCha8Rng,
}

impl Sampler {
    /// Each sequence has a random stream of its own, so that its tokens don't depend on the others.
    pub(super) fn new(sampling: Sampling, sequence: usize) -> Self {
        let mut random = ChaCha8Rng::seed_from_u64(sampling.seed);
        random.set_stream(sequence as u64);
        Self { sampling, random }
    }

    /// Draws one token.
    pub(super) fn draw(&mut self, log_probabilities: &[f64]) -> usize {
        let Sampling {
            top_k,
            top_p,
            temperature,
            ..
        } = self.sampling;
        let mut kept = ranked(log_probabilities, top_k.unwrap_or(usize::MAX));
        let of = |place: &usize| log_probabilities.get(*place).copied().unwrap_or(f64::NAN);
        let largest = kept.first().map_or(0.0, of);
        let weight = |place: &usize| ((of(place) - largest) / temperature).exp();
        let mut weights: Vec<f64> = kept.iter().map(weight).collect();
        if let Some(top_p) = top_p {
            let enough = top_p * weights.iter().sum::<f64>();
            let reaches = |sum: &mut f64, weight: &f64| {
                let before = *sum;
                *sum += weight;
                (before < enough).then_some(())
            };
            let count = weights.iter().scan(0.0, reaches).count().max(1);
            weights.truncate(count);
            kept.truncate(count);
        }
        let mut left = self.uniform() * weights.iter().sum::<f64>();
        let drawn = weights.iter().position(|weight| {
            left -= weight;
            left < 0.0
        });
        // Rounding may leave a remainder after the last one.
        let drawn = drawn.or(kept.len().checked_sub(1));
        drawn.and_then(|it| kept.get(it)).copied().unwrap_or(0)
    }

    /// A number in [0, 1), from the 53 upper bits.
    fn uniform(&mut self) -> f64 {
        (self.random.next_u64() >> 11) as f64 * 2f64.powi(-53)
    }
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    fn sampling() -> Sampling {
        Sampling {
            top_k: None,
            top_p: None,
            temperature: 1.0,
            seed: 7,
        }
    }

    /// How often each of the tokens is drawn.
    fn frequencies(sampling: Sampling, probabilities: [f64; 4]) -> [f64; 4] {
        const DRAWS: usize = 20_000;
        let log_probabilities = probabilities.map(f64::ln);
        let mut sampler = Sampler::new(sampling, 0);
        let mut counts = [0.0; 4];
        for _ in 0..DRAWS {
            counts[sampler.draw(&log_probabilities)] += 1.0 / DRAWS as f64;
        }
        counts
    }

    #[track_caller]
    fn assert_near(found: [f64; 4], expected: [f64; 4]) {
        let near = found
            .iter()
            .zip(expected)
            .all(|(a, b)| (a - b).abs() < 0.015);
        assert!(near, "drawn {found:?}, expected about {expected:?}");
        for (found, expected) in found.iter().zip(expected) {
            assert_eq!(*found == 0.0, expected == 0.0, "{found} for {expected}");
        }
    }

    #[test]
    fn tokens_are_drawn_as_often_as_they_are_probable() {
        let probabilities = [0.1, 0.5, 0.3, 0.1];
        assert_near(frequencies(sampling(), probabilities), probabilities);
    }

    #[test]
    fn top_k_draws_among_the_k_best_and_the_smaller_id_of_equals() {
        let top_k = Sampling {
            top_k: Some(3),
            ..sampling()
        };
        let expected = [0.1 / 0.9, 0.5 / 0.9, 0.3 / 0.9, 0.0];
        assert_near(frequencies(top_k, [0.1, 0.5, 0.3, 0.1]), expected);
    }

    #[test]
    fn top_p_draws_among_the_fewest_that_reach_p() {
        for (top_p, expected) in [
            (0.5, [0.0, 1.0, 0.0, 0.0]),
            (0.51, [0.0, 0.625, 0.375, 0.0]),
            (1.0, [0.15, 0.5, 0.3, 0.05]),
            (1e-9, [0.0, 1.0, 0.0, 0.0]),
        ] {
            let top_p = Sampling {
                top_p: Some(top_p),
                ..sampling()
            };
            assert_near(frequencies(top_p, [0.15, 0.5, 0.3, 0.05]), expected);
        }
    }

    #[test]
    fn a_low_temperature_sharpens_and_a_high_one_flattens() {
        let at = |temperature| Sampling {
            temperature,
            ..sampling()
        };
        let probabilities = [0.1, 0.4, 0.4, 0.1];
        let squares = [1.0, 16.0, 16.0, 1.0].map(|it| it / 34.0);
        assert_near(frequencies(at(0.5), probabilities), squares);
        let roots = [1.0, 2.0, 2.0, 1.0].map(|it| it / 6.0);
        assert_near(frequencies(at(2.0), probabilities), roots);
    }

    #[test]
    fn log_probabilities_survive_large_scores_and_refuse_no_numbers() {
        let found = log_probabilities(array![1e30, 1e30].view(), 0).unwrap();
        assert_eq!(found, [0.5_f64.ln(); 2]);
        let hidden = log_probabilities(array![f32::NEG_INFINITY, 3.0].view(), 0).unwrap();
        assert_eq!(hidden, [f64::NEG_INFINITY, 0.0]);
        for logits in [array![0.0, f32::NAN], array![f32::INFINITY, 0.0]] {
            let error = log_probabilities(logits.view(), 4).unwrap_err();
            assert!(error.to_string().contains("row 4"), "{error}");
        }
    }
}
