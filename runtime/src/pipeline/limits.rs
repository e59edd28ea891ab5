use nezha_graphs::setters;

use super::PipelineError;
use crate::task::Row;

/// What a pipeline takes at most, for texts that nobody vouches for; more is an error, and nothing is cut
/// off for it. Without limits the memory of a run grows with its inputs.
///
/// The tokens of a batch are bounded in any case: by [`Batching::tokens`](crate::Batching::tokens), or by
/// the longest sequence that the tokenizer or the task's options allow.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// UTF-8 bytes of a text.
    pub text_bytes: Option<usize>,
    /// Sequences that an input may become: its choices, or the windows that a long text is read in.
    pub sequences: Option<usize>,
    /// Inputs of one [`run`](crate::Pipeline::run); a [`stream`](crate::Pipeline::stream) has a window of
    /// them in memory, however many there are.
    pub inputs: Option<usize>,
}

impl Limits {
    setters! {
        text_bytes: impl Into<Option<usize>>,
        sequences: impl Into<Option<usize>>,
        inputs: impl Into<Option<usize>>,
    }

    /// The inputs, if they are not too many; no more than one of those is asked for.
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
