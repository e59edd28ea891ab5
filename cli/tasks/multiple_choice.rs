//! `nezha multiple-choice`: the choice that goes with a text best.

use anyhow::Result;
use nezha_runtime::task::{Choice, Choices, MultipleChoice, MultipleChoiceOptions};
use serde_json::{Value, json};

use super::input::{Arguments, list};
use super::output::score;
use super::{Manner, TaskArgs, answer};

/// Choose which of several texts goes with a text: the text, then the choices.
///
/// JSON fields: text, choices (a list).
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    task: TaskArgs,
}

/// Chooses and prints.
pub(super) fn run(args: Args) -> Result<()> {
    let options = MultipleChoiceOptions::default().max_length(args.task.max_length);
    let manner = Manner::<MultipleChoice> {
        arguments: Arguments::Together,
        question: &choices,
        columns: &["choice", "score", "best"],
        rows: |answer| {
            let row = |(number, it): (usize, &f32)| {
                let best = if number == answer.choice { "←" } else { "" };
                vec![(number + 1).to_string(), score(*it), best.to_owned()]
            };
            answer.scores.iter().enumerate().map(row).collect()
        },
        json: |answer: &Choice| json!(answer),
    };
    answer(&args.task, options, &manner)
}

fn choices(value: &Value) -> Result<Choices, String> {
    let (text, choices) = match value {
        Value::Object(fields) => (
            fields
                .get("text")
                .and_then(Value::as_str)
                .map(str::to_owned),
            fields.get("choices").map(list).unwrap_or_default(),
        ),
        other => {
            let mut texts = list(other).into_iter();
            (texts.next(), texts.collect())
        }
    };
    match text {
        Some(text) if !choices.is_empty() => Ok(Choices { text, choices }),
        _ => Err("expected a text and choices, at least one".to_owned()),
    }
}
