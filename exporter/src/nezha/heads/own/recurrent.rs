//! PyTorch's LSTM and GRU over [batch, sequence, inputs].
//!
//! Both directions run forward: the tokens of the second one are reversed before it, and its states
//! are reversed after it. If packed, each text is reversed within its own length. Then no engine
//! needs to know the lengths, because states inside of a text don't depend on the padding after it.

use nezha_graphs::DType;
use nezha_graphs::head_spec::{Recurrent, RecurrentOutput};

use super::Place;
use crate::graph::{Scope, Value};

/// The cell that is applied to one token after the other.
#[derive(Clone, Copy)]
pub(super) enum Cell {
    Lstm,
    Gru,
}

impl Cell {
    /// Indices of PyTorch's gates in ONNX's order. PyTorch's order is input, forget, cell, output,
    /// or reset, update, new.
    fn gates(self) -> &'static [usize] {
        match self {
            Cell::Lstm => &[0, 3, 1, 2],
            Cell::Gru => &[1, 0, 2],
        }
    }

    /// The states after each token of `x` [sequence, batch, inputs].
    fn states(self, s: &Scope, x: Value, weights: [Value; 3], hidden: usize) -> Value {
        // Zeros are also the default initial state, but without an explicit one tract needs to know
        // the batch size.
        let batch = s.concat(
            0,
            &[s.vector(&[1]), s.shape(x, 1, 2), s.vector(&[hidden as i64])],
        );
        let first = s.expand(
            s.floats("zeros", &[1, 1, hidden], &vec![0.0; hidden]),
            batch,
        );
        match self {
            Cell::Lstm => s.lstm(x, weights, first, hidden),
            Cell::Gru => s.gru(x, weights, first, hidden),
        }
    }
}

pub(super) fn recurrent(place: &Place, recurrent: &Recurrent, cell: Cell, x: Value) -> Value {
    let s = &place.module(&recurrent.module);
    let ends = Ends::new(place, s, recurrent.packed, x);
    let mut x = x;
    let mut last = x;
    for layer in 0..recurrent.shape.map_or(0, |it| it.layers) {
        let mut tokens = Vec::new();
        let mut finals = Vec::new();
        for suffix in recurrent.suffixes(layer) {
            let reversed = suffix.ends_with("_reverse");
            let input = if reversed { ends.reverse(s, x) } else { x };
            let states = one_direction(s, recurrent, cell, &suffix, input);
            finals.push(ends.last(s, states));
            tokens.push(if reversed {
                ends.reverse(s, states)
            } else {
                states
            });
        }
        x = joined(s, 2, &tokens);
        last = joined(s, 1, &finals);
    }
    match recurrent.gives {
        RecurrentOutput::Tokens => ends.without_padding(s, x),
        RecurrentOutput::Final => last,
    }
}

fn joined(s: &Scope, axis: usize, parts: &[Value]) -> Value {
    match parts {
        [only] => *only,
        parts => s.concat(axis, parts),
    }
}

/// The states of one direction after each token, [batch, sequence, hidden].
fn one_direction(s: &Scope, recurrent: &Recurrent, cell: Cell, suffix: &str, x: Value) -> Value {
    let shape = recurrent.shape;
    let hidden = shape.map_or(0, |it| it.hidden);
    let gates = cell.gates();
    let rows = gates.len() * hidden;
    let ordered = |weight: Value| {
        let part = |gate: &usize| s.slice(weight, 0, gate * hidden, (gate + 1) * hidden);
        s.concat(0, &gates.iter().map(part).collect::<Vec<_>>())
    };
    let matrix = |kind: &str, width: usize| {
        let weight = s.weight(&format!("weight_{kind}_{suffix}"), &[rows, width]);
        s.unsqueeze(ordered(weight), &[0])
    };
    let bias = match shape.is_some_and(|it| it.bias) {
        true => {
            let of = |kind| ordered(s.weight(&format!("bias_{kind}_{suffix}"), &[rows]));
            s.unsqueeze(s.concat(0, &[of("ih"), of("hh")]), &[0])
        }
        false => s.floats("no_bias", &[1, 2 * rows], &vec![0.0; 2 * rows]),
    };
    let weights = [matrix("ih", s.width(x)), matrix("hh", hidden), bias];
    let steps = s.transpose(x, &[1, 0, 2]);
    let states = s.squeeze(cell.states(s, steps, weights, hidden), &[1]);
    s.transpose(states, &[1, 0, 2])
}

/// Where texts end.
enum Ends {
    /// All texts end with the sequence. `reversed` has the positions from the last to the first,
    /// and `last` the last position.
    Together { reversed: Value, last: Value },
    /// Each text ends after its own tokens.
    Apart {
        /// For each position, the position that replaces it in the reversed text, int64 [batch,
        /// sequence, 1].
        reversed: Value,
        /// Position of the last token, int64 [batch, 1, 1].
        last: Value,
        /// 1 for positions inside of the text, 0 after its end, [batch, sequence, 1].
        inside: Value,
    },
}

impl Ends {
    fn new(place: &Place, s: &Scope, packed: bool, x: Value) -> Self {
        // The length is int32 for a while: tract computes symbolically with axes as long as they
        // are int64.
        let length = s.cast(s.squeeze(s.shape(x, 1, 2), &[0]), DType::I32);
        let positions = s.range(length);
        if !packed {
            let last = s.sub(length, s.int32(1));
            let reversed = s.sub(last, positions);
            return Self::Together {
                reversed: s.cast(reversed, DType::I64),
                last: s.cast(last, DType::I64),
            };
        }
        let mask = s.cast(place.given.inputs.attention_mask, DType::F32);
        let count = s.cast(s.reduce_sum(mask, 1), DType::I32);
        let positions = s.unsqueeze(positions, &[0]);
        let [zero, one] = [s.int32(0), s.int32(1)];
        let last = s.sub(count, one);
        // Inside of the text, last − 2·position is added; after it, nothing.
        let inside = s.clip(s.sub(count, positions), zero, one);
        let turned = s.sub(s.sub(last, positions), positions);
        let reversed = s.add(positions, s.mul(inside, turned));
        Self::Apart {
            reversed: s.unsqueeze(s.cast(reversed, DType::I64), &[2]),
            last: s.unsqueeze(
                s.cast(s.clip(last, zero, s.int32(i32::MAX)), DType::I64),
                &[2],
            ),
            inside: s.unsqueeze(s.cast(inside, DType::F32), &[2]),
        }
    }

    /// `x` [batch, sequence, width] with the tokens reversed.
    fn reverse(&self, s: &Scope, x: Value) -> Value {
        match self {
            Self::Together { reversed, .. } => s.gather(x, *reversed, 1),
            Self::Apart { reversed, .. } => {
                s.gather_elements(x, for_each_column(s, *reversed, x), 1)
            }
        }
    }

    /// The vector of the last token, [batch, width].
    fn last(&self, s: &Scope, x: Value) -> Value {
        match self {
            Self::Together { last, .. } => s.gather(x, *last, 1),
            Self::Apart { last, .. } => {
                let picked = s.gather_elements(x, for_each_column(s, *last, x), 1);
                s.squeeze(picked, &[1])
            }
        }
    }

    /// Sets the vectors of padding to 0 if texts are packed.
    fn without_padding(&self, s: &Scope, x: Value) -> Value {
        match self {
            Self::Together { .. } => x,
            Self::Apart { inside, .. } => s.mul(x, *inside),
        }
    }
}

/// Repeats indices [batch, positions, 1] for each column of `x`.
fn for_each_column(s: &Scope, indices: Value, x: Value) -> Value {
    let shape = s.concat(0, &[s.shape(indices, 0, 2), s.vector(&[s.width(x) as i64])]);
    s.expand(indices, shape)
}
