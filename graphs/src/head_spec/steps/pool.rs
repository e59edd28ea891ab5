use serde::{Deserialize, Serialize};

use crate::head_spec::place::Place;
use crate::head_spec::{Form, HeadSpecError};

/// How the vectors of the tokens become one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Pool {
    /// The first token's.
    Cls,
    /// The mean over the tokens that are attended to.
    Mean,
    /// The mean over all positions, padding included.
    MeanAll,
    /// The maximum over the tokens that are attended to, for each column.
    Max,
    /// The maximum over all positions, padding included.
    MaxAll,
}

pub(super) fn form(form: Form, place: &Place) -> Result<Form, HeadSpecError> {
    match form {
        Form::Tokens(width) => Ok(Form::Text(width)),
        other => Err(place.fault(format_args!("expected tokens to pool, found {other}"))),
    }
}
