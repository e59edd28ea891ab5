use crate::checkpoint::CheckpointError;

/// Why the reference has no answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReferenceError {
    /// A weight could not be read.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// The head needs a weight that the checkpoint does not have.
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
    /// A weight of another shape than the config implies.
    #[error("weight '{name}' has shape {found:?}, the config implies {expected:?}")]
    WeightShape {
        /// The weight's canonical name.
        name: String,
        /// The shape that the config implies.
        expected: Vec<usize>,
        /// The shape that the checkpoint has.
        found: Vec<usize>,
    },
    /// Neither or both of the inputs that stand for each other.
    #[error("exactly one of 'input_ids' and 'inputs_embeds' is needed, {found} given")]
    InputIdsOrEmbeds {
        /// "none is" or "both are".
        found: &'static str,
    },
    /// Both of the masks that stand for each other.
    #[error("'attention_mask' and 'self_attention_mask' exclude each other, but both are given")]
    TwoMasks,
    /// An input without which another one means nothing.
    #[error("input '{name}' is missing: '{given}' is given and needs it")]
    MissingInput {
        /// The input that is missing.
        name: &'static str,
        /// The input that needs it.
        given: &'static str,
    },
    /// An input that this head does not read.
    #[error("head {head} has no input '{name}'; its inputs are {known}")]
    UnknownInput {
        /// The name that was given.
        name: String,
        /// The head.
        head: nezha_graphs::Head,
        /// The names it reads.
        known: String,
    },
    /// An input of another element type.
    #[error("input '{name}' holds {found}, expected {expected}")]
    InputType {
        /// The input.
        name: String,
        /// The kind of number it should hold.
        expected: &'static str,
        /// The kind of number it holds.
        found: &'static str,
    },
    /// An input of another shape.
    #[error("input '{name}' has shape {found:?}, expected {expected}")]
    InputShape {
        /// The input.
        name: String,
        /// The shape it should have.
        expected: String,
        /// The shape it has.
        found: Vec<usize>,
    },
    /// A number that indexes nothing.
    #[error("{name}{index:?} is {value}, expected 0 to {last}")]
    OutOfRange {
        /// The input.
        name: String,
        /// Where in the input.
        index: Vec<usize>,
        /// The number that was found.
        value: i64,
        /// The largest number that is accepted.
        last: usize,
    },
}
