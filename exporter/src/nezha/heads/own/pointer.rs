//! GlobalPointer and Efficient GlobalPointer
//! ([arXiv:2208.03054](https://arxiv.org/abs/2208.03054)): scores of pairs of tokens, [batch,
//! labels, sequence, sequence].

use nezha_graphs::DType;
use nezha_graphs::head_spec::{EfficientGlobalPointer, GlobalPointer, Linear};

use super::rotary::Rotary;
use super::{Place, linear};
use crate::graph::{Scope, Value};

/// `q_i·k_j / √d`, with a q and a k for each label.
pub(super) fn global(place: &Place, pointer: &GlobalPointer, x: Value) -> Value {
    let s = &place.module(&pointer.module);
    let size = pointer.size;
    let dense = dense(place, pointer.dense.as_ref(), x);
    let labels = s.width(dense) / (2 * size);
    let of_labels = s.reshape(dense, &[0, 0, labels as i64, 2 * size as i64]);
    let side = |start: usize| {
        let part = s.slice(of_labels, 3, start, start + size);
        s.transpose(part, &[0, 2, 1, 3])
    };
    let rotary = pointer.rotary.then(|| Rotary::new(s, x, size));
    let products = products(
        s,
        rotary.as_ref(),
        side(0),
        side(size),
        [0, 1, 3, 2].as_slice(),
    );
    without_none(place, s, s.div(products, s.float((size as f32).sqrt())))
}

/// `q_i·k_j / √d` for all labels, plus half of each label's scores of the first and of the last
/// token.
pub(super) fn efficient(place: &Place, pointer: &EfficientGlobalPointer, x: Value) -> Value {
    let s = &place.module(&pointer.module);
    let size = pointer.size();
    let [first, second] = match &pointer.dense {
        Some([first, second]) => [Some(first), Some(second)],
        None => [None, None],
    };
    let vectors = dense(place, first, x);
    let side = |start: usize| s.slice(vectors, 2, start, start + size);
    let rotary = pointer.rotary.then(|| Rotary::new(s, x, size));
    let products = products(
        s,
        rotary.as_ref(),
        side(0),
        side(size),
        [0, 2, 1].as_slice(),
    );
    let products = s.unsqueeze(s.div(products, s.float((size as f32).sqrt())), &[1]);

    let scores = dense(place, second, vectors);
    let labels = s.width(scores) / 2;
    let of_labels = s.reshape(scores, &[0, 0, labels as i64, 2]);
    let of_labels = s.mul(s.transpose(of_labels, &[0, 2, 1, 3]), s.float(0.5));
    let of_first = s.slice(of_labels, 3, 0, 1);
    let of_last = s.transpose(s.slice(of_labels, 3, 1, 2), &[0, 1, 3, 2]);
    without_none(place, s, s.add(s.add(products, of_first), of_last))
}

fn dense(place: &Place, layer: Option<&Linear>, x: Value) -> Value {
    layer.map_or(x, |layer| linear::linear(place, layer, x))
}

/// q·kᵀ, of vectors that are rotated by their positions.
fn products(s: &Scope, rotary: Option<&Rotary>, q: Value, k: Value, swap: &[usize]) -> Value {
    let turned = |x: Value| rotary.map_or(x, |rotary| rotary.turn(s, x));
    s.matmul(turned(q), s.transpose(turned(k), swap))
}

/// Replaces the score by −∞ if a token is padding, or if the last token is before the first.
fn without_none(place: &Place, s: &Scope, scores: Value) -> Value {
    let mask = place.given.inputs.attention_mask;
    let length = s.cast(s.squeeze(s.shape(mask, 1, 2), &[0]), DType::I32);
    let positions = s.range(length);
    let (first, last) = (s.unsqueeze(positions, &[1]), s.unsqueeze(positions, &[0]));
    let after = s.add(s.sub(last, first), s.int32(1));
    let ordered = s.cast(s.clip(after, s.int32(0), s.int32(1)), DType::F32);
    let mask = s.cast(mask, DType::F32);
    let both = s.mul(s.unsqueeze(mask, &[1, 3]), s.unsqueeze(mask, &[1, 2]));
    // ln 1 = 0, ln 0 = −∞.
    s.add(scores, s.log(s.mul(both, ordered)))
}
