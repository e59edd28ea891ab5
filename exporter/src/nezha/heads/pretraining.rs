use nezha_graphs::Role;

use super::parts::{predictions, relationship};
use super::{Given, HeadGraph, Outputs, Stack};
use crate::graph::{Scope, Value};
use crate::nezha::loss::classify;

/// Scores of the vocabulary, and whether the second text follows.
pub(super) struct Pretraining;

impl HeadGraph for Pretraining {
    fn outputs(&self, given: &Given) -> Vec<(Role, Value)> {
        let predictions = predictions(given, given.last_hidden_state);
        vec![
            (Role::PredictionLogits, predictions),
            (Role::RelationshipLogits, relationship(given)),
        ]
    }

    /// The sum of both losses.
    fn loss(&self, s: &Scope, given: &Given, outputs: &Outputs) -> Option<Value> {
        let (labels, follows) = (Role::Labels, Role::NextSentenceLabel);
        Some(s.add(
            classify(s, given, outputs, Role::PredictionLogits, labels)?,
            classify(s, given, outputs, Role::RelationshipLogits, follows)?,
        ))
    }

    fn stacks(&self) -> &'static [Stack] {
        &[]
    }
}
