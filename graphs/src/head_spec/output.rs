use serde::{Deserialize, Serialize};

use super::place::Place;
use super::reading::one_or_several;
use super::{
    Combine, Crf, Form, HeadSpecError, Layers, Mix, OutputTask, Read, Step, Tensors, steps,
};
use crate::Config;

/// An output of a head: what it reads from the encoder, and the steps that compute the output from
/// it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct OutputSpec {
    /// The name of the port. If there is only one output, the default is the contract's name for
    /// its task.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The task that decodes it; `None` if no task does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<OutputTask>,
    /// The names of the labels that it scores. If empty, they are the config's if it has as many,
    /// else `LABEL_0` and so on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub labels: Vec<String>,
    /// The layers that are read.
    #[serde(default, skip_serializing_if = "Layers::is_last")]
    pub layers: Layers,
    /// How several layers become one.
    #[serde(default, skip_serializing_if = "is_default")]
    pub mix: Mix,
    /// What is read from the layers.
    #[serde(deserialize_with = "one_or_several")]
    pub read: Vec<Read>,
    /// How several readings become one.
    #[serde(default, skip_serializing_if = "is_default")]
    pub combine: Combine,
    /// The steps that are applied to it, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<Step>,
    /// The CRF that decodes the path of labels, if tokens are not decoded independently of each
    /// other.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub crf: Option<Crf>,
    /// The threshold for the score of a span of text, or for the scores of its first and last
    /// tokens; 0 by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threshold: Option<f32>,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

impl OutputSpec {
    /// An output that reads this from the last layer.
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

    /// Sets the name.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Sets the task that decodes it.
    #[must_use]
    pub fn task(mut self, task: OutputTask) -> Self {
        self.task = Some(task);
        self
    }

    /// Sets the names of the labels.
    #[must_use]
    pub fn labels(mut self, labels: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.labels = labels.into_iter().map(Into::into).collect();
        self
    }

    /// Reads other layers than the last, and sets how several become one.
    #[must_use]
    pub fn layers(mut self, layers: Layers, mix: Mix) -> Self {
        self.layers = layers;
        self.mix = mix;
        self
    }

    /// Sets how several readings become one.
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

    /// Sets the CRF that decodes the path of labels.
    #[must_use]
    pub fn crf(mut self, crf: Crf) -> Self {
        self.crf = Some(crf);
        self
    }

    /// Sets the threshold for the score of a span of text.
    #[must_use]
    pub fn threshold(mut self, threshold: f32) -> Self {
        self.threshold = Some(threshold);
        self
    }

    /// Fills in what the config and the tensors say, and returns the form of the output.
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

    /// Sets the names of `count` labels: the spec's, else the config's if it names as many, else
    /// `LABEL_0` and so on.
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
