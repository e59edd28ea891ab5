use ndarray::ArrayD;
use nezha_graphs::Role;

use super::parts::of_tokens;
use super::{Given, HeadReference};
use crate::reference::ReferenceError;

/// A label for every token; `NezhaForTokenClassification`.
pub(super) struct TokenClassification;

impl HeadReference for TokenClassification {
    fn outputs(&self, given: &Given) -> Result<Vec<(Role, ArrayD<f64>)>, ReferenceError> {
        let labels = given.model.config.num_labels();
        Ok(vec![(
            Role::Logits,
            of_tokens(given, "classifier", labels)?,
        )])
    }
}
