use std::fmt;
use std::path::PathBuf;

use nezha_graphs::{Head, RepeatedToken};

use crate::checkpoint::Note;

/// Something that the user of an export should know, although it is not an error.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Warning {
    /// What reading the checkpoint assumed or skipped.
    Checkpoint(Note),
    /// The base model has no pooler weights.
    NoPooler,
    /// `architectures` does not say what the classifier was trained for.
    UnclaimedClassifier {
        /// The head that was asked for.
        head: Head,
    },
    /// `architectures` names no known head, and the tensors allow only this one.
    HeadFromTensors {
        /// The head that is exported.
        head: Head,
    },
    /// There are tensors that no NEZHA head reads.
    UnknownTensors {
        /// Their canonical names.
        names: Vec<String>,
    },
    /// The target folder has a tokenizer file that the checkpoint doesn't have.
    ForeignFile {
        /// The file.
        path: PathBuf,
    },
    /// `tokenizer.json` can't be made from `vocab.txt`.
    NoTokenizerJson {
        /// The checkpoint.
        folder: PathBuf,
        /// The reason.
        reason: String,
    },
    /// `vocab.txt` starts with a byte order mark, which is not part of its first token.
    ByteOrderMark {
        /// The file.
        path: PathBuf,
    },
    /// Lines of `vocab.txt` are equal.
    RepeatedTokens {
        /// The file.
        path: PathBuf,
        /// The first token that is repeated.
        first: RepeatedToken,
        /// Number of lines that repeat an earlier token.
        count: usize,
    },
    /// The tokenizer has tokens for which the model has no embedding.
    TokensBeyondTable {
        /// The first of these tokens.
        token: String,
        /// Its id.
        id: usize,
        /// Number of these tokens.
        count: usize,
        /// Number of rows of the word embeddings.
        rows: usize,
    },
    /// The files beside `tokenizer.json`, or transformers' defaults, override a part of it.
    OverruledTokenizerJson {
        /// The field of its normalizer.
        field: &'static str,
        /// The value in `tokenizer.json`.
        found: Option<bool>,
        /// The value that is used.
        used: Option<bool>,
    },
    /// Weights files of earlier exports can't be removed.
    Leftover {
        /// The target folder.
        folder: PathBuf,
        /// The operating system's error.
        reason: String,
    },
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Warning::Checkpoint(note) => note.fmt(f),
            Warning::NoPooler => {
                f.write_str("the checkpoint has no pooler: pooler_output is left out")
            }
            Warning::UnclaimedClassifier { head } => write!(
                f,
                "config.json's `architectures` does not say what 'classifier.weight' was trained \
                 for: taken as {head}, as asked"
            ),
            Warning::HeadFromTensors { head } => write!(
                f,
                "config.json's `architectures` names no NEZHA class: taken as {head}, the only head \
                 that the tensors allow"
            ),
            Warning::UnknownTensors { names } => write!(
                f,
                "tensors that no NEZHA head reads are left out: {}",
                names.join(", ")
            ),
            Warning::ForeignFile { path } => write!(
                f,
                "{} is not from this checkpoint: remove it, or it may be used with this model",
                path.display()
            ),
            Warning::NoTokenizerJson { folder, reason } => write!(
                f,
                "{}: no tokenizer.json is made from vocab.txt: {reason}",
                folder.display()
            ),
            Warning::ByteOrderMark { path } => write!(
                f,
                "{} starts with a byte order mark, which is left out of its first token; \
                 transformers takes it for a part of the token: save the file without it",
                path.display()
            ),
            Warning::RepeatedTokens { path, first, count } => write!(
                f,
                "{} has the token '{}' in lines {} and {}, {count} such lines in all: the last one \
                 counts, as in transformers; a token that is added later may get an id that is taken",
                path.display(),
                first.token,
                first.lost + 1,
                first.id + 1,
            ),
            Warning::TokensBeyondTable {
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
                    ", but the checkpoint has embeddings for {rows} tokens only: a text with such a \
                     token has no answer; resize the embeddings when tokens are added"
                )
            }
            Warning::OverruledTokenizerJson { field, found, used } => write!(
                f,
                "tokenizer.json has `{field}` {}, and {} counts, from tokenizer_config.json or \
                 by default, as in transformers' BertTokenizerFast: a stack that reads tokenizer.json \
                 alone splits texts in another way",
                shown(*found),
                shown(*used),
            ),
            Warning::Leftover { folder, reason } => write!(
                f,
                "{}: superseded weights.*.onnx_data could not be removed: {reason}",
                folder.display()
            ),
        }
    }
}

fn shown(flag: Option<bool>) -> &'static str {
    match flag {
        None => "null",
        Some(true) => "true",
        Some(false) => "false",
    }
}
