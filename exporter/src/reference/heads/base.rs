use ndarray::ArrayD;
use nezha_graphs::{ProblemType, Role};

use super::parts::{per_text, pooled};
use super::{Given, HeadReference};
use crate::reference::inputs::Inputs;
use crate::reference::{Outputs, ReferenceError};

/// The last hidden state and the pooler's output; `NezhaModel`.
pub(super) struct Base;

impl HeadReference for Base {
    fn outputs(&self, given: &Given) -> Result<Vec<(Role, ArrayD<f64>)>, ReferenceError> {
        let states = per_text(given, |x| Ok(x.clone()))?;
        let mut outputs = vec![(Role::LastHiddenState, states)];
        if given.model.has_pooler() {
            outputs.push((Role::PoolerOutput, pooled(given)?.into_dyn()));
        }
        Ok(outputs)
    }

    fn labels(&self) -> &'static [Role] {
        &[]
    }

    fn loss(
        &self,
        _problem_type: ProblemType,
        _inputs: &Inputs,
        _outputs: &Outputs,
    ) -> Result<Option<f64>, ReferenceError> {
        Ok(None)
    }
}
