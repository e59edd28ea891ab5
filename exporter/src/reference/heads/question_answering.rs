use ndarray::{ArrayD, Axis};
use nezha_graphs::{ProblemType, Role};

use super::parts::of_tokens;
use super::{Given, HeadReference};
use crate::reference::inputs::{Inputs, integers};
use crate::reference::loss::{cross_entropy, last_axis};
use crate::reference::{Outputs, ReferenceError};

/// Where an answer starts and ends; `NezhaForQuestionAnswering`.
pub(super) struct QuestionAnswering;

impl HeadReference for QuestionAnswering {
    fn outputs(&self, given: &Given) -> Result<Vec<(Role, ArrayD<f64>)>, ReferenceError> {
        let scores = of_tokens(given, "qa_outputs", 2)?;
        let column = |i| scores.index_axis(Axis(2), i).to_owned();
        Ok(vec![
            (Role::StartLogits, column(0)),
            (Role::EndLogits, column(1)),
        ])
    }

    fn labels(&self) -> &'static [Role] {
        &[Role::StartPositions, Role::EndPositions]
    }

    /// The mean of both losses.
    fn loss(
        &self,
        _problem_type: ProblemType,
        inputs: &Inputs,
        outputs: &Outputs,
    ) -> Result<Option<f64>, ReferenceError> {
        let side =
            |positions, logits: Role| position_loss(inputs, positions, &outputs[&*logits.name()]);
        let start = side(Role::StartPositions, Role::StartLogits)?;
        let end = side(Role::EndPositions, Role::EndLogits)?;
        Ok(start.zip(end).map(|(start, end)| f64::midpoint(start, end)))
    }
}

/// Cross-entropy of `[b, s]` logits and `[b]` positions, which are clamped to 0 to s; s is ignored.
fn position_loss(
    inputs: &Inputs,
    role: Role,
    logits: &ArrayD<f64>,
) -> Result<Option<f64>, ReferenceError> {
    let (length, shape) = last_axis(logits);
    let outside = length as i64;
    let positions = integers(inputs, &role.name(), shape)?;
    Ok(positions.map(|positions| {
        let labels = positions.mapv(|position| position.clamp(0, outside));
        cross_entropy(logits, &labels, outside)
    }))
}
