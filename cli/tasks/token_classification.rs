//! `nezha token-classification`: the names in a text, and where they are.

use std::fs;

use anyhow::Result;
use clap::ValueEnum;
use nezha_runtime::task::{
    self, Entity, LabelledWord, Split, TokenClassification, TokenClassificationOptions,
    WordClassification, WordClassificationOptions, WordList, Words,
};
use serde_json::{Value, json};

use super::input::{Arguments, strings};
use super::output::score;
use super::text_classification::one_or_two_texts;
use super::{Manner, TaskArgs, answer};

/// Label the words of texts, for example the names in them.
///
/// JSON field: text; with --split, text or words.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    task: TaskArgs,
    /// How tokens are joined to entities.
    #[arg(long, default_value = "simple")]
    aggregation: Aggregation,
    /// A label to leave out.
    #[arg(long = "ignore-label", value_name = "LABEL", default_value = "O")]
    ignore_labels: Vec<String>,
    /// Read all of a long text instead of cutting it, in sequences that overlap by N tokens.
    #[arg(long, value_name = "N")]
    stride: Option<usize>,
    /// Split the text and give each word a label: characters (blanks too), spaces, or a file of words, one
    /// a line, of which the longest match is taken at each place.
    ///
    /// A line of JSON may have its own words, in the field words. A word has the label of its first
    /// token; one that the model does not see, such as a blank, has none.
    #[arg(long, value_name = "HOW|FILE", value_parser = split,
          conflicts_with_all = ["aggregation", "ignore_labels"])]
    split: Option<Split>,
}

/// How texts become words, by name or from a file of words.
fn split(text: &str) -> Result<Split, String> {
    match text {
        "characters" => Ok(Split::Characters),
        "spaces" => Ok(Split::Spaces),
        path => {
            let words = fs::read_to_string(path).map_err(|error| {
                format!("neither characters nor spaces, and as a file of words: {error}")
            })?;
            let words = words.lines().map(str::trim).filter(|it| !it.is_empty());
            Ok(Split::LongestOf(WordList::from_iter(words)))
        }
    }
}

#[derive(Clone, Copy, ValueEnum)]
enum Aggregation {
    /// Every token by itself.
    None,
    /// Neighbours with the same label; B- starts a new entity.
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
    if let Some(split) = &args.split {
        return words(&args, split);
    }
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
        question: &one_or_two_texts,
        columns: &["text", "label", "score", "start", "end"],
        rows: |entities| {
            let row = |it: &Entity| {
                let (start, end) = (it.start.to_string(), it.end.to_string());
                vec![
                    it.text.clone(),
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

/// Labels each word of texts that are split so.
fn words(args: &Args, split: &Split) -> Result<()> {
    let options = WordClassificationOptions::default()
        .stride(args.stride)
        .max_length(args.task.max_length);
    let question = |value: &Value| match value.get("words") {
        Some(words) => given_words(words),
        None => strings(value, ["text"]).map(|[text]| split.split(&text)),
    };
    let manner = Manner::<WordClassification> {
        arguments: Arguments::Each,
        question: &question,
        columns: &["word", "label", "score", "start", "end"],
        rows: |words| words.iter().map(row_of_word).collect(),
        json: |words| json!(words),
    };
    answer(&args.task, options, &manner)
}

fn row_of_word(word: &LabelledWord) -> Vec<String> {
    vec![
        word.word.clone(),
        word.label.clone().unwrap_or_else(|| "none".to_owned()),
        word.score.map_or_else(String::new, score),
        word.start.to_string(),
        word.end.to_string(),
    ]
}

/// The words of a JSON field.
fn given_words(value: &Value) -> Result<Words, String> {
    let words = value.as_array().into_iter().flatten();
    let words: Option<Vec<&str>> = words.map(Value::as_str).collect();
    match words.filter(|_| value.is_array()) {
        Some(words) => Ok(Words::from_iter(words)),
        None => Err("the field 'words' is not a list of strings".to_owned()),
    }
}
