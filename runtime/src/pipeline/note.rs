use std::fmt;
use std::path::PathBuf;

use nezha_graphs::Head;

use crate::{Tokenizer, Way};

/// Something that the user of a pipeline should know, though it is no error.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PipelineNote {
    /// The model has lost nezha-onnx's metadata.
    NoMetadata {
        /// The model.
        path: PathBuf,
        /// The head that its outputs suggest.
        head: Head,
    },
    /// The tokenizer knows tokens that the model has no embedding for: a text with such a token is
    /// an error.
    TokensBeyondTable {
        /// The first of them.
        token: String,
        /// Its id.
        id: u32,
        /// How many there are.
        count: usize,
        /// Rows of the word embeddings.
        rows: usize,
    },
    /// `auto` follows the results of `nezha tune`.
    Tuned {
        /// The file with the results.
        path: PathBuf,
        /// The model.
        model: PathBuf,
        /// The way to compute it.
        way: Way,
    },
    /// `auto` doesn't follow the results of `nezha tune`.
    NotTuned {
        /// The file with the results.
        path: PathBuf,
        /// What doesn't match.
        reason: String,
    },
}

impl PipelineNote {
    /// The note on the tokenizer of a model with embeddings for `rows` tokens, if it knows more
    /// tokens.
    pub(super) fn tokens_beyond_table(tokenizer: &Tokenizer, rows: usize) -> Option<Self> {
        let tokens = tokenizer.tokens_beyond(rows);
        let (token, id) = tokens.first()?;
        Some(Self::TokensBeyondTable {
            token: token.clone(),
            id: *id,
            count: tokens.len(),
            rows,
        })
    }
}

impl fmt::Display for PipelineNote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PipelineNote::NoMetadata { path, head } => write!(
                f,
                "{}: the metadata of nezha-onnx is missing, a tool may have dropped it: the head is \
                 taken for {head} by the names and shapes of the outputs, labels and sizes are those \
                 of the config.json beside it",
                path.display()
            ),
            PipelineNote::Tuned { path, model, way } => write!(
                f,
                "{}: {way} with {} answered fastest here",
                path.display(),
                model.display()
            ),
            PipelineNote::NotTuned { path, reason } => write!(
                f,
                "{}: its results are ignored: {reason}; `nezha tune` measures again",
                path.display()
            ),
            PipelineNote::TokensBeyondTable {
                token,
                id,
                count,
                rows,
            } => {
                write!(f, "the tokenizer gives '{token}' the id {id}")?;
                if *count > 1 {
                    write!(f, " ({count} such tokens in all)")?;
                }
                write!(
                    f,
                    ", but the model has embeddings for {rows} tokens only: a text with such a token \
                     has no answer"
                )
            }
        }
    }
}
