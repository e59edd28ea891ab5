//! Compositions of operations that every block uses.

use nezha_graphs::Activation;

use crate::graph::{Scope, Value};

/// `x·Wᵀ + b` with the `weight` [`width`, inputs] and `bias` [`width`] of this scope.
pub(super) fn linear(s: &Scope, x: Value, width: usize) -> Value {
    let product = product(s, x, width);
    let bias = s.weight("bias", &[width]);
    s.add(product, bias)
}

/// `x·Wᵀ` with the `weight` [`width`, inputs] of this scope.
pub(super) fn product(s: &Scope, x: Value, width: usize) -> Value {
    let weight = s.transposed_weight("weight", [width, s.width(x)]);
    s.matmul(x, weight)
}

/// LayerNorm over the last axis with the `weight` and `bias` of this scope.
pub(super) fn layer_norm(s: &Scope, x: Value, epsilon: f32) -> Value {
    let width = s.width(x);
    let weight = s.weight("weight", &[width]);
    let bias = s.weight("bias", &[width]);
    s.layer_normalization(x, weight, bias, epsilon)
}

/// The activation, element by element; see [`Activation`] for the formulas.
pub(super) fn activate(s: &Scope, activation: Activation, x: Value) -> Value {
    let active = match activation {
        Activation::Gelu if s.opset() >= 20 => s.gelu(x, false),
        Activation::Gelu => {
            // ONNX Runtime recognizes the formula in this order and runs it as one kernel.
            let erf = s.erf(s.div(x, s.float(std::f32::consts::SQRT_2)));
            s.mul(s.mul(x, s.add(erf, s.float(1.0))), s.float(0.5))
        }
        Activation::GeluTanh if s.opset() >= 20 => s.gelu(x, true),
        Activation::GeluTanh => {
            let cube = s.mul(s.mul(x, x), x);
            let inner = s.add(x, s.mul(cube, s.float(0.044715)));
            half_of_one_plus_tanh(
                s,
                x,
                s.mul(inner, s.float((2.0 / std::f32::consts::PI).sqrt())),
            )
        }
        Activation::GeluFast => {
            let square = s.mul(s.mul(x, x), s.float(0.044715));
            let inner = s.mul(x, s.float(0.797_884_6));
            half_of_one_plus_tanh(s, x, s.mul(inner, s.add(square, s.float(1.0))))
        }
        Activation::QuickGelu => s.mul(x, s.sigmoid(s.mul(x, s.float(1.702)))),
        Activation::Relu => s.relu(x),
        Activation::Silu => s.mul(x, s.sigmoid(x)),
        Activation::Tanh => s.tanh(x),
    };
    if let Some(depth) = activation.depth() {
        s.at_least(active, -depth);
    }
    active
}

/// `½x · (1 + tanh(inner))`.
fn half_of_one_plus_tanh(s: &Scope, x: Value, inner: Value) -> Value {
    s.mul(s.mul(x, s.float(0.5)), s.add(s.tanh(inner), s.float(1.0)))
}
