//! `nezha token-classification`: the names in a text, and where they are.

use anyhow::Result;
use clap::ValueEnum;
use nezha_runtime::task::{self, Entity, TokenClassification, TokenClassificationOptions};
use serde_json::json;

use super::input::Arguments;
use super::output::score;
use super::text_classification::one_or_two_texts;
use super::{Manner, TaskArgs, answer};

/// Label the words of texts, for example the names in them.
///
/// JSON field: text.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    task: TaskArgs,
    /// How tokens are put together.
    #[arg(long, default_value = "simple")]
    aggregation: Aggregation,
    /// A label that is left out.
    #[arg(long = "ignore-label", value_name = "LABEL", default_value = "O")]
    ignore_labels: Vec<String>,
    /// Read all of a long text, in sequences that share so many tokens, instead of cutting it.
    #[arg(long, value_name = "N")]
    stride: Option<usize>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Aggregation {
    /// Every token by itself.
    None,
    /// Neighbours of one label; a B- starts an entity.
    Simple,
    /// As simple; a word has the label of its first piece.
    First,
    /// As simple; a word has the label with the best mean score.
    Average,
    /// As simple; a word has the label of its surest piece.
    Max,
}

/// Labels and prints.
pub(super) fn run(args: Args) -> Result<()> {
    let options = TokenClassificationOptions::default()
        .aggregation(match args.aggregation {
            Aggregation::None => task::Aggregation::None,
            Aggregation::Simple => task::Aggregation::Simple,
            Aggregation::First => task::Aggregation::First,
            Aggregation::Average => task::Aggregation::Average,
            Aggregation::Max => task::Aggregation::Max,
        })
        .ignore_labels(args.ignore_labels)
        .stride(args.stride)
        .max_length(args.task.max_length);
    let manner = Manner::<TokenClassification> {
        arguments: Arguments::Each,
        question: one_or_two_texts,
        columns: &["word", "label", "score", "start", "end"],
        rows: |entities| {
            let row = |it: &Entity| {
                let (start, end) = (it.start.to_string(), it.end.to_string());
                vec![
                    it.word.clone(),
                    it.label.clone(),
                    score(it.score),
                    start,
                    end,
                ]
            };
            match entities.is_empty() {
                true => vec![vec!["none".to_owned()]],
                false => entities.iter().map(row).collect(),
            }
        },
        json: |entities| json!(entities),
    };
    answer(&args.task, options, &manner)
}
