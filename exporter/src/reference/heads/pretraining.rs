use ndarray::ArrayD;
use nezha_graphs::{ProblemType, Role};

use super::parts::{predictions, relationship};
use super::{Given, HeadReference};
use crate::reference::inputs::Inputs;
use crate::reference::loss::class_loss;
use crate::reference::{Outputs, ReferenceError};

/// Scores of the vocabulary, and whether the second text follows; `NezhaForPreTraining`.
pub(super) struct Pretraining;

impl HeadReference for Pretraining {
    fn outputs(&self, given: &Given) -> Result<Vec<(Role, ArrayD<f64>)>, ReferenceError> {
        Ok(vec![
            (Role::PredictionLogits, predictions(given)?),
            (Role::RelationshipLogits, relationship(given)?),
        ])
    }

    fn labels(&self) -> &'static [Role] {
        &[Role::Labels, Role::NextSentenceLabel]
    }

    /// The sum of both losses.
    fn loss(
        &self,
        _problem_type: ProblemType,
        inputs: &Inputs,
        outputs: &Outputs,
    ) -> Result<Option<f64>, ReferenceError> {
        let tokens = class_loss(inputs, Role::Labels, outputs, Role::PredictionLogits)?;
        let label = Role::NextSentenceLabel;
        let texts = class_loss(inputs, label, outputs, Role::RelationshipLogits)?;
        Ok(tokens.zip(texts).map(|(tokens, texts)| tokens + texts))
    }
}
