use std::f64::consts::{FRAC_1_SQRT_2, FRAC_2_SQRT_PI};

use ndarray::{Array, Array1, Array2, ArrayD, ArrayView1, Axis, Dimension};
use nezha_graphs::Activation;

/// `(x − mean) / √(variance + ε) · γ + β` over each row, with the biased variance.
///
/// Ba et al., "Layer Normalization", arXiv:1607.06450; PyTorch's `nn.LayerNorm`.
pub(super) fn layer_norm(
    x: &Array2<f64>,
    gamma: &Array1<f64>,
    beta: &Array1<f64>,
    epsilon: f64,
) -> Array2<f64> {
    let mut y = x.clone();
    for mut row in y.rows_mut() {
        let width = row.len() as f64;
        let mean = row.sum() / width;
        let variance = row.mapv(|value| (value - mean).powi(2)).sum() / width;
        row.mapv_inplace(|value| (value - mean) / (variance + epsilon).sqrt());
        row *= gamma;
        row += beta;
    }
    y
}

/// `exp(x_j) / Σ exp(x)`; the largest x is subtracted first, so that nothing overflows.
pub(super) fn softmax(x: ArrayView1<f64>) -> Array1<f64> {
    let exponentials = shifted(x).mapv_into(f64::exp);
    let sum = exponentials.sum();
    exponentials / sum
}

/// The softmax of each row along the last axis.
pub(super) fn softmax_of_rows(x: &ArrayD<f64>) -> ArrayD<f64> {
    let mut probabilities = x.clone();
    let last = Axis(x.ndim().saturating_sub(1));
    for mut row in probabilities.lanes_mut(last) {
        let p = softmax(row.view());
        row.assign(&p);
    }
    probabilities
}

/// `x_j − ln Σ exp(x)`; the largest x is subtracted first.
pub(super) fn log_softmax(x: ArrayView1<f64>) -> Array1<f64> {
    let shifted = shifted(x);
    let sum = shifted.mapv(f64::exp).sum();
    shifted - sum.ln()
}

fn shifted(x: ArrayView1<f64>) -> Array1<f64> {
    let largest = x.fold(f64::NEG_INFINITY, |largest, value| largest.max(*value));
    x.mapv(|value| value - largest)
}

/// The activation of each element, with the formulas of transformers' `ACT2FN`.
pub(super) fn activate<D: Dimension>(activation: Activation, x: Array<f64, D>) -> Array<f64, D> {
    let tanh_form = |x: f64, inner: f64| 0.5 * x * (1.0 + inner.tanh());
    let sigmoid = |x: f64| 1.0 / (1.0 + (-x).exp());
    x.mapv_into(|x| match activation {
        // x·Φ(x), Hendrycks and Gimpel, "Gaussian Error Linear Units", arXiv:1606.08415.
        Activation::Gelu => 0.5 * x * (1.0 + libm::erf(x * FRAC_1_SQRT_2)),
        // √(2/π) = (2/√π)·(1/√2)
        Activation::GeluTanh => tanh_form(
            x,
            FRAC_2_SQRT_PI * FRAC_1_SQRT_2 * (x + 0.044715 * x.powi(3)),
        ),
        Activation::GeluFast => tanh_form(x, 0.7978845608 * x * (1.0 + 0.044715 * x * x)),
        Activation::QuickGelu => x * sigmoid(1.702 * x),
        Activation::Relu => x.max(0.0),
        Activation::Silu => x * sigmoid(x),
        Activation::Tanh => x.tanh(),
    })
}

/// Stacks arrays of the same shape along a new first axis.
pub(super) fn stack<'a, D: Dimension + 'a>(
    parts: impl Iterator<Item = &'a Array<f64, D>>,
) -> ArrayD<f64> {
    let parts: Vec<_> = parts.collect();
    let mut shape = vec![parts.len()];
    shape.extend(parts.iter().take(1).flat_map(|part| part.shape()));
    let mut stacked = ArrayD::zeros(shape);
    for (mut slot, part) in stacked.outer_iter_mut().zip(parts) {
        slot.assign(&part.view().into_dyn());
    }
    stacked
}

#[cfg(test)]
mod tests {
    use ndarray::{Array1, array};

    use super::*;

    /// `ACT2FN[name](torch.tensor([-3.0, -0.5, 0.0, 1.5], dtype=torch.float64))`.
    const ACTIVATION_VALUES: [(&str, [f64; 4]); 7] = [
        (
            "gelu",
            [
                -0.00404969409489031,
                -0.15426876936299344,
                0.0,
                1.399789198096713,
            ],
        ),
        (
            "gelu_new",
            [
                -0.0036373920817729943,
                -0.15428599017485606,
                0.0,
                1.3995715769802328,
            ],
        ),
        (
            "gelu_fast",
            [
                -0.003637392081860591,
                -0.15428599017516514,
                0.0,
                1.3995715769793464,
            ],
        ),
        (
            "quick_gelu",
            [
                -0.01807130970778597,
                -0.1496115633936199,
                0.0,
                1.3916621984470765,
            ],
        ),
        ("relu", [0.0, 0.0, 0.0, 1.5]),
        (
            "silu",
            [
                -0.14227761953270035,
                -0.1887703343990727,
                0.0,
                1.2263617142904655,
            ],
        ),
        (
            "tanh",
            [
                -0.9950547536867305,
                -0.4621171572600098,
                0.0,
                0.9051482536448664,
            ],
        ),
    ];

    #[test]
    fn activations_have_the_values_of_transformers() {
        for (name, expected) in ACTIVATION_VALUES {
            let activation = name.parse().unwrap();
            let values = activate(activation, array![-3.0, -0.5, 0.0, 1.5]);
            for (found, expected) in values.iter().zip(expected) {
                assert!(
                    (found - expected).abs() < 1e-12,
                    "{name}: {found}, {expected}"
                );
            }
        }
    }

    #[test]
    fn activations_are_as_deep_as_they_say_and_hardly_less() {
        let x: Array1<f64> = (-200_000..200_000).map(|i| f64::from(i) * 1e-4).collect();
        for (name, activation) in Activation::SPELLINGS {
            let least = activate(activation, x.clone()).fold(0.0, |least: f64, y| least.min(*y));
            let depth = match activation.depth() {
                Some(depth) => f64::from(depth),
                None => 1.0,
            };
            assert!(
                -depth <= least && least < 1e-4 - depth,
                "{name}: {least}, but a depth of {depth}"
            );
        }
    }

    #[test]
    fn softmax_of_equal_scores_is_uniform_however_low_they_are() {
        let lowest = f64::from(f32::MIN);
        let uniform = softmax(Array1::from_elem(4, lowest).view());
        assert_eq!(uniform, array![0.25, 0.25, 0.25, 0.25]);
        let one_visible = softmax(array![lowest, 3.0, lowest].view());
        assert_eq!(one_visible, array![0.0, 1.0, 0.0]);
    }
}
