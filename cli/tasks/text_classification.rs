//! `nezha text-classification`: a label for a text.

use anyhow::Result;
use clap::ValueEnum;
use nezha_runtime::task::{ScoreFunction, Text, TextClassification, TextClassificationOptions};
use serde_json::{Value, json};

use super::input::{Arguments, strings};
use super::output::score;
use super::{Manner, TaskArgs, answer};

/// Label texts, for example as positive or negative.
///
/// JSON fields: text, `text_pair` (optional).
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    task: TaskArgs,
    /// Labels to print, the best first; a number above that of the labels prints all.
    #[arg(long, value_name = "N", default_value_t = 1)]
    top_k: usize,
    /// How logits become scores; by default as the model was trained.
    #[arg(long)]
    function: Option<Function>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Function {
    /// Probabilities of labels that exclude each other.
    Softmax,
    /// A probability for each label by itself.
    Sigmoid,
    /// The logits as they are.
    None,
}

/// Classifies and prints.
pub(super) fn run(args: Args) -> Result<()> {
    let options = TextClassificationOptions::default()
        .top_k(args.top_k)
        .function(args.function.map(|function| match function {
            Function::Softmax => ScoreFunction::Softmax,
            Function::Sigmoid => ScoreFunction::Sigmoid,
            Function::None => ScoreFunction::None,
        }))
        .max_length(args.task.max_length);
    let manner = Manner::<TextClassification> {
        arguments: Arguments::Each,
        question: &one_or_two_texts,
        columns: &["label", "score"],
        rows: |labels| {
            let row = labels
                .iter()
                .map(|it| vec![it.label.clone(), score(it.score)]);
            row.collect()
        },
        json: |labels| json!(labels),
    };
    answer(&args.task, options, &manner)
}

/// A text, or a pair.
pub(super) fn one_or_two_texts(value: &Value) -> Result<Text, String> {
    let pair = match value {
        Value::Object(fields) => fields.contains_key("text_pair"),
        Value::Array(parts) => parts.len() > 1,
        _ => false,
    };
    match pair {
        true => two_texts(value),
        false => strings(value, ["text"]).map(|[text]| Text::from(text)),
    }
}

/// A pair.
pub(super) fn two_texts(value: &Value) -> Result<Text, String> {
    strings(value, ["text", "text_pair"]).map(|[text, pair]| Text::from((text, pair)))
}
