//! GlobalPointer and Efficient GlobalPointer, pair by pair.

use ndarray::{Array2, Array3, ArrayD, ArrayView1, s};
use nezha_graphs::head_spec::{EfficientGlobalPointer, GlobalPointer, Linear};

use super::{Place, linear};
use crate::nezha::rotary_frequencies;
use crate::reference::ReferenceError;

/// `q_i·k_j / √d`, with a q and a k for each label, `[labels, s, s]`.
pub(super) fn global(
    place: &Place,
    pointer: &GlobalPointer,
    x: &Array2<f64>,
) -> Result<ArrayD<f64>, ReferenceError> {
    let size = pointer.size;
    let dense = dense(place, pointer.dense.as_ref(), x)?;
    let labels = dense.ncols() / (2 * size);
    Ok(pairs(place, labels, |label, i, j| {
        let start = 2 * size * label;
        let q = dense.slice(s![i, start..start + size]);
        let k = dense.slice(s![j, start + size..start + 2 * size]);
        product(pointer.rotary, (q, i), (k, j)) / (size as f64).sqrt()
    }))
}

/// `q_i·k_j / √d` for all labels, plus half of each label's scores of the first and of the last
/// token.
pub(super) fn efficient(
    place: &Place,
    pointer: &EfficientGlobalPointer,
    x: &Array2<f64>,
) -> Result<ArrayD<f64>, ReferenceError> {
    let size = pointer.size();
    let layers = pointer.dense.as_ref();
    let vectors = dense(place, layers.map(|it| &it[0]), x)?;
    let scores = dense(place, layers.map(|it| &it[1]), &vectors)?;
    Ok(pairs(place, scores.ncols() / 2, |label, i, j| {
        let (q, k) = (vectors.slice(s![i, ..size]), vectors.slice(s![j, size..]));
        let product = product(pointer.rotary, (q, i), (k, j)) / (size as f64).sqrt();
        product + f64::midpoint(scores[[i, 2 * label]], scores[[j, 2 * label + 1]])
    }))
}

fn dense(
    place: &Place,
    layer: Option<&Linear>,
    x: &Array2<f64>,
) -> Result<Array2<f64>, ReferenceError> {
    layer.map_or_else(|| Ok(x.clone()), |layer| linear::linear(place, layer, x))
}

/// A score for each label and pair; −∞ if a token is padding, or if the last token is before the
/// first.
fn pairs(place: &Place, labels: usize, score: impl Fn(usize, usize, usize) -> f64) -> ArrayD<f64> {
    let visible = &place.text.visible;
    let shape = (labels, visible.len(), visible.len());
    let pairs = Array3::from_shape_fn(shape, |(label, i, j)| {
        match visible[i] && visible[j] && i <= j {
            true => score(label, i, j),
            false => f64::NEG_INFINITY,
        }
    });
    pairs.into_dyn()
}

/// q·k, both rotated by their positions if `rotary` is true.
fn product(
    rotary: bool,
    (q, i): (ArrayView1<f64>, usize),
    (k, j): (ArrayView1<f64>, usize),
) -> f64 {
    match rotary {
        true => turned(q, i)
            .iter()
            .zip(turned(k, j))
            .map(|(q, k)| q * k)
            .sum(),
        false => q.dot(&k),
    }
}

/// Rotates each pair of numbers by the angle of the position.
fn turned(x: ArrayView1<f64>, position: usize) -> Vec<f64> {
    let frequencies = rotary_frequencies(x.len());
    let pairs = x.iter().step_by(2).zip(x.iter().skip(1).step_by(2));
    let turned = pairs.zip(frequencies).flat_map(|((even, odd), frequency)| {
        let (sin, cos) = (position as f64 * f64::from(frequency)).sin_cos();
        [even * cos - odd * sin, odd * cos + even * sin]
    });
    turned.collect()
}
