use std::sync::Arc;

use ndarray::{Axis, Ix2};
use nezha_graphs::{Head, Role, setters};
use serde::{Deserialize, Serialize};

use super::scores::{argmax, softmax};
use super::{Row, RowOutputs, Task, TaskError, TaskModel, Words};

/// A label for each word of a text that is already split into words, as for transformers' models
/// with `is_split_into_words`. The label of a word is that of its first token.
#[derive(Debug)]
pub struct WordClassification {
    model: Arc<TaskModel>,
    options: WordClassificationOptions,
}

/// How words are labelled.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct WordClassificationOptions {
    /// With a stride, a long text is read to its end, in sequences that share this many tokens;
    /// without one, it is truncated. If a word is in two sequences, its label comes from the one in
    /// which it is farther from an end.
    pub stride: Option<usize>,
    /// Tokens of a sequence, at most; `None` for the tokenizer's limit.
    pub max_length: Option<usize>,
}

impl WordClassificationOptions {
    setters! {
        stride: impl Into<Option<usize>>,
        max_length: impl Into<Option<usize>>,
    }
}

/// A word and its label.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LabelledWord {
    /// The word, as it was given.
    pub word: String,
    /// Its label; `None` if the model saw no token of the word: the tokenizer drops blanks, control
    /// characters and U+FFFD, and a text that is too long is truncated.
    pub label: Option<String>,
    /// The label's probability.
    pub score: Option<f32>,
    /// Its start in characters, as [`Words::place`] counts them.
    pub start: usize,
    /// Its end, in characters.
    pub end: usize,
}

/// The label of a word's first token in one sequence.
#[derive(Clone, Debug)]
pub struct WordLabel {
    word: usize,
    /// Where the token starts in the word, in characters.
    start: usize,
    /// Tokens between it and the nearer end of the sequence.
    context: usize,
    label: String,
    score: f32,
}

impl Task for WordClassification {
    type Input = Words;
    type Options = WordClassificationOptions;
    type Part = Vec<WordLabel>;
    /// All words, in their order.
    type Answer = Vec<LabelledWord>;

    const NAME: &'static str = "token-classification";
    const HEADS: &'static [Head] = &[Head::TokenClassification];

    fn new(model: Arc<TaskModel>, options: WordClassificationOptions) -> Result<Self, TaskError> {
        Ok(Self { model, options })
    }

    fn encode(&self, input: &Words) -> Result<Vec<Row>, TaskError> {
        let length = self.model.max_length(self.options.max_length);
        let (tokenizer, words) = (&self.model.tokenizer, input.texts());
        match self.options.stride {
            None => Ok(vec![tokenizer.encode_words(words, length)?.into()]),
            Some(stride) => {
                let windows = tokenizer.windows_of_words(words, length, stride)?;
                Ok(windows.into_iter().map(Row::from).collect())
            }
        }
    }

    fn decode(
        &self,
        _: &Words,
        row: &Row,
        outputs: &RowOutputs<'_>,
    ) -> Result<Vec<WordLabel>, TaskError> {
        let logits = outputs.array::<Ix2>(Role::Logits)?;
        let mut labels: Vec<WordLabel> = Vec::new();
        for sequence in &row.sequences {
            let tokens = sequence.words.iter().zip(&sequence.offsets);
            for (index, (word, offsets)) in tokens.enumerate().take(logits.nrows()) {
                let Some(word) = word.map(|it| it as usize) else {
                    continue;
                };
                if labels.last().is_some_and(|last| last.word == word) {
                    continue;
                }
                let scores = softmax(logits.index_axis(Axis(0), index));
                let (label, score) = argmax(&scores);
                labels.push(WordLabel {
                    word,
                    start: offsets.0,
                    context: index.min(sequence.len() - 1 - index),
                    label: self.model.label(label)?.to_owned(),
                    score,
                });
            }
        }
        Ok(labels)
    }

    fn join(&self, input: &Words, parts: Vec<Vec<WordLabel>>) -> Vec<LabelledWord> {
        let mut found: Vec<Option<WordLabel>> = vec![None; input.texts().len()];
        for label in parts.into_iter().flatten() {
            let Some(known) = found.get_mut(label.word) else {
                continue;
            };
            // A later sequence may begin within a word, and then lacks its first token.
            let is_better = known
                .as_ref()
                .is_none_or(|it| it.start == label.start && it.context < label.context);
            if is_better {
                *known = Some(label);
            }
        }
        let words = input.texts().iter().zip(found).enumerate();
        words
            .map(|(number, (word, found))| {
                let (start, end) = input.place(number).unwrap_or_default();
                let (label, score) = found.map(|it| (it.label, it.score)).unzip();
                LabelledWord {
                    word: word.clone(),
                    label,
                    score,
                    start,
                    end,
                }
            })
            .collect()
    }
}
