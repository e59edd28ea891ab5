use std::sync::Arc;

use nezha_graphs::Head;
use serde::Serialize;

use super::next_sentence::follows;
use super::{Fill, FillMask, FillMaskOptions, Row, RowOutputs, Task, TaskError, TaskModel, Text};

/// Both answers of a pretrained model in one run: fills for the gaps, and whether the second text
/// follows the first.
#[derive(Debug)]
pub struct Pretraining {
    model: Arc<TaskModel>,
    options: FillMaskOptions,
    fill_mask: FillMask,
}

/// The answer of a pretrained model.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Pretrained {
    /// For each gap, in order, its fills, the best first; empty if there is no gap.
    pub fills: Vec<Vec<Fill>>,
    /// The probability that the second text follows the first; `None` if there is only one text.
    pub is_next: Option<f32>,
}

impl Task for Pretraining {
    type Input = Text;
    type Options = FillMaskOptions;
    type Part = Pretrained;
    type Answer = Pretrained;

    const NAME: &'static str = "pretraining";
    const HEADS: &'static [Head] = &[Head::Pretraining];

    fn new(model: Arc<TaskModel>, options: FillMaskOptions) -> Result<Self, TaskError> {
        Ok(Self {
            fill_mask: FillMask::new(model.clone(), options.clone())?,
            model,
            options,
        })
    }

    fn encode(&self, input: &Text) -> Result<Vec<Row>, TaskError> {
        Ok(vec![self.model.encode(input, self.options.max_length)?])
    }

    fn decode(
        &self,
        input: &Text,
        row: &Row,
        outputs: &RowOutputs<'_>,
    ) -> Result<Pretrained, TaskError> {
        let follows = follows(outputs)?;
        Ok(Pretrained {
            fills: self.fill_mask.decode(input, row, outputs)?,
            is_next: input.pair.as_ref().map(|_| follows.is_next),
        })
    }

    fn join(&self, _: &Text, parts: Vec<Pretrained>) -> Pretrained {
        let is_next = parts.iter().find_map(|part| part.is_next);
        Pretrained {
            fills: parts.into_iter().flat_map(|part| part.fills).collect(),
            is_next,
        }
    }
}
