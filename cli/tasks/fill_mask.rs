//! `nezha fill-mask`: the words that fit the gaps of a text.

use anyhow::Result;
use nezha_runtime::task::{Fill, FillMask, FillMaskOptions};
use serde_json::json;

use super::input::Arguments;
use super::output::score;
use super::text_classification::one_or_two_texts;
use super::{Manner, TaskArgs, answer};

/// Fill the gaps in texts; a gap is the tokenizer's mask token.
///
/// JSON fields: text, `text_pair` (optional).
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    task: TaskArgs,
    /// Answers for each gap, the best first.
    #[arg(long, value_name = "N", default_value_t = 5)]
    top_k: usize,
    /// A word to choose from; by default any token.
    #[arg(long = "target", value_name = "WORD")]
    targets: Vec<String>,
}

/// Fills and prints.
pub(super) fn run(args: Args) -> Result<()> {
    let options = FillMaskOptions::default()
        .top_k(args.top_k)
        .targets(args.targets)
        .max_length(args.task.max_length);
    let manner = Manner::<FillMask> {
        arguments: Arguments::Each,
        question: &one_or_two_texts,
        columns: &["gap", "token", "score", "filled"],
        rows: |gaps| {
            let row = |(gap, fill): (usize, &Fill)| {
                let text = fill.sequence.clone();
                vec![
                    (gap + 1).to_string(),
                    fill.token_str.clone(),
                    score(fill.score),
                    text,
                ]
            };
            let gaps = gaps.iter().enumerate();
            let fills = gaps.flat_map(|(gap, fills)| fills.iter().map(move |fill| (gap, fill)));
            fills.map(row).collect()
        },
        json: |gaps| json!(gaps),
    };
    answer(&args.task, options, &manner)
}
