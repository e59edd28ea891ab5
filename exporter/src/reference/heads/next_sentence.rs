use ndarray::ArrayD;
use nezha_graphs::Role;

use super::parts::relationship;
use super::{Given, HeadReference};
use crate::reference::ReferenceError;

/// Whether the second text follows the first; `NezhaForNextSentencePrediction`.
pub(super) struct NextSentence;

impl HeadReference for NextSentence {
    fn outputs(&self, given: &Given) -> Result<Vec<(Role, ArrayD<f64>)>, ReferenceError> {
        Ok(vec![(Role::Logits, relationship(given)?)])
    }
}
