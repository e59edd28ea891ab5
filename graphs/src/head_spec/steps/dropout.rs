use serde::{Deserialize, Serialize};

use crate::head_spec::reading::one_or_several;

/// Rates of dropouts, which mean nothing outside of training: one, or those of several whose results are
/// averaged.
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
