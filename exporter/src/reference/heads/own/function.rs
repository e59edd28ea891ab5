use ndarray::ArrayD;
use nezha_graphs::head_spec::Function;

use super::Part;
use crate::reference::ops;

/// A function of each number, or of each vector.
pub(super) fn apply(function: Function, x: Part) -> Part {
    let f = |array: ArrayD<f64>| match function {
        Function::Activation(activation) => ops::activate(activation, array),
        Function::Sigmoid => array.mapv(|x| 1.0 / (1.0 + (-x).exp())),
        Function::Softmax => ops::softmax_of_rows(&array),
        Function::LeakyRelu => array.mapv(|x| if x > 0.0 { x } else { 0.01 * x }),
    };
    let of_rows = |rows: ndarray::Array2<f64>| {
        let shape = rows.raw_dim();
        let result = f(rows.into_dyn()).into_dimensionality();
        result.unwrap_or_else(|_| ndarray::Array2::zeros(shape))
    };
    match x {
        Part::Text(vector) => Part::Text(of_rows(vector)),
        Part::Tokens(vectors) => Part::Tokens(of_rows(vectors)),
        Part::Other(array) => Part::Other(f(array)),
    }
}
