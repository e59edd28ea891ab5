use ndarray::{Array2, Ix1, Ix2};
use nezha_graphs::head_spec::{Linear, MatrixLayout};

use super::Place;
use crate::reference::ReferenceError;

/// `x·Wᵀ + b` of each row.
pub(super) fn linear(
    place: &Place,
    linear: &Linear,
    x: &Array2<f64>,
) -> Result<Array2<f64>, ReferenceError> {
    let root = place.given.model.weights.root();
    let (inputs, outputs) = (x.ncols(), linear.outputs());
    let name = linear.weight_name();
    let product = match linear.layout {
        MatrixLayout::InOut => {
            let weight = root.weight(name, Ix2(inputs, outputs))?;
            x.dot(&weight.mapv(f64::from))
        }
        MatrixLayout::OutIn => {
            let weight = root.weight(name, Ix2(outputs, inputs))?;
            x.dot(&weight.mapv(f64::from).t())
        }
    };
    match &linear.bias {
        Some(bias) => Ok(product + root.weight(bias, Ix1(outputs))?.mapv(f64::from)),
        None => Ok(product),
    }
}
