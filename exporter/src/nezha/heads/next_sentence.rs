use nezha_graphs::{GraphOptions, Role};

use super::parts::relationship;
use super::{Given, HeadGraph, Stack};
use crate::graph::Value;

/// Whether the second text follows the first.
pub(super) struct NextSentence;

impl HeadGraph for NextSentence {
    fn reads_first_token(&self, _options: &GraphOptions) -> bool {
        true
    }

    fn outputs(&self, given: &Given) -> Vec<(Role, Value)> {
        vec![(Role::Logits, relationship(given))]
    }

    fn stacks(&self) -> &'static [Stack] {
        &[]
    }
}
