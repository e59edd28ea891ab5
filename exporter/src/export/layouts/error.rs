use std::fmt;

use nezha_graphs::{GraphOption, Head, Precision};

use super::Layout;

/// Why an export is not possible in a layout.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum LayoutError {
    /// There are several heads, but the stack expects one model in a folder.
    #[error(
        "layout {layout} holds one head, and {found} were asked for: export each to a folder of its own"
    )]
    SeveralHeads {
        /// The layout.
        layout: Layout,
        /// Number of heads.
        found: usize,
    },
    /// There are several precisions, but the stack expects one model in a folder.
    #[error(
        "layout {layout} holds one precision, and {found} were asked for: export each to a folder of its own"
    )]
    SeveralPrecisions {
        /// The layout.
        layout: Layout,
        /// Number of precisions.
        found: usize,
    },
    /// Two models would have the same file name.
    #[error(
        "layout {layout} has the same file name for two of the precisions, '{name}': leave one out"
    )]
    SameName {
        /// The layout.
        layout: Layout,
        /// The file name.
        name: String,
    },
    /// The stack can't load the precision.
    #[error("layout {layout} and precision {precision} exclude each other: {reason}")]
    Precision {
        /// The layout.
        layout: Layout,
        /// The precision.
        precision: Precision,
        /// The reason.
        reason: &'static str,
    },
    /// The stack has no class for the head.
    #[error("layout {layout} can't hold the {head} head: it is for {known}")]
    Head {
        /// The layout.
        layout: Layout,
        /// The head.
        head: Head,
        /// The heads that the stack can load.
        known: String,
    },
    /// The stack doesn't look for weights at this place.
    #[error("layout {layout} needs the weights {expected}")]
    Weights {
        /// The layout.
        layout: Layout,
        /// The places where the stack looks.
        expected: &'static str,
    },
    /// The target is the checkpoint's own folder, whose `config.json` must not change.
    #[error(
        "layout {layout} writes a config.json of its own: choose another folder than the checkpoint's"
    )]
    CheckpointFolder {
        /// The layout.
        layout: Layout,
    },
    /// The stack needs a `tokenizer.json`, and there is none.
    #[error(
        "layout {layout} needs a tokenizer.json, which the checkpoint lacks: copy the vocab.txt that \
         the model was trained with into its folder, with all special tokens, and it is made"
    )]
    NoTokenizer {
        /// The layout.
        layout: Layout,
    },
    /// The stack can't feed or read a graph with this option.
    #[error("layout {layout} and option '{option}' exclude each other: {reason}")]
    Option {
        /// The layout.
        layout: Layout,
        /// The option.
        option: LayoutOption,
        /// The reason.
        reason: &'static str,
    },
}

/// An option of an export that a layout may exclude.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum LayoutOption {
    /// An option of the graph.
    Graph(GraphOption),
    /// [`TritonOptions::tensorrt`](super::TritonOptions::tensorrt).
    TensorRt,
}

impl fmt::Display for LayoutOption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LayoutOption::Graph(option) => option.fmt(f),
            LayoutOption::TensorRt => f.write_str("tensorrt"),
        }
    }
}
