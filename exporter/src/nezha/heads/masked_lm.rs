use nezha_graphs::Role;

use super::parts::predictions;
use super::{Given, HeadGraph, Stack};
use crate::graph::Value;

/// Scores of the vocabulary at every position, or at the positions in `mask_positions`.
pub(super) struct MaskedLm;

impl HeadGraph for MaskedLm {
    fn outputs(&self, given: &Given) -> Vec<(Role, Value)> {
        let x = given.last_hidden_state;
        let x = match given.inputs.get(Role::MaskPositions) {
            Some(positions) => given.builder.scope("cls").gather_nd(x, positions),
            None => x,
        };
        vec![(Role::Logits, predictions(given, x))]
    }

    fn stacks(&self) -> &'static [Stack] {
        &[Stack::Optimum, Stack::TransformersJs]
    }
}
