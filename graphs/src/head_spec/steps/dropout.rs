use serde::{Deserialize, Serialize};

use crate::head_spec::reading::one_or_several;

/// The rates of dropouts, which have no effect outside of training: one rate, or those of several
/// dropouts whose results are averaged.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Dropout {
    #[serde(deserialize_with = "one_or_several")]
    rates: Vec<f64>,
}

impl Dropout {
    /// Dropouts of these rates.
    pub fn new(rates: impl IntoIterator<Item = f64>) -> Self {
        Self {
            rates: rates.into_iter().collect(),
        }
    }
}
