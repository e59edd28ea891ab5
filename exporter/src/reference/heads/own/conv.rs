use ndarray::{Array2, Ix1, Ix3};
use nezha_graphs::head_spec::Conv;

use super::Place;
use crate::reference::ReferenceError;

/// PyTorch's `Conv1d` over `[s, inputs]`: y[t, o] = b[o] + Σ_{c,k} W[o, c, k]·x[t + k·dilation −
/// padding, c].
pub(super) fn conv(
    place: &Place,
    conv: &Conv,
    x: &Array2<f64>,
) -> Result<Array2<f64>, ReferenceError> {
    let module = place.given.model.weights.module(&conv.module);
    let [outputs, channels, columns] = conv.kernel.unwrap_or_default();
    let kernel = module.weight("weight", Ix3(outputs, channels, columns))?;
    let mut y = Array2::zeros((x.nrows(), outputs));
    if conv.bias == Some(true) {
        y += &module.weight("bias", Ix1(outputs))?.mapv(f64::from);
    }
    for ((t, o), y) in y.indexed_iter_mut() {
        for k in 0..columns {
            let token = (t + k * conv.dilation).checked_sub(conv.padding.unwrap_or(0));
            let Some(token) = token.filter(|it| *it < x.nrows()) else {
                continue;
            };
            for c in 0..channels {
                *y += f64::from(kernel[[o, c, k]]) * x[[token, c]];
            }
        }
    }
    Ok(y)
}
