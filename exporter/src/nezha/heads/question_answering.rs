use nezha_graphs::{DType, Role};

use super::{Given, HeadGraph, Outputs, Stack};
use crate::graph::{Scope, Value};
use crate::nezha::loss::cross_entropy;
use crate::nezha::ops::linear;

/// Where an answer starts and ends.
pub(super) struct QuestionAnswering;

impl HeadGraph for QuestionAnswering {
    fn outputs(&self, given: &Given) -> Vec<(Role, Value)> {
        let s = &given.builder.scope("qa_outputs");
        let both = linear(s, given.last_hidden_state, 2);
        vec![
            (Role::StartLogits, s.gather(both, s.int64(0), 2)),
            (Role::EndLogits, s.gather(both, s.int64(1), 2)),
        ]
    }

    /// The mean of both losses.
    fn loss(&self, s: &Scope, given: &Given, outputs: &Outputs) -> Option<Value> {
        let side = |logits: Role, positions: Role| {
            let logits = outputs.get(&logits).copied()?;
            Some(position_loss(s, logits, given.inputs.get(positions)?))
        };
        let start = side(Role::StartLogits, Role::StartPositions)?;
        let end = side(Role::EndLogits, Role::EndPositions)?;
        Some(s.div(s.add(start, end), s.float(2.0)))
    }

    fn stacks(&self) -> &'static [Stack] {
        &[Stack::Optimum, Stack::TransformersJs]
    }
}

/// Cross-entropy over the positions of a sequence. Positions after the sequence are ignored, and
/// negative positions count as 0. `logits` is [batch, sequence].
fn position_loss(s: &Scope, logits: Value, positions: Value) -> Value {
    let length = s.cast(s.squeeze(s.shape(logits, 1, 2), &[0]), DType::I32);
    let positions = s.clip(positions, s.int64(0), s.int64(i32::MAX.into()));
    let positions = s.clip(s.cast(positions, DType::I32), s.int32(0), length);
    cross_entropy(s, logits, positions, length)
}
