//! `nezha next-sentence`: whether a text follows another.

use anyhow::Result;
use nezha_runtime::task::{NextSentence, NextSentenceOptions};
use serde_json::json;

use super::input::Arguments;
use super::output::score;
use super::text_classification::two_texts;
use super::{Manner, TaskArgs, answer};

/// Decide whether one text follows another: two texts.
///
/// JSON fields: text, `text_pair`.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    task: TaskArgs,
}

/// Compares and prints.
pub(super) fn run(args: Args) -> Result<()> {
    let options = NextSentenceOptions::default().max_length(args.task.max_length);
    let manner = Manner::<NextSentence> {
        arguments: Arguments::Together,
        question: &two_texts,
        columns: &["follows"],
        rows: |answer| vec![vec![score(answer.is_next)]],
        json: |answer| json!(answer),
    };
    answer(&args.task, options, &manner)
}
