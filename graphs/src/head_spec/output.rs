use serde::{Deserialize, Serialize};

use super::place::Place;
use super::reading::one_or_several;
use super::{Combine, Form, HeadSpecError, Layers, Mix, Read, Step, Tensors, steps};
use crate::Config;

/// An output of a head: what it reads, and the steps that lead to it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct OutputSpec {
    /// What the port is called; the contract's name for the task where there is one output alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What decodes it; nothing where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<OutputTask>,
    /// The names of what it scores; the config's where absent.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub labels: Vec<String>,
    /// The layers that are read.
    #[serde(default, skip_serializing_if = "Layers::is_last")]
    pub layers: Layers,
    /// How several layers become one.
    #[serde(default, skip_serializing_if = "is_default")]
    pub mix: Mix,
    /// What is read of them.
    #[serde(deserialize_with = "one_or_several")]
    pub read: Vec<Read>,
    /// How several readings become one.
    #[serde(default, skip_serializing_if = "is_default")]
    pub combine: Combine,
    /// What is computed of it, one after the other.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<Step>,
}

/// What decodes an output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OutputTask {
    /// A label for a text.
    TextClassification,
    /// A label for each token.
    TokenClassification,
    /// A vector for a text.
    FeatureExtraction,
}

impl OutputTask {
    /// The task's name.
    pub fn name(self) -> &'static str {
        match self {
            OutputTask::TextClassification => "text-classification",
            OutputTask::TokenClassification => "token-classification",
            OutputTask::FeatureExtraction => "feature-extraction",
        }
    }

    /// What the output has to be.
    fn fits(self, form: Form) -> bool {
        match self {
            OutputTask::TextClassification | OutputTask::FeatureExtraction => {
                matches!(form, Form::Text(_))
            }
            OutputTask::TokenClassification => matches!(form, Form::Tokens(_)),
        }
    }

    /// Whether it names what is scored.
    fn has_labels(self) -> bool {
        self != OutputTask::FeatureExtraction
    }
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

impl OutputSpec {
    /// An output that reads this of the last layer.
    pub fn new(read: impl IntoIterator<Item = Read>) -> Self {
        Self {
            name: None,
            task: None,
            labels: Vec::new(),
            layers: Layers::Last,
            mix: Mix::default(),
            read: read.into_iter().collect(),
            combine: Combine::default(),
            steps: Vec::new(),
        }
    }

    /// Gives it a name.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Says what decodes it.
    #[must_use]
    pub fn task(mut self, task: OutputTask) -> Self {
        self.task = Some(task);
        self
    }

    /// Names what it scores.
    #[must_use]
    pub fn labels(mut self, labels: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.labels = labels.into_iter().map(Into::into).collect();
        self
    }

    /// Reads other layers than the last.
    #[must_use]
    pub fn layers(mut self, layers: Layers, mix: Mix) -> Self {
        self.layers = layers;
        self.mix = mix;
        self
    }

    /// Has several readings become one in another way.
    #[must_use]
    pub fn combine(mut self, combine: Combine) -> Self {
        self.combine = combine;
        self
    }

    /// Adds a step.
    #[must_use]
    pub fn step(mut self, step: impl Into<Step>) -> Self {
        self.steps.push(step.into());
        self
    }

    /// Fills in what config and tensors say.
    pub(super) fn resolve(
        &mut self,
        config: &Config,
        tensors: &dyn Tensors,
        place: &Place,
    ) -> Result<Form, HeadSpecError> {
        self.layers.check(config, &place.at("layers"))?;
        let count = self.layers.indices(config).len();
        let width = self.mix.resolve(count, config, tensors, &place.at("mix"))?;
        let forms: Vec<Form> = self
            .read
            .iter()
            .map(|read| match read {
                Read::Pooler => Form::Text(config.hidden_size),
                read if read.is_of_tokens() => Form::Tokens(width),
                _ => Form::Text(width),
            })
            .collect();
        let form = self.combine.form(&forms, &place.at("read"))?;
        let form = steps::resolve(&mut self.steps, form, tensors, &place.at("steps"))?;
        if let Some(task) = self.task {
            if !task.fits(form) {
                return Err(place.at("task").fault(format_args!("the output is {form}")));
            }
            if task.has_labels() {
                self.resolve_labels(config, form.width(), &place.at("labels"))?;
            }
        }
        Ok(form)
    }

    /// The names of `count` labels: the spec's, the config's where it names as many, or numbers.
    fn resolve_labels(
        &mut self,
        config: &Config,
        count: usize,
        place: &Place,
    ) -> Result<(), HeadSpecError> {
        match self.labels.len() {
            0 if config.labels.len() == count => self.labels = config.labels.clone(),
            0 => self.labels = (0..count).map(|i| format!("LABEL_{i}")).collect(),
            found if found != count => {
                return Err(place.fault(format_args!(
                    "{found} labels, and the output scores {count}"
                )));
            }
            _ => {}
        }
        Ok(())
    }
}
