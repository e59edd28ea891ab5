use ndarray::ArrayD;
use nezha_graphs::Role;

use super::parts::predictions;
use super::{Given, HeadReference};
use crate::reference::ReferenceError;

/// Scores of the vocabulary at every position; `NezhaForMaskedLM`.
pub(super) struct MaskedLm;

impl HeadReference for MaskedLm {
    fn outputs(&self, given: &Given) -> Result<Vec<(Role, ArrayD<f64>)>, ReferenceError> {
        Ok(vec![(Role::Logits, predictions(given)?)])
    }
}
