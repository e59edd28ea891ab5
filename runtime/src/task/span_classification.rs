use std::sync::Arc;

use ndarray::{ArrayView2, Ix2, Ix3};
use nezha_graphs::head_spec::OutputTask;
use nezha_graphs::{Head, Role, setters};
use serde::{Deserialize, Serialize};

use super::own::Scores;
use super::scores::{argmax, softmax};
use super::{Row, RowOutputs, Task, TaskError, TaskModel, Text};
use crate::Encoding;

/// The label of a first or last token at which no span starts or ends.
const NOTHING: &str = "O";

/// Labelled spans of a text, which may be nested: as GlobalPointer scores them, or from the start
/// and end scores of each label.
#[derive(Debug)]
pub struct SpanClassification {
    model: Arc<TaskModel>,
    options: SpanClassificationOptions,
}

/// How spans are found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct SpanClassificationOptions {
    /// The score that a span must exceed; `None` for the threshold in the spec of the head, or else
    /// 0.
    pub threshold: Option<f32>,
    /// Whether spans may overlap, which is the default; if not, those with the best scores are
    /// kept.
    pub nested: bool,
    /// With a stride, a long text is read to its end, in sequences that share this many tokens;
    /// without one, it is truncated.
    pub stride: Option<usize>,
    /// Tokens of a sequence, at most; `None` for the tokenizer's limit.
    pub max_length: Option<usize>,
}

impl SpanClassificationOptions {
    setters! {
        threshold: impl Into<Option<f32>>,
        nested: bool,
        stride: impl Into<Option<usize>>,
        max_length: impl Into<Option<usize>>,
    }
}

impl Default for SpanClassificationOptions {
    fn default() -> Self {
        Self {
            threshold: None,
            nested: true,
            stride: None,
            max_length: None,
        }
    }
}

/// A labelled span of a text.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Span {
    /// Its label.
    pub label: String,
    /// The score of the pair, or the probability of its first token times that of its last one.
    pub score: f32,
    /// Its start in the text, in characters.
    pub start: usize,
    /// Its end in the text, in characters.
    pub end: usize,
    /// The text of the span.
    pub text: String,
}

/// A span of a sequence.
struct Found {
    label: usize,
    score: f32,
    /// The first and the last token.
    tokens: [usize; 2],
}

impl Task for SpanClassification {
    type Input = Text;
    type Options = SpanClassificationOptions;
    type Part = Vec<Span>;
    /// The spans in the order of their starts; of those with the same start, the longest first.
    type Answer = Vec<Span>;

    const NAME: &'static str = "span-classification";
    /// No head of transformers: only heads of users' own.
    const HEADS: &'static [Head] = &[];

    fn new(model: Arc<TaskModel>, options: SpanClassificationOptions) -> Result<Self, TaskError> {
        Ok(Self { model, options })
    }

    fn encode(&self, input: &Text) -> Result<Vec<Row>, TaskError> {
        if input.pair.is_some() {
            return Err(TaskError::Pair);
        }
        match self.options.stride {
            None => Ok(vec![self.model.encode(input, self.options.max_length)?]),
            Some(stride) => {
                let length = self.model.max_length(self.options.max_length);
                let windows = self
                    .model
                    .tokenizer
                    .windows(&input.text, None, length, stride)?;
                Ok(windows.into_iter().map(Row::from).collect())
            }
        }
    }

    fn decode(
        &self,
        input: &Text,
        row: &Row,
        outputs: &RowOutputs<'_>,
    ) -> Result<Vec<Span>, TaskError> {
        let scores = Scores::of(&self.model, OutputTask::SpanClassification);
        let threshold = self.options.threshold.or(scores.threshold()).unwrap_or(0.0);
        let Some(sequence) = row.sequences.first() else {
            return Ok(Vec::new());
        };
        let found = match outputs.first_of(&[Role::StartLogits]) {
            None => pairs(sequence, scores.array::<Ix3>(outputs)?, threshold),
            Some(_) => {
                let sides = [Role::StartLogits, Role::EndLogits];
                let [start, end] = sides.map(|side| outputs.array::<Ix2>(side));
                let exclusive = scores.label(0)? == NOTHING;
                starts_and_ends(sequence, [start?, end?], exclusive, threshold)
            }
        };
        let characters: Vec<char> = input.text.chars().collect();
        let span = |found: Found| {
            let [first, last] = found.tokens.map(|token| sequence.offsets[token]);
            let (start, end) = (first.0, last.1);
            let text = characters.get(start..end).unwrap_or_default();
            Ok(Span {
                label: scores.label(found.label)?.to_owned(),
                score: found.score,
                start,
                end,
                text: text.iter().collect(),
            })
        };
        found.into_iter().map(span).collect()
    }

    fn join(&self, _: &Text, parts: Vec<Vec<Span>>) -> Vec<Span> {
        let mut spans = best_of_each(parts.into_iter().flatten().collect());
        if !self.options.nested {
            spans = without_overlaps(spans);
        }
        spans.sort_by(|a, b| (a.start, b.end, &a.label).cmp(&(b.start, a.end, &b.label)));
        spans
    }
}

/// The text's tokens in a sequence, as far as there are scores for them.
fn tokens(sequence: &Encoding, scored: usize) -> impl Iterator<Item = usize> {
    let texts = sequence.texts.iter().enumerate().take(scored);
    texts
        .filter(|(_, text)| text.is_some())
        .map(|(token, _)| token)
}

/// Every pair in `[labels, tokens, tokens]` whose score exceeds the threshold.
fn pairs(sequence: &Encoding, scores: ndarray::ArrayView3<'_, f32>, threshold: f32) -> Vec<Found> {
    let mut found = Vec::new();
    for (label, scores) in scores.outer_iter().enumerate() {
        for first in tokens(sequence, scores.nrows()) {
            let lasts = tokens(sequence, scores.ncols()).filter(|last| *last >= first);
            let above = lasts.filter(|last| scores[[first, *last]] > threshold);
            found.extend(above.map(|last| Found {
                label,
                score: scores[[first, last]],
                tokens: [first, last],
            }));
        }
    }
    found
}

/// Joins each start with the nearest end of the same label; starts and ends are `[tokens, labels]`.
///
/// If labels exclude each other, a token starts only its best label, or none; otherwise it starts
/// all labels whose scores exceed the threshold.
fn starts_and_ends(
    sequence: &Encoding,
    sides: [ArrayView2<'_, f32>; 2],
    exclusive: bool,
    threshold: f32,
) -> Vec<Found> {
    let [starts, ends] = sides;
    let marked = |side: ArrayView2<'_, f32>, token: usize, label: usize| {
        let row = side.row(token);
        if exclusive {
            let probabilities = softmax(row);
            let (best, probability) = argmax(&probabilities);
            return (best == label && label != 0).then_some(probability);
        }
        let probability = 1.0 / (1.0 + (-row[label]).exp());
        (row[label] > threshold).then_some(probability)
    };
    let mut found = Vec::new();
    for label in 0..starts.ncols() {
        for first in tokens(sequence, starts.nrows()) {
            let Some(start) = marked(starts, first, label) else {
                continue;
            };
            let mut lasts = tokens(sequence, ends.nrows()).filter(|last| *last >= first);
            let end = lasts.find_map(|last| Some((last, marked(ends, last, label)?)));
            found.extend(end.map(|(last, end)| Found {
                label,
                score: start * end,
                tokens: [first, last],
            }));
        }
    }
    found
}

/// Each span once: two sequences may contain the same one.
fn best_of_each(mut spans: Vec<Span>) -> Vec<Span> {
    let key = |it: &Span| (it.start, it.end, it.label.clone());
    spans.sort_by(|a, b| key(a).cmp(&key(b)).then(b.score.total_cmp(&a.score)));
    spans.dedup_by(|a, b| key(a) == key(b));
    spans
}

/// The spans that don't overlap one with a better score.
fn without_overlaps(mut spans: Vec<Span>) -> Vec<Span> {
    spans.sort_by(|a, b| b.score.total_cmp(&a.score));
    let mut kept: Vec<Span> = Vec::new();
    for span in spans {
        if kept
            .iter()
            .all(|it| it.end <= span.start || span.end <= it.start)
        {
            kept.push(span);
        }
    }
    kept
}
