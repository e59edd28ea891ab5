use serde::{Deserialize, Serialize};

use super::place::Place;
use super::reading::one_or_several;
use super::{
    Combine, Crf, Form, HeadSpecError, Layers, Mix, OutputTask, Read, Step, Tensors, steps,
};
use crate::Config;

/// An output of a head: what it reads, and the steps that lead to it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct OutputSpec {
    /// What the port is called; the contract's name for the task where there is one output alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What decodes it; nothing if `None`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<OutputTask>,
    /// The names of what it scores; the config's if `None`.
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
    /// What the path of labels is decoded with, where it is no matter of each token by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub crf: Option<Crf>,
    /// What the score of a stretch of text, or of its first and its last token, has to be above; 0 where
    /// absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threshold: Option<f32>,
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
            crf: None,
            threshold: None,
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

    /// Decodes the path of labels with a CRF.
    #[must_use]
    pub fn crf(mut self, crf: Crf) -> Self {
        self.crf = Some(crf);
        self
    }

    /// Says what the score of a stretch of text has to be above.
    #[must_use]
    pub fn threshold(mut self, threshold: f32) -> Self {
        self.threshold = Some(threshold);
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
        if self.task.is_some_and(OutputTask::has_labels) {
            self.resolve_labels(config, form.width(), &place.at("labels"))?;
        }
        if let Some(crf) = &mut self.crf {
            let place = &place.at("crf");
            let Form::Tokens(labels) = form else {
                return Err(place.fault(format_args!("it decodes labels of tokens, not {form}")));
            };
            crf.resolve(labels, tensors, place)?;
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
