use nezha_graphs::Role;

use super::parts::classifier;
use super::{Given, HeadGraph, Stack};
use crate::graph::Value;

/// A label for every token.
pub(super) struct TokenClassification;

impl HeadGraph for TokenClassification {
    fn outputs(&self, given: &Given) -> Vec<(Role, Value)> {
        let scores = classifier(given, given.last_hidden_state, given.config.num_labels());
        vec![(Role::Logits, scores)]
    }

    fn reads_classifier(&self) -> bool {
        true
    }

    fn stacks(&self) -> &'static [Stack] {
        &[Stack::Optimum, Stack::TransformersJs]
    }
}
