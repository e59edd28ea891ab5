use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::hash::{Hash, Hasher};
use std::sync::{Mutex, PoisonError};

use super::{Form, HeadSpec, HeadSpecError, OutputSpec, OutputTask, Tensors};
use crate::{Config, Head, Role};

/// A resolved [`HeadSpec`]: the ninth head.
///
/// A process keeps one instance for each spec and never frees it. So a [`Head`](crate::Head) is a
/// plain reference, and its name is `'static`, like those of the other eight. Specs are few and
/// small.
#[derive(Debug)]
pub struct OwnHead {
    spec: HeadSpec,
    forms: Vec<Form>,
    json: String,
}

impl OwnHead {
    /// The instance for this spec, whose outputs have these forms.
    pub(super) fn intern(spec: HeadSpec, forms: Vec<Form>) -> &'static Self {
        static ALL: Mutex<BTreeMap<(String, Vec<Form>), &'static OwnHead>> =
            Mutex::new(BTreeMap::new());
        let json = serde_json::to_string(&spec).unwrap_or_default();
        let mut all = ALL.lock().unwrap_or_else(PoisonError::into_inner);
        all.entry((json.clone(), forms.clone()))
            .or_insert_with(|| Box::leak(Box::new(Self { spec, forms, json })))
    }

    /// The complete spec, with nothing left out.
    pub fn spec(&self) -> &HeadSpec {
        &self.spec
    }

    /// The spec as JSON, as in an artifact's metadata.
    pub(crate) fn json(&self) -> &str {
        &self.json
    }

    /// The names of the outputs whose CRF has other values than these tensors give.
    ///
    /// # Errors
    /// [`HeadSpecError`] if the CRF can't be resolved with these tensors.
    pub fn changed_crfs(
        &self,
        config: &Config,
        tensors: &dyn Tensors,
    ) -> Result<Vec<&str>, HeadSpecError> {
        let mut again = self.spec.clone();
        for crf in again.outputs.iter_mut().flat_map(|it| &mut it.crf) {
            crf.scores = None;
        }
        let Head::Own(again) = again.resolve(config, tensors)? else {
            return Ok(Vec::new());
        };
        let both = self.outputs().zip(again.outputs());
        let changed = both.filter(|(ours, theirs)| ours.spec.crf != theirs.spec.crf);
        Ok(changed.map(|(ours, _)| ours.name).collect())
    }

    /// The outputs, with their names, roles and forms.
    pub fn outputs(&self) -> impl Iterator<Item = OwnOutput<'_>> {
        let outputs = self.spec.outputs.iter().zip(&self.forms).enumerate();
        outputs.map(|(i, (spec, form))| {
            let name = spec.name.as_deref().unwrap_or_default();
            OwnOutput {
                name,
                role: match Role::from_name(name) {
                    Role::Other => Role::Own(i),
                    role => role,
                },
                form: *form,
                spec,
            }
        })
    }

    /// The outputs that this task decodes.
    pub fn outputs_of(&self, task: OutputTask) -> impl Iterator<Item = OwnOutput<'_>> {
        self.outputs().filter(move |it| it.spec.task == Some(task))
    }
}

/// An output of an [`OwnHead`].
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct OwnOutput<'h> {
    /// The port's name.
    pub name: &'h str,
    /// The role that the contract has for the name, or [`Role::Own`].
    pub role: Role,
    /// Its form.
    pub form: Form,
    /// How it is computed.
    pub spec: &'h OutputSpec,
}

impl PartialEq for OwnHead {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for OwnHead {}

impl PartialOrd for OwnHead {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for OwnHead {
    fn cmp(&self, other: &Self) -> Ordering {
        (&self.json, &self.forms).cmp(&(&other.json, &other.forms))
    }
}

impl Hash for OwnHead {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.json.hash(state);
        self.forms.hash(state);
    }
}
