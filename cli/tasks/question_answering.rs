//! `nezha question-answering`: the stretch of a text that answers a question.

use anyhow::Result;
use nezha_runtime::task::{Answer, Question, QuestionAnswering, QuestionAnsweringOptions};
use serde_json::json;

use super::input::{Arguments, strings};
use super::output::score;
use super::{Manner, TaskArgs, answer};

/// Answer questions from a context: two texts, the question and the context.
///
/// JSON fields: question, context.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    task: TaskArgs,
    /// Answers at most, the best first.
    #[arg(long, value_name = "N", default_value_t = 1)]
    top_k: usize,
    /// Tokens of an answer at most.
    #[arg(long, value_name = "N", default_value_t = 15)]
    max_answer_len: usize,
    /// Tokens by which the sequences of a long context overlap.
    #[arg(long, value_name = "N")]
    doc_stride: Option<usize>,
    /// Let "no answer" compete, as an empty answer.
    #[arg(long)]
    handle_impossible_answer: bool,
}

/// Answers and prints.
pub(super) fn run(args: Args) -> Result<()> {
    let options = QuestionAnsweringOptions::default()
        .top_k(args.top_k)
        .max_answer_len(args.max_answer_len)
        .handle_impossible_answer(args.handle_impossible_answer)
        .doc_stride(args.doc_stride)
        .max_length(args.task.max_length);
    let manner = Manner::<QuestionAnswering> {
        arguments: Arguments::Together,
        question: &|value| {
            let parts = strings(value, ["question", "context"]);
            parts.map(|[question, context]| Question { question, context })
        },
        columns: &["answer", "score", "start", "end"],
        rows: |answers| {
            let row = |it: &Answer| {
                let (start, end) = (it.start.to_string(), it.end.to_string());
                vec![it.answer.clone(), score(it.score), start, end]
            };
            answers.iter().map(row).collect()
        },
        json: |answers| json!(answers),
    };
    answer(&args.task, options, &manner)
}
