use ndarray::{Array1, Array2, Ix1, Ix2, s};
use nezha_graphs::head_spec::{Recurrent, RecurrentOutput};

use super::{Part, Place};
use crate::reference::ReferenceError;

type Vector = Array1<f64>;

/// Computes the next state from the gates of the token, the gates of the previous state, the
/// previous state and a memory.
type Step = fn(&Vector, &Vector, &Vector, &mut Vector) -> Vector;

/// The cell that is applied to one token after the other.
#[derive(Clone, Copy)]
pub(super) struct Cell {
    gates: usize,
    step: Step,
}

pub(super) const LSTM: Cell = Cell {
    gates: 4,
    step: lstm,
};

pub(super) const GRU: Cell = Cell {
    gates: 3,
    step: gru,
};

/// PyTorch's `nn.LSTM` and `nn.GRU` over `[s, inputs]`; if packed, tokens after the end of the text
/// are skipped.
pub(super) fn recurrent(
    place: &Place,
    recurrent: &Recurrent,
    cell: Cell,
    x: &Array2<f64>,
) -> Result<Part, ReferenceError> {
    let count = match recurrent.packed {
        true => place.text.visible.iter().filter(|it| **it).count(),
        false => x.nrows(),
    };
    let mut x = x.slice(s![..count, ..]).to_owned();
    let mut last = Vec::new();
    for layer in 0..recurrent.shape.map_or(0, |it| it.layers) {
        let mut directions = Vec::new();
        last.clear();
        for suffix in recurrent.suffixes(layer) {
            let mut order: Vec<usize> = (0..count).collect();
            if suffix.ends_with("_reverse") {
                order.reverse();
            }
            let states = one_direction(place, recurrent, cell, &suffix, &x, &order)?;
            let end = order.last().map(|token| states.row(*token).to_vec());
            last.extend(end.unwrap_or_default());
            directions.push(states);
        }
        let width = directions.iter().map(|it| it.ncols()).sum();
        let hidden = directions[0].ncols();
        x = Array2::from_shape_fn((count, width), |(token, column)| {
            directions[column / hidden][[token, column % hidden]]
        });
    }
    Ok(match recurrent.gives {
        RecurrentOutput::Final => {
            Part::Text(Array2::from_shape_fn((1, last.len()), |(_, column)| {
                last[column]
            }))
        }
        RecurrentOutput::Tokens => {
            let mut padded = Array2::zeros((place.text.visible.len(), x.ncols()));
            padded.slice_mut(s![..count, ..]).assign(&x);
            Part::Tokens(padded)
        }
    })
}

/// The states after each token, which are read in this order.
fn one_direction(
    place: &Place,
    recurrent: &Recurrent,
    cell: Cell,
    suffix: &str,
    x: &Array2<f64>,
    order: &[usize],
) -> Result<Array2<f64>, ReferenceError> {
    let module = place.given.model.weights.module(&recurrent.module);
    let shape = recurrent.shape;
    let hidden = shape.map_or(0, |it| it.hidden);
    let rows = cell.gates * hidden;
    let matrix = |kind: &str, width: usize| {
        let name = format!("weight_{kind}_{suffix}");
        Ok::<_, ReferenceError>(module.weight(&name, Ix2(rows, width))?.mapv(f64::from))
    };
    let bias = |kind: &str| match shape.is_some_and(|it| it.bias) {
        true => {
            let name = format!("bias_{kind}_{suffix}");
            Ok(module.weight(&name, Ix1(rows))?.mapv(f64::from))
        }
        false => Ok::<_, ReferenceError>(Array1::zeros(rows)),
    };
    let (of_inputs, of_states) = (matrix("ih", x.ncols())?, matrix("hh", hidden)?);
    let (input_bias, state_bias) = (bias("ih")?, bias("hh")?);
    let mut states = Array2::zeros((x.nrows(), hidden));
    let (mut state, mut memory) = (Array1::zeros(hidden), Array1::zeros(hidden));
    for token in order {
        let input = of_inputs.dot(&x.row(*token)) + &input_bias;
        let before = of_states.dot(&state) + &state_bias;
        state = (cell.step)(&input, &before, &state, &mut memory);
        states.row_mut(*token).assign(&state);
    }
    Ok(states)
}

fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

/// c = σ(f)·c + σ(i)·tanh(g), h = σ(o)·tanh(c); the gates are i, f, g, o.
fn lstm(
    input: &Array1<f64>,
    before: &Array1<f64>,
    state: &Array1<f64>,
    memory: &mut Array1<f64>,
) -> Array1<f64> {
    let hidden = state.len();
    let gate =
        |number: usize, at: usize| input[number * hidden + at] + before[number * hidden + at];
    Array1::from_shape_fn(hidden, |at| {
        let kept = sigmoid(gate(1, at)) * memory[at];
        memory[at] = kept + sigmoid(gate(0, at)) * gate(2, at).tanh();
        sigmoid(gate(3, at)) * memory[at].tanh()
    })
}

/// `n = tanh(n_x + σ(r)·n_h), h = (1 − σ(z))·n + σ(z)·h`; the gates are r, z, n.
fn gru(
    input: &Array1<f64>,
    before: &Array1<f64>,
    state: &Array1<f64>,
    _memory: &mut Array1<f64>,
) -> Array1<f64> {
    let hidden = state.len();
    let part =
        |number: usize, at: usize| (input[number * hidden + at], before[number * hidden + at]);
    Array1::from_shape_fn(hidden, |at| {
        let ((r, of_r), (z, of_z), (n, of_n)) = (part(0, at), part(1, at), part(2, at));
        let new = (n + sigmoid(r + of_r) * of_n).tanh();
        let kept = sigmoid(z + of_z);
        (1.0 - kept) * new + kept * state[at]
    })
}
