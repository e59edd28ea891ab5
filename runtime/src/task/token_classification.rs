use std::collections::BTreeMap;
use std::sync::Arc;

use ndarray::{ArrayView2, Axis, Ix2};
use nezha_graphs::head_spec::{CrfTokens, OutputTask};
use nezha_graphs::{Head, setters};
use serde::{Deserialize, Serialize};

use super::own::Scores;
use super::scores::{argmax, softmax};
use super::viterbi::Viterbi;
use super::{Row, RowOutputs, Task, TaskError, TaskModel, Text};
use crate::Encoding;

/// Labels for the words of a text, for example the names in it: transformers'
/// `token-classification`.
#[derive(Debug)]
pub struct TokenClassification {
    model: Arc<TaskModel>,
    options: TokenClassificationOptions,
}

/// How words are labelled.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct TokenClassificationOptions {
    /// How tokens are joined.
    pub aggregation: Aggregation,
    /// Labels that are omitted; `O` by default.
    pub ignore_labels: Vec<String>,
    /// With a stride, a long text is read to its end, in sequences that share this many tokens;
    /// without one, it is truncated. A stride needs an aggregation, because a token must not be
    /// returned twice.
    pub stride: Option<usize>,
    /// Tokens of a sequence, at most; `None` for the tokenizer's limit.
    pub max_length: Option<usize>,
}

impl TokenClassificationOptions {
    setters! {
        aggregation: Aggregation,
        ignore_labels: impl Into<Vec<String>>,
        stride: impl Into<Option<usize>>,
        max_length: impl Into<Option<usize>>,
    }
}

impl Default for TokenClassificationOptions {
    fn default() -> Self {
        Self {
            aggregation: Aggregation::None,
            ignore_labels: vec!["O".to_owned()],
            stride: None,
            max_length: None,
        }
    }
}

/// How tokens are joined to entities.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Aggregation {
    /// Every token by itself, with its own label.
    #[default]
    None,
    /// Neighbours with the same label, apart from B- and I-, are an entity; a B- starts a new one.
    Simple,
    /// Like `Simple`, but all pieces of a word get the label of the first one. If a CRF decodes the
    /// labels, `Average` and `Max` do the same.
    First,
    /// Like `Simple`, but all pieces of a word get the label with the best mean score.
    Average,
    /// Like `Simple`, but all pieces of a word get the label of the piece with the highest score.
    Max,
}

/// A labelled span of a text.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Entity {
    /// The label; if tokens are joined, without its prefix up to the first hyphen, such as B- or
    /// I-.
    pub label: String,
    /// The label's probability; if tokens are joined, the mean.
    pub score: f32,
    /// The token's place in the sequence; `None` if tokens are joined.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub index: Option<usize>,
    /// The tokens as text, as transformers writes them: in lower case if the model has no capitals,
    /// and with `[UNK]` for a token that is not in the vocabulary.
    pub word: String,
    /// The text from its start to its end.
    pub text: String,
    /// Its start in the text, in characters.
    pub start: usize,
    /// Its end in the text, in characters.
    pub end: usize,
    /// The score of the whole path of labels, if a CRF decodes the labels of a sequence together.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path_score: Option<f32>,
}

/// A token or word with the scores of all labels.
struct Piece {
    word: String,
    scores: Vec<f32>,
    index: Option<usize>,
    start: usize,
    end: usize,
    continues_word: bool,
    decoded: Option<Decoded>,
}

/// What a CRF says about a token.
#[derive(Clone, Copy)]
struct Decoded {
    label: usize,
    path_score: f32,
}

impl Task for TokenClassification {
    type Input = Text;
    type Options = TokenClassificationOptions;
    type Part = Vec<Entity>;
    /// Entities in the order of the text; none if the text has no tokens.
    type Answer = Vec<Entity>;

    const NAME: &'static str = "token-classification";
    const HEADS: &'static [Head] = &[Head::TokenClassification];

    fn new(model: Arc<TaskModel>, options: TokenClassificationOptions) -> Result<Self, TaskError> {
        if options.stride.is_some() && options.aggregation == Aggregation::None {
            return Err(TaskError::Option {
                option: "stride",
                reason: "needs an aggregation other than none".to_owned(),
            });
        }
        Ok(Self { model, options })
    }

    fn encode(&self, input: &Text) -> Result<Vec<Row>, TaskError> {
        let length = self.model.max_length(self.options.max_length);
        let tokenizer = &self.model.tokenizer;
        if input.pair.is_some() {
            return Err(TaskError::Pair);
        }
        match self.options.stride {
            None => Ok(vec![self.model.encode(input, self.options.max_length)?]),
            Some(stride) => {
                let windows = tokenizer.windows(&input.text, None, length, stride)?;
                Ok(windows.into_iter().map(Row::from).collect())
            }
        }
    }

    fn decode(
        &self,
        input: &Text,
        row: &Row,
        outputs: &RowOutputs<'_>,
    ) -> Result<Vec<Entity>, TaskError> {
        let pieces = self.pieces(input, row, outputs)?;
        let characters: Vec<char> = input.text.chars().collect();
        let entities = match self.options.aggregation {
            Aggregation::None => self.label(pieces)?,
            Aggregation::Simple => self.group(self.label(pieces)?)?,
            Aggregation::First | Aggregation::Average | Aggregation::Max => {
                self.group(self.label(self.words(pieces)?)?)?
            }
        };
        let kept = |entity: &Entity| !self.options.ignore_labels.contains(&entity.label);
        let written = |entity: Entity| Entity {
            text: stretch(&characters, entity.start, entity.end),
            ..entity
        };
        let kept = entities.into_iter().filter(kept);
        Ok(kept.map(written).collect())
    }

    fn join(&self, _: &Text, parts: Vec<Vec<Entity>>) -> Vec<Entity> {
        let overlap = parts.len() > 1;
        let entities = parts.into_iter().flatten().collect();
        if overlap {
            longest_of_overlapping(entities)
        } else {
            entities
        }
    }
}

impl TokenClassification {
    fn scores(&self) -> Scores<'_> {
        Scores::of(&self.model, OutputTask::TokenClassification)
    }

    /// The tokens of the text, without special tokens.
    fn pieces(
        &self,
        input: &Text,
        row: &Row,
        outputs: &RowOutputs<'_>,
    ) -> Result<Vec<Piece>, TaskError> {
        let logits = self.scores().array::<Ix2>(outputs)?;
        let tokenizer = &self.model.tokenizer;
        let characters: Vec<char> = input.text.chars().collect();
        let mut pieces = Vec::new();
        for sequence in &row.sequences {
            let tokens = sequence
                .ids
                .iter()
                .zip(&sequence.offsets)
                .zip(&sequence.texts);
            let decoded = self.decoded(sequence, logits);
            for (index, ((id, offsets), text)) in tokens.enumerate().take(logits.nrows()) {
                if text.is_none() {
                    continue;
                }
                let (start, end) = *offsets;
                let written = stretch(&characters, start, end);
                let token = tokenizer.id_to_token(*id).unwrap_or_default();
                let unknown = *id == tokenizer.unknown_id();
                pieces.push(Piece {
                    // The test of transformers, which recognizes a piece such as "##x" by its
                    // length.
                    continues_word: !unknown && token.chars().count() != end - start,
                    word: if unknown { written } else { token },
                    scores: softmax(logits.index_axis(Axis(0), index)),
                    decoded: decoded.get(&index).copied(),
                    index: Some(index),
                    start,
                    end,
                });
            }
        }
        Ok(pieces)
    }

    /// The CRF's label and path score of each token; empty without a CRF.
    fn decoded(
        &self,
        sequence: &Encoding,
        logits: ArrayView2<'_, f32>,
    ) -> BTreeMap<usize, Decoded> {
        let crf = self.scores().crf();
        let Some((crf, scores)) = crf.and_then(|crf| Some((crf, crf.scores.as_ref()?))) else {
            return BTreeMap::new();
        };
        let is_of = |text: &Option<_>| crf.tokens == CrfTokens::All || text.is_some();
        let texts = sequence.texts.iter().enumerate().take(logits.nrows());
        let tokens: Vec<usize> = texts
            .filter(|(_, text)| is_of(text))
            .map(|(token, _)| token)
            .collect();
        let path = Viterbi::new(scores).decode(logits.select(Axis(0), &tokens).view());
        let labelled = tokens.into_iter().zip(path.labels).map(|(token, label)| {
            let path_score = path.score;
            (token, Decoded { label, path_score })
        });
        labelled.collect()
    }

    /// Joins the pieces of each word, with the scores that decide its label.
    fn words(&self, pieces: Vec<Piece>) -> Result<Vec<Piece>, TaskError> {
        let mut words: Vec<Vec<Piece>> = Vec::new();
        for piece in pieces {
            match words.last_mut() {
                Some(word) if piece.continues_word => word.push(piece),
                _ => words.push(vec![piece]),
            }
        }
        words.into_iter().map(|word| self.word(&word)).collect()
    }

    fn word(&self, pieces: &[Piece]) -> Result<Piece, TaskError> {
        let tokens = pieces.iter().map(|piece| piece.word.clone()).collect();
        let first = pieces.first().map_or(&[][..], |piece| &piece.scores);
        let decoded = pieces.first().and_then(|piece| piece.decoded);
        let scores = match self.options.aggregation {
            // A path has one label for each token, and no other scores that could decide a word's
            // label.
            _ if decoded.is_some() => first.to_vec(),
            Aggregation::Average => mean(pieces.iter().map(|piece| piece.scores.as_slice())),
            Aggregation::Max => surest(pieces).to_vec(),
            Aggregation::None | Aggregation::Simple | Aggregation::First => first.to_vec(),
        };
        Ok(Piece {
            word: self.model.tokenizer.join(tokens)?,
            scores,
            index: None,
            start: pieces.first().map_or(0, |piece| piece.start),
            end: pieces.last().map_or(0, |piece| piece.end),
            continues_word: false,
            decoded,
        })
    }

    /// Gives every piece its best label.
    fn label(&self, pieces: Vec<Piece>) -> Result<Vec<Entity>, TaskError> {
        let labels = self.scores();
        let label = |piece: Piece| {
            let (label, score) = match piece.decoded {
                Some(Decoded { label, .. }) => (label, piece.scores[label]),
                None => argmax(&piece.scores),
            };
            Ok(Entity {
                label: labels.label(label)?.to_owned(),
                score,
                index: piece.index,
                word: piece.word,
                text: String::new(),
                start: piece.start,
                end: piece.end,
                path_score: piece.decoded.map(|it| it.path_score),
            })
        };
        pieces.into_iter().map(label).collect()
    }

    /// Joins neighbours of one kind.
    fn group(&self, entities: Vec<Entity>) -> Result<Vec<Entity>, TaskError> {
        let mut groups: Vec<Vec<Entity>> = Vec::new();
        for entity in entities {
            let (starts, kind) = prefix_and_kind(&entity.label);
            let same = |last: &Entity| prefix_and_kind(&last.label).1 == kind;
            match groups.last_mut() {
                Some(group) if !starts && group.last().is_some_and(same) => group.push(entity),
                _ => groups.push(vec![entity]),
            }
        }
        groups
            .into_iter()
            .map(|group| self.entity(&group))
            .collect()
    }

    fn entity(&self, group: &[Entity]) -> Result<Entity, TaskError> {
        let words = group.iter().map(|it| it.word.clone()).collect();
        let sum: f32 = group.iter().map(|it| it.score).sum();
        // As in transformers, everything before the first hyphen is dropped, not only B and I.
        let label = group.first().map_or("", |it| {
            it.label
                .split_once('-')
                .map_or(it.label.as_str(), |(_, kind)| kind)
        });
        Ok(Entity {
            label: label.to_owned(),
            score: sum / group.len() as f32,
            index: None,
            word: self.model.tokenizer.join(words)?,
            text: String::new(),
            start: group.first().map_or(0, |it| it.start),
            end: group.last().map_or(0, |it| it.end),
            path_score: group.first().and_then(|it| it.path_score),
        })
    }
}

/// The characters from `start` to `end`.
fn stretch(characters: &[char], start: usize, end: usize) -> String {
    characters
        .get(start..end)
        .unwrap_or_default()
        .iter()
        .collect()
}

/// Whether the label starts an entity, and the entity's kind.
fn prefix_and_kind(label: &str) -> (bool, &str) {
    match (label.strip_prefix("B-"), label.strip_prefix("I-")) {
        (Some(kind), _) => (true, kind),
        (None, Some(kind)) => (false, kind),
        (None, None) => (false, label),
    }
}

fn mean<'a>(all: impl ExactSizeIterator<Item = &'a [f32]>) -> Vec<f32> {
    let count = all.len() as f32;
    let sum = all.fold(Vec::new(), |sum: Vec<f32>, scores| match sum.is_empty() {
        true => scores.to_vec(),
        false => sum.iter().zip(scores).map(|(a, b)| a + b).collect(),
    });
    sum.into_iter().map(|sum| sum / count).collect()
}

/// The scores of the piece whose best score is the highest; of equal ones, the first.
fn surest(pieces: &[Piece]) -> &[f32] {
    let mut surest: &[f32] = &[];
    for piece in pieces {
        if surest.is_empty() || argmax(&piece.scores).1 > argmax(surest).1 {
            surest = &piece.scores;
        }
    }
    surest
}

/// Two sequences may contain the same entity: of overlapping entities, keeps the longest, or among
/// equally long ones that with the highest score.
fn longest_of_overlapping(mut entities: Vec<Entity>) -> Vec<Entity> {
    entities.sort_by_key(|entity| entity.start);
    let mut kept: Vec<Entity> = Vec::new();
    for entity in entities {
        let rank = |it: &Entity| (it.end - it.start, it.score);
        match kept.last_mut() {
            Some(last) if (last.start..last.end).contains(&entity.start) => {
                if rank(&entity) > rank(last) {
                    *last = entity;
                }
            }
            _ => kept.push(entity),
        }
    }
    kept
}
