use crate::SessionError;
#[cfg(feature = "pipelines")]
use crate::{PipelineError, TokenizerError};

/// Why a decoder doesn't step or doesn't generate.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DecoderError {
    /// The graph computes whole sequences: it has no cache.
    #[error("the graph has no past_key_values: export the decoder with the option 'kv_cache'")]
    NoCache,
    /// The graph doesn't score tokens.
    #[error(
        "the graph gives no logits of the vocabulary: export the masked-lm head of the decoder"
    )]
    NoLogits,
    /// A row of the step has only padding.
    #[error("row {row} has no token in this step: its mask is 0 everywhere")]
    NoToken {
        /// The sequence.
        row: usize,
    },
    /// The step has another batch size than the cache.
    #[error("the step has {found} rows, the cache has {expected}")]
    Batch {
        /// Sequences in the cache.
        expected: usize,
        /// Sequences in the step.
        found: usize,
    },
    /// There is no such sequence.
    #[error("there is no row {row}: the cache has {batch}")]
    Row {
        /// The row that was asked for.
        row: usize,
        /// Sequences in the cache.
        batch: usize,
    },
    /// A prompt has no tokens.
    #[error("prompt {index} is empty: expected at least one token")]
    EmptyPrompt {
        /// The prompt.
        index: usize,
    },
    /// An option of the generation is out of range.
    #[error("{option} is {found}, expected {expected}")]
    Option {
        /// The option's name.
        option: &'static str,
        /// The values that it can have.
        expected: &'static str,
        /// The value that was given.
        found: String,
    },
    /// The logits contain NaN or have no finite maximum.
    #[error("the logits of row {row} have no finite maximum: the model's weights are damaged")]
    NotANumber {
        /// The sequence.
        row: usize,
    },
    /// A dialogue was given to a model that can't tell whose turn a token belongs to.
    #[cfg(feature = "pipelines")]
    #[error(
        "a dialogue needs two token types, one for each speaker: the model has only one, or its graph \
         has no input for them"
    )]
    OneTokenType,
    /// Text was given to a model without a tokenizer.
    #[cfg(feature = "pipelines")]
    #[error("there is neither tokenizer.json nor vocab.txt beside the model: give token ids")]
    NoTokenizer,
    /// The text can't be tokenized.
    #[cfg(feature = "pipelines")]
    #[error(transparent)]
    Tokenizer(#[from] TokenizerError),
    /// The model can't be found or loaded.
    #[cfg(feature = "pipelines")]
    #[error(transparent)]
    Pipeline(#[from] PipelineError),
    /// The graph doesn't fit the inputs, or the engine fails.
    #[error(transparent)]
    Session(#[from] SessionError),
}
