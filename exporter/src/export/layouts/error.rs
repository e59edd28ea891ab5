use std::fmt;

use nezha_graphs::{GraphOption, Head, Precision};

use super::Layout;

/// Why an export can't have a layout.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum LayoutError {
    /// Several heads where the stack finds one model in a folder.
    #[error(
        "layout {layout} holds one head, and {found} were asked for: export each to a folder of its own"
    )]
    SeveralHeads {
        /// The layout.
        layout: Layout,
        /// How many heads.
        found: usize,
    },
    /// Several precisions where the stack finds one model in a folder.
    #[error(
        "layout {layout} holds one precision, and {found} were asked for: export each to a folder of its own"
    )]
    SeveralPrecisions {
        /// The layout.
        layout: Layout,
        /// How many precisions.
        found: usize,
    },
    /// Two models of one name.
    #[error("layout {layout} would call two of the precisions '{name}': leave one out")]
    SameName {
        /// The layout.
        layout: Layout,
        /// The file.
        name: String,
    },
    /// A precision that the stack can't load.
    #[error("layout {layout} and precision {precision} exclude each other: {reason}")]
    Precision {
        /// The layout.
        layout: Layout,
        /// The precision.
        precision: Precision,
        /// Why.
        reason: &'static str,
    },
    /// A head that the stack has no class for.
    #[error("layout {layout} can't hold the {head} head: it is for {known}")]
    Head {
        /// The layout.
        layout: Layout,
        /// The head.
        head: Head,
        /// The heads it loads.
        known: String,
    },
    /// Weights where the stack does not look.
    #[error("layout {layout} needs the weights {expected}")]
    Weights {
        /// The layout.
        layout: Layout,
        /// Where they may be.
        expected: &'static str,
    },
    /// The checkpoint's own folder, whose `config.json` stays as it is.
    #[error(
        "layout {layout} writes a config.json of its own: choose another folder than the checkpoint's"
    )]
    CheckpointFolder {
        /// The layout.
        layout: Layout,
    },
    /// A stack that starts with no tokenizer but `tokenizer.json`.
    #[error(
        "the {layout} layout needs a tokenizer.json, which the checkpoint has not: put the vocab.txt \
         that the model was trained with beside it, with all special tokens, and it is made"
    )]
    NoTokenizer {
        /// The layout.
        layout: Layout,
    },
    /// A graph that the stack can't feed or read.
    #[error("layout {layout} and option '{option}' exclude each other: {reason}")]
    Option {
        /// The layout.
        layout: Layout,
        /// The option.
        option: LayoutOption,
        /// Why.
        reason: &'static str,
    },
}

/// An option of an export that a layout may have no place for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum LayoutOption {
    /// One of the graph's.
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
