//! The tasks: a model's folder and text in, a table or a JSON document out.

mod feature_extraction;
mod fill_mask;
mod input;
mod multiple_choice;
mod next_sentence;
mod output;
mod question_answering;
mod span_classification;
mod text_classification;
mod token_classification;

use std::cell::RefCell;
use std::collections::VecDeque;
use std::path::PathBuf;

use anyhow::{Result, bail};
use clap::ValueEnum;
use indicatif::ProgressBar;
use nezha_graphs::error_chain;
use nezha_runtime::task::Task;
use nezha_runtime::{Average, Ensemble, Pipeline};
use serde_json::Value;

use crate::engine::{EngineArgs, announce};
use crate::output::{is_unread, note as note_line};
use input::Item;
use output::Output;

/// One command per task.
#[derive(clap::Subcommand)]
pub(crate) enum Command {
    FillMask(fill_mask::Args),
    TextClassification(text_classification::Args),
    TokenClassification(token_classification::Args),
    SpanClassification(span_classification::Args),
    QuestionAnswering(question_answering::Args),
    MultipleChoice(multiple_choice::Args),
    NextSentence(next_sentence::Args),
    FeatureExtraction(feature_extraction::Args),
}

/// Asks the model and prints its answers.
pub(crate) fn run(command: Command) -> Result<()> {
    match command {
        Command::FillMask(args) => fill_mask::run(args),
        Command::TextClassification(args) => text_classification::run(args),
        Command::TokenClassification(args) => token_classification::run(args),
        Command::SpanClassification(args) => span_classification::run(args),
        Command::QuestionAnswering(args) => question_answering::run(args),
        Command::MultipleChoice(args) => multiple_choice::run(args),
        Command::NextSentence(args) => next_sentence::run(args),
        Command::FeatureExtraction(args) => feature_extraction::run(args),
    }
}

/// What every task takes.
#[derive(clap::Args)]
pub(crate) struct TaskArgs {
    /// A folder that `nezha export` wrote, a file that `nezha pack` made of one, or an .onnx file with the
    /// tokenizer beside it.
    model: PathBuf,
    /// The text, or the texts.
    ///
    /// Without TEXT and --file, standard input is read. If its first line is a JSON object, every line has
    /// to be one, with the fields named above. Otherwise each line is a text, or several texts separated by
    /// tabs.
    text: Vec<String>,
    /// Read this file instead of standard input.
    #[arg(long, value_name = "F", conflicts_with = "text")]
    file: Option<PathBuf>,
    /// Tokens of a sequence at most, special tokens included; by default the tokenizer's limit.
    ///
    /// A longer text is cut, and a warning says so; with --json its entry has "truncated": true.
    #[arg(long, value_name = "N")]
    max_length: Option<usize>,
    /// Print one JSON document: a list of inputs with their answers or errors.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    ensemble: EnsembleArgs,
    #[command(flatten)]
    engine: EngineArgs,
}

/// Models that answer together, such as the folds of a cross-validation.
#[derive(clap::Args)]
#[command(next_help_heading = "Ensemble")]
struct EnsembleArgs {
    /// More models (folders or .onnx files); the answer is the average over all of them and the first one.
    #[arg(long, value_name = "DIR,DIR", value_delimiter = ',')]
    ensemble: Vec<PathBuf>,
    /// The weight of each model in the average, the first one included.
    #[arg(
        long,
        value_name = "W,W,W",
        value_delimiter = ',',
        requires = "ensemble"
    )]
    weights: Vec<f64>,
    /// What is averaged.
    #[arg(long, default_value = "logits", requires = "ensemble")]
    average: AverageArg,
}

#[derive(Clone, Copy, ValueEnum)]
enum AverageArg {
    /// The outputs as they are.
    Logits,
    /// The probabilities that the outputs stand for.
    Probabilities,
}

impl EnsembleArgs {
    fn ensemble(&self) -> Ensemble {
        let ensemble = Ensemble::of(&self.ensemble).average(match self.average {
            AverageArg::Logits => Average::Logits,
            AverageArg::Probabilities => Average::Probabilities,
        });
        match self.weights.is_empty() {
            true => ensemble,
            false => ensemble.weights(self.weights.iter().copied()),
        }
    }
}

/// How a task's inputs are read and its answers shown.
struct Manner<'m, T: Task> {
    /// Whether each argument is a question, or all of them are the parts of one.
    arguments: input::Arguments,
    /// The question that an input holds.
    question: &'m dyn Fn(&Value) -> Result<T::Input, String>,
    /// The table's columns after the text.
    columns: &'static [&'static str],
    /// The table's rows for an answer, in those columns.
    rows: fn(&T::Answer) -> Vec<Vec<String>>,
    /// The answer in the JSON document.
    json: fn(&T::Answer) -> Value,
}

/// Answers every input; what can't be answered is reported in its place and the rest goes on.
fn answer<T: Task>(args: &TaskArgs, options: T::Options, manner: &Manner<'_, T>) -> Result<()> {
    let choice = &args.engine.engine;
    let pipeline = Pipeline::<T>::builder()
        .engine(choice)
        .engine_options(args.engine.options())
        .options(options)
        .ensemble(args.ensemble.ensemble())
        .load(&args.model)?;
    announce(pipeline.session());
    for note in pipeline.notes() {
        note_line(format_args!("note: {note}"));
    }

    let items = input::items(&args.text, args.file.as_deref(), manner.arguments)?;
    let mut output = Output::new(args.json, manner.columns);
    let bar = ProgressBar::new_spinner();
    // What was read and not answered yet: the pipeline reads ahead, and never sees what is broken.
    let waiting: RefCell<VecDeque<(Item, Option<String>)>> = RefCell::default();
    let questions = items.filter_map(|item| {
        let question = item
            .value
            .as_ref()
            .map_err(Clone::clone)
            .and_then(manner.question);
        let (question, error) = match question {
            Ok(question) => (Some(question), None),
            Err(error) => (None, Some(error)),
        };
        waiting.borrow_mut().push_back((item, error));
        question
    });
    let length = pipeline.max_length(args.max_length);
    let mut answers = pipeline.stream(questions);
    while let Some(found) = answers.next() {
        let truncated = answers.truncated().then_some(length);
        while let Some((item, error)) = next(&waiting) {
            bar.inc(1);
            if let Some(error) = error {
                output.failed(&item, &error)?;
                continue;
            }
            match &found {
                Ok(found) => {
                    let answer = (manner.json)(found);
                    output.answered(&item, (manner.rows)(found), answer, truncated)?;
                }
                Err(error) => output.failed(&item, &error_chain(error))?,
            }
            break;
        }
        if is_unread() {
            break;
        }
    }
    while !is_unread()
        && let Some((item, error)) = next(&waiting)
    {
        output.failed(&item, &error.unwrap_or_default())?;
    }
    bar.finish_and_clear();
    match output.finish()? {
        (0, 0) => bail!("there is no text: give it as argument, by --file or on standard input"),
        (_, 0) => Ok(()),
        (answered, failed) => bail!("{failed} of {} inputs failed", answered + failed),
    }
}

fn next(waiting: &RefCell<VecDeque<(Item, Option<String>)>>) -> Option<(Item, Option<String>)> {
    waiting.borrow_mut().pop_front()
}
