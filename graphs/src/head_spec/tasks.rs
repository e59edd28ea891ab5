//! What the outputs of a task must be.

use serde::{Deserialize, Serialize};

use super::place::Place;
use super::{Form, HeadSpec, HeadSpecError};
use crate::Role;

/// The task that decodes an output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OutputTask {
    /// A label for a text, `[batch, labels]`.
    TextClassification,
    /// A label for each token, `[batch, sequence, labels]`.
    TokenClassification,
    /// Spans of a text, each with a label: scores of pairs of tokens,
    /// `[batch, labels, sequence, sequence]`, or `start_logits` and `end_logits`,
    /// `[batch, sequence, labels]` each.
    SpanClassification,
    /// The span of a text that answers a question: `start_logits` and `end_logits`,
    /// `[batch, sequence]` each, and optionally the output [`OutputTask::ANSWERABLE`].
    QuestionAnswering,
    /// A vector for a text, `[batch, width]`.
    FeatureExtraction,
}

impl OutputTask {
    /// The name of the output that scores whether a question has an answer: `[batch]` or
    /// `[batch, 1]` for yes, `[batch, 2]` for no and yes.
    pub const ANSWERABLE: &str = "answerable_logits";

    /// The task's name.
    pub fn name(self) -> &'static str {
        match self {
            OutputTask::TextClassification => "text-classification",
            OutputTask::TokenClassification => "token-classification",
            OutputTask::SpanClassification => "span-classification",
            OutputTask::QuestionAnswering => "question-answering",
            OutputTask::FeatureExtraction => "feature-extraction",
        }
    }

    /// Whether the outputs of the task have labels.
    pub(super) fn has_labels(self) -> bool {
        match self {
            OutputTask::QuestionAnswering | OutputTask::FeatureExtraction => false,
            OutputTask::TextClassification
            | OutputTask::TokenClassification
            | OutputTask::SpanClassification => true,
        }
    }

    /// Whether an output of this name and form can be one of the task's outputs.
    fn fits(self, name: &str, form: Form) -> bool {
        let is_side = [Role::StartLogits, Role::EndLogits].contains(&Role::from_name(name));
        match (self, form) {
            (OutputTask::TextClassification | OutputTask::FeatureExtraction, Form::Text(_))
            | (OutputTask::TokenClassification, Form::Tokens(_))
            | (OutputTask::SpanClassification, Form::Pairs(_)) => true,
            (OutputTask::SpanClassification, Form::Tokens(_))
            | (OutputTask::QuestionAnswering, Form::TokenNumber) => is_side,
            (OutputTask::QuestionAnswering, Form::TextNumber | Form::Text(1 | 2)) => {
                name == Self::ANSWERABLE
            }
            _ => false,
        }
    }

    /// What [`fits`](Self::fits) accepts, in words.
    fn expected(self) -> &'static str {
        match self {
            OutputTask::TextClassification | OutputTask::FeatureExtraction => {
                "a vector for each text"
            }
            OutputTask::TokenClassification => "a vector for each token",
            OutputTask::SpanClassification => {
                "numbers for each pair of tokens, or 'start_logits' and 'end_logits' with a vector for each token"
            }
            OutputTask::QuestionAnswering => {
                "'start_logits' and 'end_logits' with a number for each token, and 'answerable_logits' with one or \
                 two for each text"
            }
        }
    }
}

/// Fails if an output is not what its task decodes, or if a task's other output is missing.
pub(super) fn check(spec: &HeadSpec, forms: &[Form]) -> Result<(), HeadSpecError> {
    for (i, (output, form)) in spec.outputs.iter().zip(forms).enumerate() {
        let Some(task) = output.task else { continue };
        let place = Place::root().at("outputs").index(i).at("task");
        let name = output.name.as_deref().unwrap_or_default();
        if !task.fits(name, *form) {
            return Err(place.fault(format_args!(
                "'{name}' is {form}, and {} decodes {}",
                task.name(),
                task.expected()
            )));
        }
        let of_task = || spec.outputs.iter().filter(|it| it.task == Some(task));
        let has = |role: Role| of_task().any(|it| it.name.as_deref() == Some(role.name().as_ref()));
        let sides = [Role::StartLogits, Role::EndLogits];
        let alone = !sides.iter().any(|it| has(*it)) && name != OutputTask::ANSWERABLE;
        match alone {
            true if of_task().count() > 1 => {
                let reason = format_args!(
                    "{} decodes one output, and this is not the only one",
                    task.name()
                );
                return Err(place.fault(reason));
            }
            true => {}
            false => {
                if let Some(missing) = sides.iter().find(|it| !has(**it)) {
                    let reason =
                        format_args!("{} needs an output '{}' too", task.name(), missing.name());
                    return Err(place.fault(reason));
                }
            }
        }
    }
    Ok(())
}
