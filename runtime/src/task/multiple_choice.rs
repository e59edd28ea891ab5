use std::sync::Arc;

use ndarray::{Ix1, s};
use nezha_graphs::{Head, Role, setters};
use serde::{Deserialize, Serialize};

use super::scores::{argmax, softmax};
use super::{Row, RowOutputs, Task, TaskError, TaskModel};

/// The choice that fits a text best: the `multiple-choice` head.
#[derive(Debug)]
pub struct MultipleChoice {
    model: Arc<TaskModel>,
    options: MultipleChoiceOptions,
}

/// How choices are compared.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct MultipleChoiceOptions {
    /// Tokens of a sequence, at most; `None` for the tokenizer's limit.
    pub max_length: Option<usize>,
}

impl MultipleChoiceOptions {
    setters! {
        max_length: impl Into<Option<usize>>,
    }
}

/// A text and its choices.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Choices {
    /// The text.
    pub text: String,
    /// The choices, such as answers or continuations.
    pub choices: Vec<String>,
}

impl<T: Into<String>, C: Into<String>, I: IntoIterator<Item = C>> From<(T, I)> for Choices {
    fn from((text, choices): (T, I)) -> Self {
        Self {
            text: text.into(),
            choices: choices.into_iter().map(Into::into).collect(),
        }
    }
}

/// The best choice, and the probabilities of all.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Choice {
    /// The index of the best choice, from 0.
    pub choice: usize,
    /// The probability of each choice.
    pub scores: Vec<f32>,
}

impl Task for MultipleChoice {
    type Input = Choices;
    type Options = MultipleChoiceOptions;
    type Part = Vec<f32>;
    type Answer = Choice;

    const NAME: &'static str = "multiple-choice";
    const HEADS: &'static [Head] = &[Head::MultipleChoice];

    fn new(model: Arc<TaskModel>, options: MultipleChoiceOptions) -> Result<Self, TaskError> {
        Ok(Self { model, options })
    }

    fn encode(&self, input: &Choices) -> Result<Vec<Row>, TaskError> {
        let length = self.model.max_length(self.options.max_length);
        let tokenizer = &self.model.tokenizer;
        let choices = input.choices.iter();
        let sequences = choices
            .map(|choice| tokenizer.encode(&input.text, Some(choice), length))
            .collect::<Result<Vec<_>, _>>()?;
        match sequences.is_empty() {
            true => Err(TaskError::NoChoices),
            false => Ok(vec![Row { sequences }]),
        }
    }

    fn decode(
        &self,
        _: &Choices,
        row: &Row,
        outputs: &RowOutputs<'_>,
    ) -> Result<Vec<f32>, TaskError> {
        let logits = outputs.array::<Ix1>(Role::Logits)?;
        // The output of a graph with a fixed axis may have more choices.
        let choices = row.sequences.len().min(logits.len());
        Ok(softmax(logits.slice(s![..choices])))
    }

    fn join(&self, _: &Choices, parts: Vec<Vec<f32>>) -> Choice {
        let scores: Vec<f32> = parts.into_iter().flatten().collect();
        Choice {
            choice: argmax(&scores).0,
            scores,
        }
    }
}
