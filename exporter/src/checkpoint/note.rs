use std::fmt;

use super::{Dialect, Format};

/// Something that a user of a checkpoint should know, though it is no error.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Note {
    /// Names that were translated, and matrices with them that are stored as [in, out].
    Names(Dialect),
    /// A state dict that is nested in something else.
    StateDict {
        /// The keys that lead to it, joined by dots.
        key: String,
    },
    /// An encoder behind another prefix than transformers' `nezha.`, or behind none.
    Prefix {
        /// The prefix in the file, behind the state dict's key.
        prefix: String,
    },
    /// LayerNorm parameters under TensorFlow's names.
    GammaBeta,
    /// A tensor under its other name.
    OtherName {
        /// The name in the file.
        found: String,
        /// The name that it was read as.
        read_as: &'static str,
    },
    /// A prediction head's decoder that has parted from the word embeddings.
    UntiedDecoder {
        /// The decoder's name in the file.
        name: String,
    },
    /// Matrices whose shapes say that they lie otherwise than their names let expect.
    OtherLayout {
        /// Whether they are stored as [in, out].
        kernels: bool,
    },
    /// A classifier that a user's own module has.
    OwnClassifier {
        /// Its name in the file.
        name: String,
    },
    /// A conditional random field on top of a token classifier.
    Crf {
        /// Its transitions.
        name: String,
    },
    /// An optimizer's state, which was not read.
    OptimizerState {
        /// How many tensors.
        count: usize,
        /// Their size in the files.
        bytes: u64,
    },
    /// Tensors beside the state dict, which were not read.
    Beside {
        /// How many.
        count: usize,
        /// The name of the first one in its file.
        first: String,
    },
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
    AmbiguousGelu {
        /// The format of the weights, which tells who may have trained them.
        format: Format,
    },
    /// A config that claims to be another model's, but asks for relative positions or names a class
    /// of NEZHA's.
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

impl Note {
    /// Whether it says no more than that reading went its usual way: nobody's loss.
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
                "'{name}' was read as a classifier of the pooled output or of each token; where \
                 it reads anything else, the answers will be wrong"
            ),
            Note::Crf { name } => write!(
                f,
                "'{name}' is a conditional random field's, which is left out: the logits of token \
                 classification are its emissions, so decode them with these transitions \
                 (Viterbi) behind the model"
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
