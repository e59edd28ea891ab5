use std::collections::BTreeSet;
use std::sync::Arc;

use ndarray::{ArrayView1, Axis, Ix2};
use nezha_graphs::{Head, Role, setters};
use serde::{Deserialize, Serialize};

use super::scores::{best, softmax};
use super::{Row, RowOutputs, Task, TaskError, TaskModel, Text};

/// The words that fit the gaps of a text: transformers' `fill-mask`.
#[derive(Debug)]
pub struct FillMask {
    model: Arc<TaskModel>,
    options: FillMaskOptions,
    mask: u32,
    targets: Option<Vec<u32>>,
}

/// How gaps are filled.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct FillMaskOptions {
    /// Fills for each gap, at most; 5 by default.
    pub top_k: usize,
    /// Words to choose from; if empty, all tokens.
    ///
    /// A word that is not in the vocabulary stands for its first token, as in transformers.
    pub targets: Vec<String>,
    /// Tokens of a sequence, at most; `None` for the tokenizer's limit.
    pub max_length: Option<usize>,
}

impl FillMaskOptions {
    setters! {
        top_k: usize,
        targets: impl Into<Vec<String>>,
        max_length: impl Into<Option<usize>>,
    }
}

impl Default for FillMaskOptions {
    fn default() -> Self {
        Self {
            top_k: 5,
            targets: Vec::new(),
            max_length: None,
        }
    }
}

/// A token in a gap.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Fill {
    /// Its probability among all tokens.
    pub score: f32,
    /// The token's id.
    pub token: u32,
    /// The token as text.
    pub token_str: String,
    /// The text with the token in this gap; other gaps stay open.
    pub sequence: String,
}

impl Task for FillMask {
    type Input = Text;
    type Options = FillMaskOptions;
    type Part = Vec<Vec<Fill>>;
    /// For each gap of the text, in order, its fills, the best first.
    type Answer = Vec<Vec<Fill>>;

    const NAME: &'static str = "fill-mask";
    const HEADS: &'static [Head] = &[Head::MaskedLm, Head::Pretraining];

    fn new(model: Arc<TaskModel>, options: FillMaskOptions) -> Result<Self, TaskError> {
        Ok(Self {
            mask: model.tokenizer.mask_id().ok_or(TaskError::NoMaskToken)?,
            targets: target_ids(&model, &options.targets)?,
            model,
            options,
        })
    }

    fn encode(&self, input: &Text) -> Result<Vec<Row>, TaskError> {
        let row = self.model.encode(input, self.options.max_length)?;
        if !row.sequences.iter().any(|it| it.ids.contains(&self.mask)) {
            return Err(TaskError::NoMask {
                mask: self
                    .model
                    .tokenizer
                    .id_to_token(self.mask)
                    .unwrap_or_default(),
                max_length: self.model.max_length(self.options.max_length),
            });
        }
        Ok(vec![row])
    }

    fn decode(
        &self,
        _: &Text,
        row: &Row,
        outputs: &RowOutputs<'_>,
    ) -> Result<Vec<Vec<Fill>>, TaskError> {
        let scores = [Role::PredictionLogits, Role::Logits];
        let role = outputs.first_of(&scores).unwrap_or(Role::Logits);
        let logits = outputs.array::<Ix2>(role)?;
        let ids = row
            .sequences
            .first()
            .map_or(&[][..], |sequence| &sequence.ids);
        let gaps: Vec<usize> = positions(ids, self.mask).collect();
        let alone = gaps.len() == 1;
        let fill = |(position, logits)| self.fill(ids, position, alone, logits);
        let rows = gaps.iter().zip(0..logits.nrows());
        rows.map(|(position, _)| fill((*position, logits.index_axis(Axis(0), *position))))
            .collect()
    }

    fn join(&self, _: &Text, parts: Vec<Vec<Vec<Fill>>>) -> Vec<Vec<Fill>> {
        parts.into_iter().flatten().collect()
    }
}

impl FillMask {
    /// The best tokens for the gap at `position`.
    fn fill(
        &self,
        ids: &[u32],
        position: usize,
        alone: bool,
        logits: ArrayView1<'_, f32>,
    ) -> Result<Vec<Fill>, TaskError> {
        let probabilities = softmax(logits);
        let chosen = match &self.targets {
            None => best(&probabilities, self.options.top_k),
            Some(targets) => {
                let of = |id: &u32| probabilities.get(*id as usize).copied().unwrap_or(0.0);
                let scores: Vec<f32> = targets.iter().map(of).collect();
                let chosen = best(&scores, self.options.top_k).into_iter();
                chosen
                    .map(|(at, score)| (targets[at] as usize, score))
                    .collect()
            }
        };
        let tokenizer = &self.model.tokenizer;
        let filled = |(id, score): (usize, f32)| {
            let token = id as u32;
            let keep = |id: &u32| *id != tokenizer.padding_id();
            let in_place = |(at, id): (usize, &u32)| if at == position { token } else { *id };
            let tokens = ids.iter().enumerate().map(in_place).filter(keep);
            Ok(Fill {
                score,
                token,
                token_str: tokenizer.decode(&[token], false)?,
                // Other gaps are special tokens too: they are kept, so that they can be seen.
                sequence: tokenizer.decode(&tokens.collect::<Vec<_>>(), alone)?,
            })
        };
        chosen.into_iter().map(filled).collect()
    }
}

fn positions(ids: &[u32], wanted: u32) -> impl Iterator<Item = usize> {
    let found = ids.iter().enumerate().filter(move |(_, id)| **id == wanted);
    found.map(|(position, _)| position)
}

fn target_ids(model: &TaskModel, targets: &[String]) -> Result<Option<Vec<u32>>, TaskError> {
    let id = |target: &String| match model.tokenizer.token_to_id(target) {
        Some(id) => Ok(id),
        None => {
            let ids = model.tokenizer.ids(target)?;
            ids.first().copied().ok_or_else(|| TaskError::Target {
                target: target.clone(),
            })
        }
    };
    let ids: BTreeSet<u32> = targets.iter().map(id).collect::<Result<_, _>>()?;
    Ok((!ids.is_empty()).then(|| ids.into_iter().collect()))
}
