//! `nezha span-classification`: labelled stretches of a text, which may lie in each other.

use anyhow::Result;
use nezha_runtime::task::{Span, SpanClassification, SpanClassificationOptions};
use serde_json::json;

use super::input::Arguments;
use super::output::score;
use super::text_classification::one_or_two_texts;
use super::{Manner, TaskArgs, answer};

/// Find labelled spans in texts, also nested ones, with a head of your own (GlobalPointer, or starts and
/// ends).
///
/// JSON field: text.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    task: TaskArgs,
    /// The score that a span has to exceed, instead of the one in the head's spec.
    #[arg(long, value_name = "SCORE", allow_negative_numbers = true)]
    threshold: Option<f32>,
    /// Keep only the best of spans that overlap.
    #[arg(long)]
    flat: bool,
    /// Read all of a long text instead of cutting it, in sequences that overlap by N tokens.
    #[arg(long, value_name = "N")]
    stride: Option<usize>,
}

/// Finds and prints.
pub(super) fn run(args: Args) -> Result<()> {
    let options = SpanClassificationOptions::default()
        .threshold(args.threshold)
        .nested(!args.flat)
        .stride(args.stride)
        .max_length(args.task.max_length);
    let manner = Manner::<SpanClassification> {
        arguments: Arguments::Each,
        question: &one_or_two_texts,
        columns: &["text", "label", "score", "start", "end"],
        rows: |spans| {
            let row = |it: &Span| {
                let (start, end) = (it.start.to_string(), it.end.to_string());
                vec![
                    it.text.clone(),
                    it.label.clone(),
                    score(it.score),
                    start,
                    end,
                ]
            };
            match spans.is_empty() {
                true => vec![vec!["none".to_owned()]],
                false => spans.iter().map(row).collect(),
            }
        },
        json: |spans| json!(spans),
    };
    answer(&args.task, options, &manner)
}
