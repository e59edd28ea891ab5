use std::sync::Arc;

use ndarray::{ArrayView1, Ix1, IxDyn};
use nezha_graphs::head_spec::OutputTask;
use nezha_graphs::{Head, Role, setters};
use serde::{Deserialize, Serialize};

use super::scores::softmax;
use super::{Row, RowOutputs, Task, TaskError, TaskModel};
use crate::Encoding;

/// Replaces the logit of a token that can't be part of an answer, as in transformers.
const EXCLUDED: f32 = -10_000.0;
/// transformers' defaults for this task: the longest sequence, and the tokens that two neighbours
/// share.
const DEFAULT_MAX_LENGTH: usize = 384;
const DEFAULT_STRIDE: usize = 128;

/// The span of a text that answers a question: transformers' `question-answering`.
#[derive(Debug)]
pub struct QuestionAnswering {
    model: Arc<TaskModel>,
    options: QuestionAnsweringOptions,
    max_length: usize,
    stride: usize,
}

/// How answers are searched for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct QuestionAnsweringOptions {
    /// Answers, at most, the best first; 1 by default.
    pub top_k: usize,
    /// Tokens of an answer, at most; 15 by default.
    pub max_answer_len: usize,
    /// Whether "no answer" competes, as an empty answer. It doesn't by default, but it always does
    /// if a head of your own scores whether there is an answer.
    pub handle_impossible_answer: bool,
    /// Whether answers start and end at word boundaries; they do by default.
    pub align_to_words: bool,
    /// Tokens that the neighbouring sequences of a long context share; by default 128, or half of a
    /// sequence if that is less.
    pub doc_stride: Option<usize>,
    /// Tokens of a sequence, at most, including the question; by default 384, or the tokenizer's
    /// limit if that is less.
    pub max_length: Option<usize>,
}

impl QuestionAnsweringOptions {
    setters! {
        top_k: usize,
        max_answer_len: usize,
        handle_impossible_answer: bool,
        align_to_words: bool,
        doc_stride: impl Into<Option<usize>>,
        max_length: impl Into<Option<usize>>,
    }
}

impl Default for QuestionAnsweringOptions {
    fn default() -> Self {
        Self {
            top_k: 1,
            max_answer_len: 15,
            handle_impossible_answer: false,
            align_to_words: true,
            doc_stride: None,
            max_length: None,
        }
    }
}

/// A question about a context.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Question {
    /// The question.
    pub question: String,
    /// The text that contains the answer.
    pub context: String,
}

impl<Q: Into<String>, C: Into<String>> From<(Q, C)> for Question {
    fn from((question, context): (Q, C)) -> Self {
        Self {
            question: question.into(),
            context: context.into(),
        }
    }
}

/// A span of the context.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Answer {
    /// The probability of its first token times that of its last one.
    pub score: f32,
    /// Its start in the context, in characters.
    pub start: usize,
    /// Its end in the context, in characters.
    pub end: usize,
    /// The text of the span; empty for "no answer".
    pub answer: String,
}

/// The answers that one sequence contains.
#[derive(Debug)]
pub struct SequenceAnswers {
    /// First token, last token and score.
    spans: Vec<(usize, usize, f32)>,
    offsets: Vec<(usize, usize)>,
    no_answer: f32,
    /// Whether the model itself scores whether there is an answer.
    says_so: bool,
}

impl Task for QuestionAnswering {
    type Input = Question;
    type Options = QuestionAnsweringOptions;
    type Part = SequenceAnswers;
    /// The best answers, best first.
    type Answer = Vec<Answer>;

    const NAME: &'static str = "question-answering";
    const HEADS: &'static [Head] = &[Head::QuestionAnswering];

    fn new(model: Arc<TaskModel>, options: QuestionAnsweringOptions) -> Result<Self, TaskError> {
        for (option, value) in [
            ("top_k", options.top_k),
            ("max_answer_len", options.max_answer_len),
        ] {
            if value == 0 {
                return Err(TaskError::Option {
                    option,
                    reason: "must be at least 1".to_owned(),
                });
            }
        }
        let longest = model.tokenizer.max_length().min(DEFAULT_MAX_LENGTH);
        let max_length = model.max_length(options.max_length.or(Some(longest)));
        let stride = options
            .doc_stride
            .unwrap_or((max_length / 2).min(DEFAULT_STRIDE));
        Ok(Self {
            model,
            options,
            max_length,
            stride,
        })
    }

    fn encode(&self, input: &Question) -> Result<Vec<Row>, TaskError> {
        let (question, context) = (&input.question, &input.context);
        // As in transformers: a question or context of only blanks is accepted, an empty one isn't.
        for (what, text) in [("question", question), ("context", context)] {
            if text.is_empty() {
                return Err(TaskError::Empty { what });
            }
        }
        let tokenizer = &self.model.tokenizer;
        let windows = tokenizer.windows(question, Some(context), self.max_length, self.stride)?;
        Ok(windows.into_iter().map(Row::from).collect())
    }

    fn decode(
        &self,
        _: &Question,
        row: &Row,
        outputs: &RowOutputs<'_>,
    ) -> Result<SequenceAnswers, TaskError> {
        let start = outputs.array::<Ix1>(Role::StartLogits)?;
        let end = outputs.array::<Ix1>(Role::EndLogits)?;
        let Some(sequence) = row.sequences.first() else {
            return Err(TaskError::Empty { what: "context" });
        };
        let start = self.probabilities(sequence, start);
        let end = self.probabilities(sequence, end);
        let first = |scores: &[f32]| scores.first().copied().unwrap_or(0.0);
        let answerable = self.answerable(outputs)?;
        let no_answer = match answerable {
            Some(answerable) => 1.0 - answerable,
            None => first(&start) * first(&end),
        };
        let mut spans = self.spans(sequence, &start, &end);
        for (_, _, score) in &mut spans {
            *score *= answerable.unwrap_or(1.0);
        }
        let offsets = spans
            .iter()
            .map(|(from, to, _)| self.offsets(sequence, *from, *to));
        Ok(SequenceAnswers {
            offsets: offsets.collect(),
            spans,
            no_answer,
            says_so: answerable.is_some(),
        })
    }

    fn join(&self, input: &Question, parts: Vec<SequenceAnswers>) -> Vec<Answer> {
        let characters: Vec<char> = input.context.chars().collect();
        let no_answer = parts
            .iter()
            .map(|part| part.no_answer)
            .fold(f32::INFINITY, f32::min);
        let spans = parts
            .iter()
            .flat_map(|part| part.spans.iter().zip(&part.offsets));
        let answer =
            |((_, _, score), (start, end)): (&(usize, usize, f32), &(usize, usize))| Answer {
                score: *score,
                start: *start,
                end: *end,
                answer: characters
                    .get(*start..*end)
                    .unwrap_or_default()
                    .iter()
                    .collect(),
            };
        let mut answers: Vec<Answer> = spans.map(answer).collect();
        let says_so = parts.iter().any(|part| part.says_so);
        if self.options.handle_impossible_answer || says_so {
            answers.push(Answer {
                score: no_answer,
                start: 0,
                end: 0,
                answer: String::new(),
            });
        }
        answers.sort_by(|a, b| b.score.total_cmp(&a.score));
        answers.truncate(self.options.top_k);
        answers
    }
}

impl QuestionAnswering {
    /// The probability that there is an answer, if a head of the user's own scores it.
    fn answerable(&self, outputs: &RowOutputs<'_>) -> Result<Option<f32>, TaskError> {
        let Head::Own(own) = self.model.head else {
            return Ok(None);
        };
        let mut of_task = own.outputs_of(OutputTask::QuestionAnswering);
        if !of_task.any(|it| it.name == OutputTask::ANSWERABLE) {
            return Ok(None);
        }
        let logits = outputs.named::<IxDyn>(OutputTask::ANSWERABLE)?;
        let logits: Vec<f32> = logits.iter().copied().collect();
        Ok(match logits.as_slice() {
            [yes] => Some(1.0 / (1.0 + (-yes).exp())),
            several => softmax(several).get(1).copied(),
        })
    }

    /// Softmax over the context's tokens and the first token, which stands for "no answer".
    fn probabilities(&self, sequence: &Encoding, logits: ArrayView1<'_, f32>) -> Vec<f32> {
        let class = self.model.tokenizer.class_id();
        let tokens = sequence.texts.iter().zip(&sequence.ids).zip(logits);
        let logits = tokens.map(
            |((text, id), logit)| match *text == Some(1) || *id == class {
                true => *logit,
                false => EXCLUDED,
            },
        );
        softmax(&logits.collect::<Vec<_>>())
    }

    /// The best spans of the context in a sequence, the best first.
    ///
    /// If the context has no tokens, the only span is the first token with score 0, as in
    /// transformers.
    fn spans(&self, sequence: &Encoding, start: &[f32], end: &[f32]) -> Vec<(usize, usize, f32)> {
        if !sequence.texts.contains(&Some(1)) {
            return vec![(0, 0, 0.0)];
        }
        let in_context = |at: &usize| sequence.texts.get(*at) == Some(&Some(1));
        let mut spans: Vec<(usize, usize, f32)> = Vec::new();
        for (from, start) in start.iter().enumerate().filter(|(at, _)| in_context(at)) {
            let ends = end
                .iter()
                .enumerate()
                .skip(from)
                .take(self.options.max_answer_len);
            let ends = ends.filter(|(at, _)| in_context(at));
            spans.extend(ends.map(|(to, end)| (from, to, start * end)));
        }
        spans.sort_by(|a, b| b.2.total_cmp(&a.2));
        spans.truncate(self.options.top_k);
        spans
    }

    /// Start and end of a span in the context, in characters.
    fn offsets(&self, sequence: &Encoding, from: usize, to: usize) -> (usize, usize) {
        let token = |at: usize| sequence.offsets.get(at).copied().unwrap_or_default();
        let word = |at: usize| {
            let word = sequence.words.get(at).copied().flatten();
            word.filter(|_| self.options.align_to_words)
                .and_then(|word| sequence.word_offsets(word, 1))
                .unwrap_or_else(|| token(at))
        };
        (word(from).0, word(to).1)
    }
}
