use std::fmt;

use super::{Dialect, Format};

/// Something that the user of a checkpoint should know, although it is not an error.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Note {
    /// Names were translated. If the dialect stores matrices as `[in, out]`, they were transposed.
    Names(Dialect),
    /// The state dict is nested in something else.
    StateDict {
        /// The keys that lead to it, joined by dots.
        key: String,
    },
    /// The encoder's prefix is not transformers' `nezha.`.
    Prefix {
        /// The prefix in the file, after the state dict's key.
        prefix: String,
    },
    /// LayerNorm parameters have TensorFlow's names.
    GammaBeta,
    /// A tensor has its other name.
    OtherName {
        /// The name in the file.
        found: String,
        /// The name that it was read as.
        read_as: &'static str,
    },
    /// The prediction head's decoder differs from the word embeddings.
    UntiedDecoder {
        /// The decoder's name in the file.
        name: String,
    },
    /// The shapes of matrices show another layout than their names suggest.
    OtherLayout {
        /// Whether they are stored as `[in, out]`.
        kernels: bool,
    },
    /// The classifier has the name that a user's own module gives it.
    OwnClassifier {
        /// Its name in the file.
        name: String,
    },
    /// The checkpoint has a conditional random field on top of a token classifier.
    Crf {
        /// The name of its transitions.
        name: String,
    },
    /// The checkpoint has an optimizer's state, which was not read.
    OptimizerState {
        /// Number of tensors.
        count: usize,
        /// Their size in the files, in bytes.
        bytes: u64,
    },
    /// There are tensors outside of the state dict, which were not read.
    Beside {
        /// Number of tensors.
        count: usize,
        /// The first tensor's name in its file.
        first: String,
    },
    /// There are buffers that no graph needs, which were not read.
    SkippedBuffers {
        /// Number of buffers.
        count: usize,
        /// Their size in the files, in bytes.
        bytes: u64,
        /// The first buffer's name in its file.
        first: String,
    },
    /// The checkpoint has learned absolute positions, which NEZHA doesn't use.
    PositionEmbeddings,
    /// The config has no `max_relative_position`, and no `model_type` that implies it.
    AssumedMaxRelativePosition {
        /// The value that was assumed.
        value: usize,
    },
    /// The config is Huawei's, whose TensorFlow and PyTorch code disagree about `gelu`.
    AmbiguousGelu {
        /// The format of the weights, which suggests which code trained them.
        format: Format,
    },
    /// The config has another `model_type`, but asks for relative positions or names a NEZHA class.
    OtherModelType {
        /// Its `model_type`.
        found: String,
    },
    /// The folder has weights in two formats.
    PreferredSafetensors {
        /// The file that was not read.
        ignored: String,
    },
    /// The weights have a size that the config contradicts or doesn't state.
    SizeFromWeights {
        /// The field of the config.
        field: &'static str,
        /// The config's value, if it has one.
        config: Option<u64>,
        /// The weights' value.
        weights: usize,
        /// The evidence in the weights, such as `the weights are of 12 layers`.
        evidence: String,
    },
    /// The config lacks a field on which the model's results depend, and no weight shows its value.
    AssumedDefault {
        /// The field.
        field: &'static str,
        /// The value that was assumed, which is transformers' default.
        value: String,
    },
    /// The classifier has labels that the config doesn't name. They are called `LABEL_0`,
    /// `LABEL_1`, ….
    UnnamedLabels {
        /// Number of labels that the classifier has.
        count: usize,
        /// Number of labels that the config names, if it names labels.
        named: Option<u64>,
        /// Whether the config has a `label2id` without an `id2label`.
        label2id: bool,
    },
}

impl Note {
    /// Whether the note only says that reading went as usual, so that nothing was lost.
    pub fn is_routine(&self) -> bool {
        match self {
            Note::Prefix { prefix } => matches!(prefix.as_str(), "" | "bert."),
            Note::SkippedBuffers { .. } | Note::OptimizerState { .. } | Note::GammaBeta => true,
            Note::OtherName { read_as, .. } => *read_as == "cls.predictions.bias",
            _ => false,
        }
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Note::Names(dialect) => {
                write!(f, "{dialect}'s names were read as transformers'")?;
                match dialect.stores_kernels() {
                    true => f.write_str(", and its [in, out] matrices as [out, in]"),
                    false => Ok(()),
                }
            }
            Note::StateDict { key } => write!(f, "the state dict was found under '{key}'"),
            Note::Prefix { prefix } if prefix.is_empty() => {
                f.write_str("a bare base model: 'nezha.' was put before its names")
            }
            Note::Prefix { prefix } => write!(f, "'{prefix}' was read as 'nezha.'"),
            Note::GammaBeta => {
                f.write_str("LayerNorm 'gamma' and 'beta' were read as 'weight' and 'bias'")
            }
            Note::OtherName { found, read_as } => write!(f, "'{found}' was read as '{read_as}'"),
            Note::UntiedDecoder { name } => write!(
                f,
                "'{name}' differs from the word embeddings: the decoder is not tied to them"
            ),
            Note::OtherLayout { kernels } => write!(
                f,
                "the shapes say that matrices are stored as {}, and so they were read",
                if *kernels { "[in, out]" } else { "[out, in]" }
            ),
            Note::OwnClassifier { name } => write!(
                f,
                "'{name}' was read as a classifier of the pooled output or of each token; if \
                 it reads anything else, the answers will be wrong"
            ),
            Note::Crf { name } => write!(
                f,
                "'{name}' is a conditional random field's, which is left out: the logits of token \
                 classification are its emissions, so decode them with these transitions \
                 (Viterbi) after the model"
            ),
            Note::OptimizerState { count, bytes } => write!(
                f,
                "{count} tensors of an optimizer's state, {bytes} bytes, were not read"
            ),
            Note::Beside { count, first } => write!(
                f,
                "what lies beside the state dict was left out: {count} tensors, the first of them \
                 '{first}'"
            ),
            Note::SkippedBuffers {
                count,
                bytes,
                first,
            } => write!(
                f,
                "{count} saved buffers of {bytes} bytes are not needed; the first is '{first}'"
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
            Note::AmbiguousGelu { format } => f.write_str(match format {
                Format::TensorFlow => {
                    "gelu is taken as the error function's, as bert4keras computes it; Huawei's own \
                     TensorFlow code computes the tanh form, which `hidden_act` calls gelu_new. The \
                     two differ by about 2e-4 of the hidden states"
                }
                Format::Keras => {
                    "gelu is taken as the error function's, as bert4keras computes it unless \
                     set_gelu('tanh') was called; `hidden_act` calls that gelu_new. The two differ \
                     by about 2e-4 of the hidden states"
                }
                Format::Safetensors | Format::Torch | Format::Paddle => {
                    "gelu is taken as the error function's, as PyTorch and Paddle compute it; \
                     weights that were converted from Huawei's TensorFlow and not trained since \
                     had the tanh form, which `hidden_act` calls gelu_new. The two differ by about \
                     2e-4 of the hidden states"
                }
            }),
            Note::OtherModelType { found } => write!(
                f,
                "the config's model_type is '{found}', but its class or use_relative_position says \
                 NEZHA: read as NEZHA"
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
