use serde::{Deserialize, Serialize};

use super::{Step, resolve};
use crate::head_spec::place::Place;
use crate::head_spec::{Combine, Form, HeadSpecError, Tensors};

/// Several lists of steps that are all applied to the same value.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Branches {
    /// The lists; an empty list returns the value itself.
    pub of: Vec<Vec<Step>>,
    /// How the results become one value.
    #[serde(default)]
    pub combine: Combine,
}

impl Branches {
    /// These lists, whose results are combined in this way.
    pub fn new(combine: Combine, of: impl Into<Vec<Vec<Step>>>) -> Self {
        Self {
            of: of.into(),
            combine,
        }
    }

    pub(super) fn resolve(
        &mut self,
        form: Form,
        tensors: &dyn Tensors,
        place: &Place,
    ) -> Result<Form, HeadSpecError> {
        let mut forms = Vec::new();
        for (i, steps) in self.of.iter_mut().enumerate() {
            forms.push(resolve(steps, form, tensors, &place.at("of").index(i))?);
        }
        self.combine.form(&forms, place)
    }
}
