use std::sync::Arc;

use ndarray::{ArrayView2, Ix2, Ix3};
use nezha_graphs::head_spec::OutputTask;
use nezha_graphs::{Head, Role, setters};
use serde::{Deserialize, Serialize};

use super::own::Scores;
use super::scores::{argmax, softmax};
use super::{Row, RowOutputs, Task, TaskError, TaskModel, Text};
use crate::Encoding;

/// The label that a first or a last token has where nothing starts or ends.
const NOTHING: &str = "O";

/// Stretches of a text with a label each, which may lie in each other: what GlobalPointer finds, or starts and
/// ends of each label.
#[derive(Debug)]
pub struct SpanClassification {
    model: Arc<TaskModel>,
    options: SpanClassificationOptions,
}

/// How stretches are found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct SpanClassificationOptions {
    /// What a score has to be above; if `None`, what the spec of the head says, or 0.
    pub threshold: Option<f32>,
    /// Whether stretches may overlap; they may by default. Else the one of the best score stays.
    pub nested: bool,
    /// With a stride, a long text is read in sequences that share so many tokens, to its end; without
    /// one, it is cut.
    pub stride: Option<usize>,
    /// Tokens of a sequence at most; the tokenizer's limit if `None`.
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

/// A stretch of a text.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Span {
    /// Its label.
    pub label: String,
    /// The pair's score, or the probability of its first token times that of its last.
    pub score: f32,
    /// Where it starts in the text, in characters.
    pub start: usize,
    /// Where it ends in the text, in characters.
    pub end: usize,
    /// What the text has there.
    pub text: String,
}

/// A stretch of a sequence.
struct Found {
    label: usize,
    score: f32,
    /// The first token and the last.
    tokens: [usize; 2],
}

impl Task for SpanClassification {
    type Input = Text;
    type Options = SpanClassificationOptions;
    type Part = Vec<Span>;
    /// The stretches in the text's order, of those that start alike the longest first.
    type Answer = Vec<Span>;

    const NAME: &'static str = "span-classification";
    /// None of transformers': heads of users' own alone.
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

/// The tokens of the text in a sequence, of which there are scores.
fn tokens(sequence: &Encoding, scored: usize) -> impl Iterator<Item = usize> {
    let texts = sequence.texts.iter().enumerate().take(scored);
    texts
        .filter(|(_, text)| text.is_some())
        .map(|(token, _)| token)
}

/// Every pair of `[labels, tokens, tokens]` whose score is above the threshold.
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

/// Each start with the nearest end of its label, from `[tokens, labels]` each.
///
/// Where labels exclude each other, a token starts the one that is best, if any; else all whose score is
/// above the threshold.
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

/// Each stretch once, as two sequences may see one.
fn best_of_each(mut spans: Vec<Span>) -> Vec<Span> {
    let key = |it: &Span| (it.start, it.end, it.label.clone());
    spans.sort_by(|a, b| key(a).cmp(&key(b)).then(b.score.total_cmp(&a.score)));
    spans.dedup_by(|a, b| key(a) == key(b));
    spans
}

/// The stretches that overlap none of a better score.
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
