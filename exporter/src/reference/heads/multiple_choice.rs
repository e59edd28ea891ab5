use ndarray::{Array2, ArrayD};
use nezha_graphs::Role;

use super::parts::of_pooled;
use super::{Given, HeadReference};
use crate::reference::ReferenceError;

/// A score for each of several continuations; `NezhaForMultipleChoice`.
pub(super) struct MultipleChoice;

impl HeadReference for MultipleChoice {
    fn outputs(&self, given: &Given) -> Result<Vec<(Role, ArrayD<f64>)>, ReferenceError> {
        let scores = of_pooled(given, "classifier", 1)?;
        let choices = given.choices;
        let shape = (given.texts.len() / choices, choices);
        let scores = Array2::from_shape_fn(shape, |(b, c)| scores[[b * choices + c, 0]]);
        Ok(vec![(Role::Logits, scores.into_dyn())])
    }
}
