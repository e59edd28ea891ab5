use nezha_graphs::head_spec::{Linear, MatrixLayout};

use super::Place;
use crate::graph::Value;

/// `x·Wᵀ + b`.
pub(super) fn linear(place: &Place, linear: &Linear, x: Value) -> Value {
    let (s, name) = place.tensor(linear.weight_name());
    let (inputs, outputs) = (s.width(x), linear.outputs());
    let matrix = match linear.layout {
        MatrixLayout::InOut => s.weight(name, &[inputs, outputs]),
        MatrixLayout::OutIn => s.transposed_weight(name, [outputs, inputs]),
    };
    let product = s.matmul(x, matrix);
    match &linear.bias {
        Some(bias) => {
            let (of_bias, name) = place.tensor(bias);
            s.add(product, of_bias.weight(name, &[outputs]))
        }
        None => product,
    }
}
