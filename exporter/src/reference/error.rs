use crate::checkpoint::CheckpointError;

/// Why the reference can't compute an answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReferenceError {
    /// A weight can't be read.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// The checkpoint doesn't have a weight that the head needs.
    #[error(
        "weight '{name}' of shape {expected:?} is missing: the checkpoint was saved from another \
         head"
    )]
    MissingWeight {
        /// The weight's canonical name.
        name: String,
        /// The shape that the config implies.
        expected: Vec<usize>,
    },
    /// A weight has another shape than the config implies.
    #[error("weight '{name}' has shape {found:?}, the config implies {expected:?}")]
    WeightShape {
        /// The weight's canonical name.
        name: String,
        /// The shape that the config implies.
        expected: Vec<usize>,
        /// The shape that the checkpoint has.
        found: Vec<usize>,
    },
    /// Neither or both of two alternative inputs are given.
    #[error("exactly one of 'input_ids' and 'inputs_embeds' is needed, {found} given")]
    InputIdsOrEmbeds {
        /// "none is" or "both are".
        found: &'static str,
    },
    /// Both of two alternative masks are given.
    #[error("'attention_mask' and 'self_attention_mask' exclude each other, but both are given")]
    TwoMasks,
    /// An input is missing that another input needs.
    #[error("input '{name}' is missing: '{given}' is given and needs it")]
    MissingInput {
        /// The input that is missing.
        name: &'static str,
        /// The input that needs it.
        given: &'static str,
    },
    /// The head doesn't have this input.
    #[error("head {head} has no input '{name}'; its inputs are {known}")]
    UnknownInput {
        /// The name that was given.
        name: String,
        /// The head.
        head: nezha_graphs::Head,
        /// The names of the head's inputs.
        known: String,
    },
    /// An input has another element type.
    #[error("input '{name}' holds {found}, expected {expected}")]
    InputType {
        /// The input.
        name: String,
        /// The expected kind of number.
        expected: &'static str,
        /// The kind of number that was found.
        found: &'static str,
    },
    /// An input has another shape.
    #[error("input '{name}' has shape {found:?}, expected {expected}")]
    InputShape {
        /// The input.
        name: String,
        /// The shape it should have.
        expected: String,
        /// The shape it has.
        found: Vec<usize>,
    },
    /// An index is out of range.
    #[error("{name}{index:?} is {value}, expected 0 to {last}")]
    OutOfRange {
        /// The input.
        name: String,
        /// The position in the input.
        index: Vec<usize>,
        /// The number that was found.
        value: i64,
        /// The largest number that is accepted.
        last: usize,
    },
}
