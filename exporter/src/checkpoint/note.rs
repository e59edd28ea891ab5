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
    /// A size that the weights have, though the config says another or none.
    SizeFromWeights {
        /// The config's field.
        field: &'static str,
        /// What it says.
        config: Option<u64>,
        /// What the weights have.
        weights: usize,
        /// Where that is seen.
        evidence: String,
    },
    /// A field that the config lacks, that decides what the model computes and that no weight tells.
    AssumedDefault {
        /// The field.
        field: &'static str,
        /// What was assumed, transformers' default.
        value: String,
    },
    /// The classifier has labels that the config doesn't name: they are called `LABEL_0`, `LABEL_1`,
    /// ….
    UnnamedLabels {
        /// How many the classifier has.
        count: usize,
        /// How many the config names, where it names another number.
        named: Option<u64>,
        /// Whether the config has a `label2id` without an `id2label`.
        label2id: bool,
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
                 models; the option 'max_relative_position' sets another"
            ),
            Note::AmbiguousGelu => f.write_str(
                "Huawei's config says gelu: taken as the error function's, as in PyTorch; weights \
                 trained with TensorFlow need the option 'hidden_act' to be gelu_new, the tanh form",
            ),
            Note::OtherModelType { found } => write!(
                f,
                "the config's model_type is '{found}', but use_relative_position is true: read \
                 as NEZHA"
            ),
            Note::PreferredSafetensors { ignored } => {
                write!(f, "read the safetensors weights and left {ignored} alone")
            }
            Note::SizeFromWeights {
                field,
                config: Some(config),
                weights,
                evidence,
            } => write!(
                f,
                "the config's {field} is {config}, but {evidence}: taken as {weights}"
            ),
            Note::SizeFromWeights {
                field,
                config: None,
                weights,
                evidence,
            } => write!(
                f,
                "the config has no {field}: taken as {weights}, since {evidence}"
            ),
            Note::AssumedDefault { field, value } => {
                write!(
                    f,
                    "the config has no {field}: assumed {value}, transformers' default"
                )?;
                match *field {
                    "hidden_act" => f.write_str("; other NEZHA code means gelu_new there"),
                    _ => Ok(()),
                }
            }
            Note::UnnamedLabels {
                count,
                named,
                label2id,
            } => {
                match named {
                    Some(named) => write!(f, "the config names {named} labels")?,
                    None if *label2id => f.write_str(
                        "the config has a label2id without an id2label, which names no labels in \
                         transformers either",
                    )?,
                    None => f.write_str("the config names no labels")?,
                }
                match count {
                    1 => f.write_str(", the classifier has 1: called LABEL_0"),
                    _ => {
                        let last = count.saturating_sub(1);
                        write!(
                            f,
                            ", the classifier has {count}: called LABEL_0 to LABEL_{last}"
                        )
                    }
                }
            }
        }
    }
}
