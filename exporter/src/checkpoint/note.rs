use std::fmt;

use super::Dialect;

/// Something that a user of a checkpoint should know, though it is no error.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Note {
    /// Names that were translated.
    Names(Dialect),
    /// Buffers that no graph needs; they were not read.
    SkippedBuffers {
        /// How many.
        count: usize,
        /// Their size in the files.
        bytes: u64,
        /// The name of the first one in its file.
        first: String,
    },
    /// Learned absolute positions, which NEZHA has no place for.
    PositionEmbeddings,
    /// The config has no `max_relative_position`, nor a `model_type` that would imply it.
    AssumedMaxRelativePosition {
        /// What was assumed.
        value: usize,
    },
    /// A config of Huawei's, whose TensorFlow and PyTorch code disagree on `gelu`.
    AmbiguousGelu,
    /// A config that claims to be another model's but asks for relative positions.
    OtherModelType {
        /// Its `model_type`.
        found: String,
    },
    /// The folder has weights in two formats.
    PreferredSafetensors {
        /// The file that was passed over.
        ignored: String,
    },
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Note::Names(dialect) => f.write_str(dialect.explanation()),
            Note::SkippedBuffers {
                count,
                bytes,
                first,
            } => write!(
                f,
                "{count} saved buffers of {bytes} bytes are not needed and were not read; the \
                 first is '{first}'"
            ),
            Note::PositionEmbeddings => f.write_str(
                "the checkpoint has learned position embeddings, which NEZHA doesn't read: if it \
                 was trained with them, it is a BERT and the answers will be wrong",
            ),
            Note::AssumedMaxRelativePosition { value } => write!(
                f,
                "the config has no max_relative_position: assumed {value}, that of the Chinese \
                 models; --max-relative-position sets another"
            ),
            Note::AmbiguousGelu => f.write_str(
                "Huawei's config says gelu: taken as the error function's, as in PyTorch; weights \
                 trained with TensorFlow need --hidden-act gelu_new, the tanh form",
            ),
            Note::OtherModelType { found } => write!(
                f,
                "the config's model_type is '{found}', but use_relative_position is true: read \
                 as NEZHA"
            ),
            Note::PreferredSafetensors { ignored } => {
                write!(f, "read the safetensors weights and left {ignored} alone")
            }
        }
    }
}
