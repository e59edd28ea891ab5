//! What is asked of the model about each row, from arguments.

use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::ValueEnum;
use clap::error::ErrorKind;
use nezha_runtime::task::{
    Aggregation, EmbeddingOptions, FillMaskOptions, MultipleChoiceOptions, NextSentenceOptions,
    Pooling, QuestionAnsweringOptions, ScoreFunction, SpanClassificationOptions,
    TextClassificationOptions, TokenClassificationOptions,
};
use nezha_score::{Asked, Format, Keep, PART_ROWS, Request};

/// What is asked, and what the output has of the input.
#[derive(clap::Args)]
pub(super) struct QuestionArgs {
    /// The column with the text, or several in the task's order: question,context; `text,text_pair`; the
    /// text and its choices. By default text, or question,context.
    #[arg(long = "column", value_name = "NAMES", value_delimiter = ',')]
    columns: Vec<String>,
    /// The input's columns to keep: names, or none. By default all.
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    keep: Option<Vec<String>>,
    /// What the names of the answers' columns start with.
    #[arg(long, value_name = "TEXT", default_value = "")]
    prefix: String,
    /// Add a column of this name with the row's number over all inputs, from 0.
    #[arg(long, value_name = "NAME")]
    row_index: Option<String>,
    /// The format of the files in an output folder: parquet, csv, tsv or jsonl, the last three also with
    /// .gz or .zst. By default the inputs' format.
    #[arg(long, value_name = "ENDING", value_parser = format)]
    format: Option<Format>,
    /// Rows of a part at most; a run that is killed loses the parts that it was working on.
    #[arg(long, value_name = "N", default_value_t = PART_ROWS, value_parser = at_least_one)]
    part_rows: usize,
    #[command(flatten)]
    pub asked: AskedArgs,
}

/// The task and its options.
#[derive(clap::Args)]
#[command(next_help_heading = "Task")]
pub(super) struct AskedArgs {
    /// The task; by default the one that the model was trained for.
    #[arg(long)]
    task: Option<Name>,
    /// Tokens of a sequence at most; by default the tokenizer's limit. A longer text is cut, and its
    /// 'truncated' is true.
    #[arg(long, value_name = "N")]
    max_length: Option<usize>,
    /// Give the N best answers instead of the best one.
    #[arg(long, value_name = "N")]
    top_k: Option<usize>,
    /// text-classification: a score for every label, as fields of one column.
    #[arg(long, conflicts_with = "top_k")]
    scores: Option<Scores>,
    /// text-classification: how logits become scores.
    #[arg(long)]
    function: Option<Function>,
    /// token-classification: how tokens are joined to entities.
    #[arg(long)]
    aggregation: Option<Aggregated>,
    /// token-classification: a label to leave out.
    #[arg(long = "ignore-label", value_name = "LABEL")]
    ignore_labels: Option<Vec<String>>,
    /// token- and span-classification: read all of a long text, in sequences that overlap by N tokens.
    #[arg(long, value_name = "N")]
    stride: Option<usize>,
    /// span-classification: what a score has to be above, in place of what the head's spec says.
    #[arg(long, value_name = "SCORE", allow_negative_numbers = true)]
    threshold: Option<f32>,
    /// span-classification: of spans that overlap keep the one of the best score.
    #[arg(long)]
    flat: bool,
    /// question-answering: tokens of an answer at most.
    #[arg(long, value_name = "N")]
    max_answer_len: Option<usize>,
    /// question-answering: tokens by which the sequences of a long context overlap.
    #[arg(long, value_name = "N")]
    doc_stride: Option<usize>,
    /// question-answering: let "no answer" compete, as an empty answer.
    #[arg(long)]
    handle_impossible_answer: bool,
    /// fill-mask: a word to choose from; by default any token.
    #[arg(long = "target", value_name = "WORD")]
    targets: Option<Vec<String>>,
    /// feature-extraction: how token vectors become one.
    #[arg(long)]
    pooling: Option<Pooled>,
    /// feature-extraction: scale the vector to length 1.
    #[arg(long)]
    normalize: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum Name {
    TextClassification,
    TokenClassification,
    SpanClassification,
    QuestionAnswering,
    FillMask,
    FeatureExtraction,
    NextSentence,
    MultipleChoice,
}

#[derive(Clone, Copy, ValueEnum)]
enum Scores {
    /// Of every label.
    All,
}

#[derive(Clone, Copy, ValueEnum)]
enum Function {
    Softmax,
    Sigmoid,
    None,
}

#[derive(Clone, Copy, ValueEnum)]
enum Aggregated {
    None,
    Simple,
    First,
    Average,
    Max,
}

#[derive(Clone, Copy, ValueEnum)]
enum Pooled {
    Cls,
    Mean,
    Max,
}

impl QuestionArgs {
    /// What is wanted of these files.
    pub(super) fn request(
        &self,
        inputs: Vec<String>,
        output: PathBuf,
        model: PathBuf,
        asked: Asked,
    ) -> Request {
        Request {
            inputs,
            output,
            format: self.format,
            model,
            asked,
            columns: self.columns.clone(),
            keep: match &self.keep {
                None => Keep::All,
                Some(names) if matches!(&names[..], [none] if none == "none") => {
                    Keep::Columns(Vec::new())
                }
                Some(names) => Keep::Columns(names.clone()),
            },
            prefix: self.prefix.clone(),
            row_index: self.row_index.clone(),
            part_rows: self.part_rows,
        }
    }

    /// The columns with text, and what the answers' names start with.
    pub(super) fn columns(&self) -> (&[String], &str) {
        (&self.columns, &self.prefix)
    }
}

impl AskedArgs {
    /// The task with its options; an option of another task is bad usage.
    pub(super) fn asked(&self, model: &Path) -> Result<Asked> {
        let asked = match self.task {
            None => Asked::of_model(model)?,
            Some(task) => task.default(),
        };
        let mut given = self.given();
        let mut take = |names: &[&str]| given.retain(|it| !names.contains(it));
        let asked = match asked {
            Asked::TextClassification(options) => {
                take(&["--top-k", "--scores", "--function"]);
                Asked::TextClassification(self.text_classification(options))
            }
            Asked::TokenClassification(options) => {
                take(&["--aggregation", "--ignore-label", "--stride"]);
                Asked::TokenClassification(self.token_classification(options))
            }
            Asked::SpanClassification(options) => {
                take(&["--stride", "--threshold", "--flat"]);
                Asked::SpanClassification(
                    options
                        .threshold(self.threshold)
                        .nested(!self.flat)
                        .stride(self.stride),
                )
            }
            Asked::QuestionAnswering(options) => {
                let of_task = [
                    "--top-k",
                    "--max-answer-len",
                    "--doc-stride",
                    "--handle-impossible-answer",
                ];
                take(&of_task);
                Asked::QuestionAnswering(self.question_answering(options))
            }
            Asked::FillMask(mut options) => {
                take(&["--top-k", "--target"]);
                options.top_k = self.top_k.unwrap_or(options.top_k);
                options.targets = self.targets.clone().unwrap_or_default();
                Asked::FillMask(options)
            }
            Asked::FeatureExtraction(mut options) => {
                take(&["--pooling", "--normalize"]);
                options.pooling = self.pooling.map_or(options.pooling, Into::into);
                options.normalize = self.normalize;
                Asked::FeatureExtraction(options)
            }
            other => other,
        };
        if let Some(option) = given.first() {
            let reason = format!("{option} is not an option of {}\n", asked.name());
            clap::Error::raw(ErrorKind::ArgumentConflict, reason).exit();
        }
        Ok(asked.with_max_length(self.max_length))
    }

    /// The options of tasks that are given.
    fn given(&self) -> Vec<&'static str> {
        let options = [
            ("--top-k", self.top_k.is_some()),
            ("--scores", self.scores.is_some()),
            ("--function", self.function.is_some()),
            ("--aggregation", self.aggregation.is_some()),
            ("--ignore-label", self.ignore_labels.is_some()),
            ("--stride", self.stride.is_some()),
            ("--threshold", self.threshold.is_some()),
            ("--flat", self.flat),
            ("--max-answer-len", self.max_answer_len.is_some()),
            ("--doc-stride", self.doc_stride.is_some()),
            ("--handle-impossible-answer", self.handle_impossible_answer),
            ("--target", self.targets.is_some()),
            ("--pooling", self.pooling.is_some()),
            ("--normalize", self.normalize),
        ];
        let given = options.into_iter().filter(|(_, given)| *given);
        given.map(|(name, _)| name).collect()
    }

    fn text_classification(&self, options: TextClassificationOptions) -> TextClassificationOptions {
        let top_k = match self.scores {
            Some(Scores::All) => None,
            None => self.top_k.or(options.top_k),
        };
        let function = self.function.map(|function| match function {
            Function::Softmax => ScoreFunction::Softmax,
            Function::Sigmoid => ScoreFunction::Sigmoid,
            Function::None => ScoreFunction::None,
        });
        options.top_k(top_k).function(function)
    }

    fn token_classification(
        &self,
        mut options: TokenClassificationOptions,
    ) -> TokenClassificationOptions {
        // As the task's own command has it.
        options.aggregation = self
            .aggregation
            .map_or(Aggregation::Simple, Aggregation::from);
        if let Some(labels) = &self.ignore_labels {
            options.ignore_labels.clone_from(labels);
        }
        options.stride(self.stride)
    }

    fn question_answering(
        &self,
        mut options: QuestionAnsweringOptions,
    ) -> QuestionAnsweringOptions {
        options.top_k = self.top_k.unwrap_or(options.top_k);
        options.max_answer_len = self.max_answer_len.unwrap_or(options.max_answer_len);
        options.handle_impossible_answer = self.handle_impossible_answer;
        options.doc_stride(self.doc_stride)
    }
}

impl Name {
    fn default(self) -> Asked {
        match self {
            Name::TextClassification => {
                Asked::TextClassification(TextClassificationOptions::default())
            }
            Name::TokenClassification => {
                Asked::TokenClassification(TokenClassificationOptions::default())
            }
            Name::SpanClassification => {
                Asked::SpanClassification(SpanClassificationOptions::default())
            }
            Name::QuestionAnswering => {
                Asked::QuestionAnswering(QuestionAnsweringOptions::default())
            }
            Name::FillMask => Asked::FillMask(FillMaskOptions::default()),
            Name::FeatureExtraction => Asked::FeatureExtraction(EmbeddingOptions::default()),
            Name::NextSentence => Asked::NextSentence(NextSentenceOptions::default()),
            Name::MultipleChoice => Asked::MultipleChoice(MultipleChoiceOptions::default()),
        }
    }
}

impl From<Aggregated> for Aggregation {
    fn from(aggregated: Aggregated) -> Self {
        match aggregated {
            Aggregated::None => Aggregation::None,
            Aggregated::Simple => Aggregation::Simple,
            Aggregated::First => Aggregation::First,
            Aggregated::Average => Aggregation::Average,
            Aggregated::Max => Aggregation::Max,
        }
    }
}

impl From<Pooled> for Pooling {
    fn from(pooled: Pooled) -> Self {
        match pooled {
            Pooled::Cls => Pooling::Cls,
            Pooled::Mean => Pooling::Mean,
            Pooled::Max => Pooling::Max,
        }
    }
}

fn format(ending: &str) -> Result<Format, String> {
    Format::of(format!("rows.{ending}"))
        .ok_or_else(|| "expected parquet, csv, tsv, jsonl, csv.gz, jsonl.zst, …".to_owned())
}

fn at_least_one(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) => Err("expected at least one row in a part".to_owned()),
        Ok(number) => Ok(number),
        Err(error) => Err(error.to_string()),
    }
}
