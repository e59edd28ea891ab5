use std::fmt;

use crate::Head;

/// An option of a graph that changes what it takes or gives, for those who speak of one: a field of
/// [`GraphOptions`](crate::GraphOptions), whose name it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum GraphOption {
    /// [`GraphOptions::inputs_embeds`](crate::GraphOptions::inputs_embeds).
    InputsEmbeds,
    /// [`GraphOptions::head_mask`](crate::GraphOptions::head_mask).
    HeadMask,
    /// [`GraphOptions::loss`](crate::GraphOptions::loss).
    Loss,
    /// [`GraphOptions::problem_type`](crate::GraphOptions::problem_type).
    ProblemType,
    /// [`GraphOptions::kv_cache`](crate::GraphOptions::kv_cache).
    KvCache,
    /// [`GraphOptions::pooling`](crate::GraphOptions::pooling).
    Pooling,
    /// [`GraphOptions::normalize`](crate::GraphOptions::normalize).
    Normalize,
    /// [`GraphOptions::probabilities`](crate::GraphOptions::probabilities).
    Probabilities,
    /// [`GraphOptions::mask_positions`](crate::GraphOptions::mask_positions).
    MaskPositions,
    /// [`GraphOptions::top_k`](crate::GraphOptions::top_k).
    TopK,
    /// [`GraphOptions::fixed_axes`](crate::GraphOptions::fixed_axes).
    FixedAxes,
    /// [`GraphOptions::rename`](crate::GraphOptions::rename).
    Rename,
    /// [`GraphOptions::int32_inputs`](crate::GraphOptions::int32_inputs).
    Int32Inputs,
    /// [`GraphOptions::mask`](crate::GraphOptions::mask).
    Mask,
    /// [`GraphOptions::token_types`](crate::GraphOptions::token_types).
    TokenTypes,
}

impl GraphOption {
    /// The name of its field.
    pub fn name(self) -> &'static str {
        match self {
            GraphOption::InputsEmbeds => "inputs_embeds",
            GraphOption::HeadMask => "head_mask",
            GraphOption::Loss => "loss",
            GraphOption::ProblemType => "problem_type",
            GraphOption::KvCache => "kv_cache",
            GraphOption::Pooling => "pooling",
            GraphOption::Normalize => "normalize",
            GraphOption::Probabilities => "probabilities",
            GraphOption::MaskPositions => "mask_positions",
            GraphOption::TopK => "top_k",
            GraphOption::FixedAxes => "fixed_axes",
            GraphOption::Rename => "rename",
            GraphOption::Int32Inputs => "int32_inputs",
            GraphOption::Mask => "mask",
            GraphOption::TokenTypes => "token_types",
        }
    }
}

impl fmt::Display for GraphOption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// An option that a head or a checkpoint can't have.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum OptionError {
    /// Another head's option.
    #[error("option '{option}' has no effect on the {head} head: it is for {heads}")]
    Head {
        /// The option.
        option: GraphOption,
        /// The head.
        head: Head,
        /// The heads that have it.
        heads: String,
    },
    /// An option that needs another one.
    #[error("option '{option}' needs '{other}'")]
    Needs {
        /// The option.
        option: GraphOption,
        /// What it needs.
        other: GraphOption,
    },
    /// A cache for a model that is no decoder.
    #[error(
        "option '{}' needs a config with \"is_decoder\": true",
        GraphOption::KvCache
    )]
    NoDecoder,
    /// Two options that exclude each other.
    #[error("options '{option}' and '{other}' exclude each other")]
    Conflict {
        /// The option.
        option: GraphOption,
        /// The other.
        other: GraphOption,
    },
    /// Probabilities of a classifier that gives numbers.
    #[error(
        "option '{}' and a regression exclude each other",
        GraphOption::Probabilities
    )]
    Regression,
    /// A number of tokens outside of the vocabulary.
    #[error(
        "option '{}' is {found}, expected 1 to {vocab_size}, the size of the vocabulary",
        GraphOption::TopK
    )]
    TopK {
        /// The number.
        found: usize,
        /// The size of the vocabulary.
        vocab_size: usize,
    },
    /// A fixed axis that the graph does not have.
    #[error(
        "option '{}': the {head} head has no axis '{axis}'; its axes are {known}",
        GraphOption::FixedAxes
    )]
    Axis {
        /// The axis.
        axis: String,
        /// The head.
        head: Head,
        /// The axes there are.
        known: String,
    },
    /// A new name for an input or output that the graph does not have.
    #[error(
        "option '{}': the {head} head has no '{name}' with these options; it has {known}",
        GraphOption::Rename
    )]
    UnknownPort {
        /// The contract's name that was given.
        name: String,
        /// The head.
        head: Head,
        /// The contract's names that there are.
        known: String,
    },
    /// A new name that can't be one.
    #[error("option '{}': '{name}' can't be a name: {reason}", GraphOption::Rename)]
    PortName {
        /// The name.
        name: String,
        /// Why.
        reason: &'static str,
    },
    /// A fixed axis without elements.
    #[error(
        "option '{}': axis '{axis}' is 0, expected at least 1",
        GraphOption::FixedAxes
    )]
    EmptyAxis {
        /// The axis.
        axis: String,
    },
}

impl OptionError {
    /// The options that it is about.
    pub fn options(&self) -> Vec<GraphOption> {
        match self {
            OptionError::Head { option, .. } => vec![*option],
            OptionError::Needs { option, other } | OptionError::Conflict { option, other } => {
                vec![*option, *other]
            }
            OptionError::NoDecoder => vec![GraphOption::KvCache],
            OptionError::Regression => vec![GraphOption::Probabilities],
            OptionError::TopK { .. } => vec![GraphOption::TopK],
            OptionError::Axis { .. } | OptionError::EmptyAxis { .. } => {
                vec![GraphOption::FixedAxes]
            }
            OptionError::UnknownPort { .. } | OptionError::PortName { .. } => {
                vec![GraphOption::Rename]
            }
        }
    }
}
