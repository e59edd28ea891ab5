mod reading;

use std::str::FromStr;

use crate::{Activation, Head};

/// The largest `max_relative_position` that is accepted.
///
/// The table of relative positions has `2M + 1` rows, so this limits how much memory a malicious
/// config can make the exporter allocate.
pub const MAX_RELATIVE_POSITION_LIMIT: usize = 32_768;

/// The most labels that a config may have without naming them.
pub const UNNAMED_LABEL_LIMIT: usize = 1 << 16;

/// The most elements of a table of relative positions: 64 MiB of float32. The exporter computes the
/// table from the config alone, so no weight limits its size.
const TABLE_LIMIT: usize = 1 << 24;

/// The fields of a NEZHA `config.json` that matter to inference.
///
/// An absent field has the default of transformers' `NezhaConfig`.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct Config {
    /// Rows of the word embeddings.
    pub vocab_size: usize,
    /// Width of the hidden states, H.
    pub hidden_size: usize,
    /// Number of layers, L.
    pub num_hidden_layers: usize,
    /// Attention heads of a layer, A; divides the hidden size.
    pub num_attention_heads: usize,
    /// Width of the feed-forward block.
    pub intermediate_size: usize,
    /// Activation of the feed-forward block and of the prediction head's transform.
    pub hidden_act: Activation,
    /// Distance M beyond which relative positions are clipped.
    pub max_relative_position: usize,
    /// Rows of the token type embeddings.
    pub type_vocab_size: usize,
    /// The ε of every LayerNorm.
    pub layer_norm_eps: f32,
    /// Token that pads a batch.
    pub pad_token_id: usize,
    /// Name of each label, by its index; its length is `num_labels`.
    pub labels: Vec<String>,
    /// What a sequence classifier was trained for, if the config says so.
    pub problem_type: Option<ProblemType>,
    /// Whether attention is causal.
    pub is_decoder: bool,
    /// Whether each layer also attends to an encoder's hidden states.
    pub add_cross_attention: bool,
    /// Whether the word embeddings are also the weights of the prediction head's decoder.
    pub tie_word_embeddings: bool,
    /// Names of the classes that the checkpoint was saved from, as written.
    pub architectures: Vec<String>,
}

/// What a sequence classifier was trained for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProblemType {
    /// A number for each label.
    Regression,
    /// Exactly one label.
    SingleLabelClassification,
    /// Any number of labels.
    MultiLabelClassification,
}

impl ProblemType {
    /// Its name in `config.json`.
    pub fn name(self) -> &'static str {
        match self {
            ProblemType::Regression => "regression",
            ProblemType::SingleLabelClassification => "single_label_classification",
            ProblemType::MultiLabelClassification => "multi_label_classification",
        }
    }
}

/// An unknown problem type.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
#[error(
    "unknown problem type '{0}'; known are regression, single_label_classification, \
     multi_label_classification"
)]
pub struct UnknownProblemType(
    /// The name that was given.
    pub String,
);

impl FromStr for ProblemType {
    type Err = UnknownProblemType;

    fn from_str(name: &str) -> Result<Self, UnknownProblemType> {
        [
            ProblemType::Regression,
            ProblemType::SingleLabelClassification,
            ProblemType::MultiLabelClassification,
        ]
        .into_iter()
        .find(|it| it.name() == name)
        .ok_or_else(|| UnknownProblemType(name.to_owned()))
    }
}

/// Why a config can't be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The text is not JSON.
    #[error("not valid JSON")]
    Json(#[from] serde_json::Error),
    /// The JSON is not an object.
    #[error("expected a JSON object, found {found}")]
    NotAnObject {
        /// The kind of value that was found.
        found: &'static str,
    },
    /// The config is another model's.
    #[error("`model_type` is \"{found}\", expected \"nezha\": this is another model's checkpoint")]
    NotNezha {
        /// The model type that was found.
        found: String,
    },
    /// A field holds the wrong kind of value.
    #[error("`{field}`: expected {expected}, found {found}")]
    WrongType {
        /// The field.
        field: String,
        /// The expected kind of value.
        expected: &'static str,
        /// The value that was found.
        found: String,
    },
    /// A field is null, but what the model computes depends on its value.
    #[error(
        "`{field}` is null, and what the model computes depends on it: write the value that it was \
         trained with, or remove the field for transformers' default, {default}"
    )]
    Null {
        /// The field.
        field: &'static str,
        /// The value that transformers uses if the field is absent.
        default: String,
    },
    /// A number is outside of the field's range.
    #[error("`{field}` is {found}, expected {min} to {max}")]
    OutOfRange {
        /// The field.
        field: &'static str,
        /// The number that was found.
        found: u64,
        /// The least that is accepted.
        min: usize,
        /// The most that is accepted.
        max: usize,
    },
    /// The hidden size is not a multiple of the number of attention heads.
    #[error(
        "`hidden_size` {hidden_size} is not a multiple of `num_attention_heads` \
         {num_attention_heads}"
    )]
    HeadsDontDivide {
        /// The hidden size.
        hidden_size: usize,
        /// The number of attention heads.
        num_attention_heads: usize,
    },
    /// The head size is odd: the relative positions consist of pairs of a sine and a cosine.
    #[error(
        "a head of size {head_size} (`hidden_size` / `num_attention_heads`) has no relative \
         positions: NEZHA defines them for even head sizes and for 1"
    )]
    OddHeadSize {
        /// The hidden size divided by the number of attention heads.
        head_size: usize,
    },
    /// The table of relative positions would be larger than any model's.
    #[error(
        "`max_relative_position` {max_relative_position} and heads of size {head_size} \
         (`hidden_size` / `num_attention_heads`) make a table of relative positions with {found} \
         elements, expected at most {TABLE_LIMIT}"
    )]
    TableTooLarge {
        /// The distance beyond which relative positions are clipped.
        max_relative_position: usize,
        /// The hidden size divided by the number of attention heads.
        head_size: usize,
        /// Elements of the table.
        found: usize,
    },
    /// The activation is not supported.
    #[error(
        "`hidden_act` is \"{found}\"; supported are gelu, gelu_new, gelu_pytorch_tanh, gelu_fast, \
         quick_gelu, relu, silu, swish, tanh"
    )]
    UnknownActivation {
        /// The name that was found.
        found: String,
    },
    /// transformers doesn't know the problem type.
    #[error(
        "`problem_type` is \"{found}\"; known are regression, single_label_classification, \
         multi_label_classification"
    )]
    UnknownProblemType {
        /// The name that was found.
        found: String,
    },
    /// `id2label` does not number its labels 0, 1, 2, ….
    #[error("`id2label` has {count} labels but none for {missing}: they must be numbered from 0")]
    LabelNumbers {
        /// How many labels there are.
        count: usize,
        /// The first number without a label.
        missing: usize,
    },
    /// Attention heads were pruned.
    #[error(
        "`pruned_heads` names heads of layer {layer}: checkpoints with pruned heads are not \
         supported; save the model before pruning, or mask the heads instead"
    )]
    PrunedHeads {
        /// The first layer that has pruned heads.
        layer: String,
    },
    /// The config has cross-attention but is not a decoder.
    #[error("`add_cross_attention` is true but `is_decoder` is not: only a decoder has it")]
    CrossAttentionWithoutDecoder,
    /// The relative positions are switched off.
    #[error(
        "`use_relative_position` is false: this checkpoint uses learned absolute positions and is \
         a BERT, not a NEZHA"
    )]
    AbsolutePositions,
}

impl Config {
    /// Refuses fields that contradict each other.
    fn validate(self) -> Result<Self, ConfigError> {
        if !self.hidden_size.is_multiple_of(self.num_attention_heads) {
            return Err(ConfigError::HeadsDontDivide {
                hidden_size: self.hidden_size,
                num_attention_heads: self.num_attention_heads,
            });
        }
        let head_size = self.head_size();
        if head_size > 1 && !head_size.is_multiple_of(2) {
            return Err(ConfigError::OddHeadSize { head_size });
        }
        let table = (2 * self.max_relative_position + 1).saturating_mul(head_size);
        if table > TABLE_LIMIT {
            return Err(ConfigError::TableTooLarge {
                max_relative_position: self.max_relative_position,
                head_size,
                found: table,
            });
        }
        if self.add_cross_attention && !self.is_decoder {
            return Err(ConfigError::CrossAttentionWithoutDecoder);
        }
        Ok(self)
    }

    /// Size of one attention head, D.
    pub fn head_size(&self) -> usize {
        self.hidden_size / self.num_attention_heads
    }

    /// Names for `count` labels that the config doesn't name, as in transformers: `LABEL_0`,
    /// `LABEL_1`, ….
    pub fn unnamed_labels(count: usize) -> Vec<String> {
        (0..count).map(|i| format!("LABEL_{i}")).collect()
    }

    /// Number of labels of the classification heads.
    pub fn num_labels(&self) -> usize {
        self.labels.len()
    }

    /// The heads that `architectures` names, in that order; unknown classes are skipped.
    pub fn heads(&self) -> Vec<Head> {
        self.architectures
            .iter()
            .filter_map(|name| Head::from_architecture(name))
            .collect()
    }

    /// The problem type of the sequence classifier. If the config has none, one label means
    /// regression and several labels mean a single choice, as in transformers.
    pub fn effective_problem_type(&self) -> ProblemType {
        self.problem_type.unwrap_or(match self.num_labels() {
            1 => ProblemType::Regression,
            _ => ProblemType::SingleLabelClassification,
        })
    }
}
