//! Rotary positions (Su et al., [arXiv:2104.09864](https://arxiv.org/abs/2104.09864)): each pair of
//! numbers is rotated by an angle that grows with the position, so that a product depends only on
//! the distance of two tokens.

use nezha_graphs::DType;

use crate::graph::{Scope, Value};
use crate::nezha::rotary_frequencies;

/// The rotation of each token.
pub(super) struct Rotary {
    /// The cosines, [sequence, size]: each angle for both numbers of a pair.
    cos: Value,
    /// The sines, likewise.
    sin: Value,
    /// A matrix [size, size] that exchanges the two numbers of each pair and changes the sign of
    /// the first.
    exchange: Value,
}

impl Rotary {
    /// The rotation for the tokens of `x` [batch, sequence, …].
    pub(super) fn new(s: &Scope, x: Value, size: usize) -> Self {
        let length = s.cast(s.squeeze(s.shape(x, 1, 2), &[0]), DType::I32);
        let positions = s.unsqueeze(s.cast(s.range(length), DType::F32), &[1]);
        let frequencies = rotary_frequencies(size);
        let both: Vec<f32> = frequencies.iter().flat_map(|it| [*it, *it]).collect();
        let angles = s.mul(positions, s.floats("frequencies", &[1, size], &both));
        let mut exchange = vec![0.0; size * size];
        for even in (0..size).step_by(2) {
            let odd = even + 1;
            // x·exchange has −x[odd] at the even index and x[even] at the odd one.
            exchange[odd * size + even] = -1.0;
            exchange[even * size + odd] = 1.0;
        }
        Self {
            cos: s.cos(angles),
            sin: s.sin(angles),
            exchange: s.floats("exchange", &[size, size], &exchange),
        }
    }

    /// Rotates `x` […, sequence, size].
    pub(super) fn turn(&self, s: &Scope, x: Value) -> Value {
        let exchanged = s.matmul(x, self.exchange);
        s.add(s.mul(x, self.cos), s.mul(exchanged, self.sin))
    }
}
