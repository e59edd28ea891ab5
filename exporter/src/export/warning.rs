use std::fmt;
use std::path::PathBuf;

use nezha_graphs::Head;

use crate::checkpoint::Note;

/// Something that the user of an export should know, though it is no error.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Warning {
    /// What reading the checkpoint assumed or passed over.
    Checkpoint(Note),
    /// A base model without pooler weights.
    NoPooler,
    /// `architectures` does not say what the classifier was trained for.
    UnclaimedClassifier {
        /// The head that was asked for.
        head: Head,
    },
    /// Tensors that no NEZHA head reads.
    UnknownTensors {
        /// Their canonical names.
        names: Vec<String>,
    },
    /// A tokenizer file in the target folder that the checkpoint doesn't have.
    ForeignFile {
        /// The file.
        path: PathBuf,
    },
    /// `tokenizer.json` can't be made from `vocab.txt`.
    NoTokenizerJson {
        /// The checkpoint.
        folder: PathBuf,
        /// Why.
        reason: String,
    },
    /// Weights files of earlier exports could not be removed.
    Leftover {
        /// The target folder.
        folder: PathBuf,
        /// What the file system said.
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
            Warning::Leftover { folder, reason } => write!(
                f,
                "{}: superseded weights.*.onnx_data could not be removed: {reason}",
                folder.display()
            ),
        }
    }
}
