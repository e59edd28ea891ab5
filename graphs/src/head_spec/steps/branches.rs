use serde::{Deserialize, Serialize};

use super::{Step, resolve};
use crate::head_spec::place::Place;
use crate::head_spec::{Combine, Form, HeadSpecError, Tensors};

/// Several lists of steps that all start from one value.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Branches {
    /// The lists; an empty one is the value itself.
    pub of: Vec<Vec<Step>>,
    /// What they come to together.
    #[serde(default)]
    pub combine: Combine,
}

impl Branches {
    /// These lists, their results combined so.
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
