use std::io;
use std::path::PathBuf;

/// Why text can't be tokenized.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TokenizerError {
    /// The folder holds no tokenizer.
    #[error(
        "{} has no tokenizer.json and no vocab.txt: copy them from the checkpoint's folder",
        folder.display()
    )]
    Missing {
        /// The folder.
        folder: PathBuf,
    },
    /// A file can't be read.
    #[error("{}: can't be read", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's message.
        source: io::Error,
    },
    /// A file has the wrong content.
    #[error("{}: {reason}", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// A special token is not in the vocabulary.
    #[error("{}: the vocabulary has no '{token}', which is the {role}", path.display())]
    SpecialToken {
        /// The file with the vocabulary.
        path: PathBuf,
        /// The token.
        token: String,
        /// Its role, as `tokenizer_config.json` names it.
        role: &'static str,
    },
    /// The text is longer than the pipeline's limits allow.
    #[error("the text has {found} bytes, expected at most {limit}")]
    TextTooLong {
        /// UTF-8 bytes of the text.
        found: usize,
        /// How many are allowed.
        limit: usize,
    },
    /// The stride is too large for the sequences.
    #[error(
        "a stride of {stride} tokens is too large: expected fewer than {room}, which is what a \
         sequence of {max_length} tokens has left for the text that is split"
    )]
    Stride {
        /// Tokens that neighbours share.
        stride: usize,
        /// Tokens left for the text.
        room: usize,
        /// Tokens of a sequence, special tokens included.
        max_length: usize,
    },
    /// The first text, which must not be truncated, fills the sequence.
    #[error(
        "the first text has {found} tokens, so a sequence of {max_length} has no room for the second: \
         shorten the first text or raise the length"
    )]
    FirstTooLong {
        /// Tokens of the first text.
        found: usize,
        /// Tokens of a sequence, including special tokens.
        max_length: usize,
    },
    /// A sequence of this length has no room besides the special tokens.
    #[error("a sequence of {max_length} tokens has no room beside {special} special tokens")]
    NoRoom {
        /// Tokens of a sequence.
        max_length: usize,
        /// Special tokens of each sequence.
        special: usize,
    },
    /// The tokenizer fails on a text.
    #[error("the tokenizer failed: {reason}")]
    Failed {
        /// The tokenizer's message.
        reason: String,
    },
}
