use nezha_graphs::setters;

use super::PipelineError;
use crate::task::Row;

/// Limits for the inputs of a pipeline, for texts from untrusted sources. An input above a limit is
/// an error; it isn't truncated. Without limits, the memory of a run grows with its inputs.
///
/// The tokens of a batch are always bounded: by [`Batching::tokens`](crate::Batching::tokens), or
/// by the longest sequence that the tokenizer or the task's options allow.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// UTF-8 bytes of a text.
    pub text_bytes: Option<usize>,
    /// Sequences that an input may become: its choices, or the windows of a long text.
    pub sequences: Option<usize>,
    /// Inputs of one [`run`](crate::Pipeline::run). A [`stream`](crate::Pipeline::stream) isn't
    /// limited: it keeps only a window of its inputs in memory.
    pub inputs: Option<usize>,
}

impl Limits {
    setters! {
        text_bytes: impl Into<Option<usize>>,
        sequences: impl Into<Option<usize>>,
        inputs: impl Into<Option<usize>>,
    }

    /// Returns the inputs if they are not too many; takes at most one input beyond the limit.
    pub(super) fn checked<I>(
        &self,
        inputs: impl IntoIterator<Item = I>,
    ) -> Result<Vec<I>, PipelineError> {
        let limit = self.inputs.unwrap_or(usize::MAX);
        let inputs: Vec<I> = inputs.into_iter().take(limit.saturating_add(1)).collect();
        match inputs.len() > limit {
            true => Err(PipelineError::TooManyInputs { limit }),
            false => Ok(inputs),
        }
    }

    /// Refuses an input that became too many sequences.
    pub(super) fn check(&self, rows: &[Row]) -> Result<(), PipelineError> {
        let found = rows.iter().map(|it| it.sequences.len()).sum();
        match self.sequences {
            Some(limit) if found > limit => Err(PipelineError::TooManySequences { found, limit }),
            _ => Ok(()),
        }
    }
}
