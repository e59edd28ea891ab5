use std::fmt;

use crate::Head;

/// An option that changes the inputs or outputs of a graph, for messages about it. Each has the
/// name of a field of [`GraphOptions`](crate::GraphOptions).
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
    /// The name of the field.
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
    /// The option belongs to other heads.
    #[error("option '{option}' has no effect on the {head} head: it is for {heads}")]
    Head {
        /// The option.
        option: GraphOption,
        /// The head.
        head: Head,
        /// The heads that have the option.
        heads: String,
    },
    /// The option needs another option.
    #[error("option '{option}' needs '{other}'")]
    Needs {
        /// The option.
        option: GraphOption,
        /// The option that it needs.
        other: GraphOption,
    },
    /// A KV cache for a model that is not a decoder.
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
    /// Probabilities for a sequence classifier that is a regression.
    #[error(
        "option '{}' and a regression exclude each other",
        GraphOption::Probabilities
    )]
    Regression,
    /// `top_k` is 0 or larger than the vocabulary.
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
        /// The axes that the graph has.
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
        /// The contract's names that the graph has.
        known: String,
    },
    /// A new name that can't be used.
    #[error("option '{}': '{name}' can't be a name: {reason}", GraphOption::Rename)]
    PortName {
        /// The name.
        name: String,
        /// The reason.
        reason: &'static str,
    },
    /// A fixed axis of size 0.
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
    /// The options that the error is about.
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
