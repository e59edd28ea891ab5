use nezha_graphs::{GraphOptions, Role};

use super::parts::{classifier, pooler};
use super::{Given, HeadGraph, Stack};
use crate::graph::{Scope, Value};
use crate::nezha::inputs::Inputs;

/// A score for each of several continuations.
pub(super) struct MultipleChoice;

impl HeadGraph for MultipleChoice {
    fn reads_first_token(&self, _options: &GraphOptions) -> bool {
        true
    }

    fn outputs(&self, given: &Given) -> Vec<(Role, Value)> {
        let scores = classifier(given, pooler(given), 1);
        let s = &given.builder.scope("classifier");
        vec![(Role::Logits, split_choices(s, scores, given.inputs))]
    }

    fn reads_classifier(&self) -> bool {
        true
    }

    fn stacks(&self) -> &'static [Stack] {
        &[Stack::Optimum]
    }
}

/// Reshapes [batch·choices, 1] to [batch, choices].
fn split_choices(s: &Scope, scores: Value, inputs: &Inputs) -> Value {
    // Any of these inputs that the graph has begins with both axes.
    let begin_so = [Role::AttentionMask, Role::SelfAttentionMask, Role::TokenIds];
    let mut inputs = begin_so.into_iter().filter_map(|role| inputs.get(role));
    match inputs.next() {
        Some(input) => s.reshape_to(scores, s.shape(input, 0, 2)),
        None => scores,
    }
}
