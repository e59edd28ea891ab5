use std::sync::Arc;

use ndarray::Ix1;
use nezha_graphs::{Head, Role, setters};
use serde::{Deserialize, Serialize};

use super::scores::softmax;
use super::{Row, RowOutputs, Task, TaskError, TaskModel, Text};

/// Whether a text follows another: the `next-sentence` head.
#[derive(Debug)]
pub struct NextSentence {
    model: Arc<TaskModel>,
    options: NextSentenceOptions,
}

/// How pairs are read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct NextSentenceOptions {
    /// Tokens of a sequence, at most; `None` for the tokenizer's limit.
    pub max_length: Option<usize>,
}

impl NextSentenceOptions {
    setters! {
        max_length: impl Into<Option<usize>>,
    }
}

/// Whether the second text follows the first.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Follows {
    /// The probability that it does.
    pub is_next: f32,
}

impl Task for NextSentence {
    type Input = Text;
    type Options = NextSentenceOptions;
    type Part = Follows;
    type Answer = Follows;

    const NAME: &'static str = "next-sentence";
    const HEADS: &'static [Head] = &[Head::NextSentence, Head::Pretraining];

    fn new(model: Arc<TaskModel>, options: NextSentenceOptions) -> Result<Self, TaskError> {
        Ok(Self { model, options })
    }

    fn encode(&self, input: &Text) -> Result<Vec<Row>, TaskError> {
        match input.pair {
            None => Err(TaskError::NoPair),
            Some(_) => Ok(vec![self.model.encode(input, self.options.max_length)?]),
        }
    }

    fn decode(&self, _: &Text, _: &Row, outputs: &RowOutputs<'_>) -> Result<Follows, TaskError> {
        follows(outputs)
    }

    fn join(&self, _: &Text, parts: Vec<Follows>) -> Follows {
        parts
            .first()
            .copied()
            .unwrap_or(Follows { is_next: f32::NAN })
    }
}

/// Reads the two scores: the second text follows, or it doesn't.
pub(super) fn follows(outputs: &RowOutputs<'_>) -> Result<Follows, TaskError> {
    let roles = [Role::RelationshipLogits, Role::Logits];
    let role = outputs.first_of(&roles).unwrap_or(Role::Logits);
    let scores = softmax(outputs.array::<Ix1>(role)?);
    match scores.as_slice() {
        [is_next, _] => Ok(Follows { is_next: *is_next }),
        _ => Err(TaskError::Output {
            name: role.name().into_owned(),
            reason: format!("a row has {} scores, expected 2", scores.len()),
        }),
    }
}
