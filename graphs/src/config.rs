use std::collections::BTreeMap;
use std::str::FromStr;

use serde_json::{Map, Value};

use crate::{Activation, Head};

/// The largest `max_relative_position` that is accepted.
///
/// The table of relative positions has `2M + 1` rows; this bounds what a hostile config can make
/// the exporter allocate.
pub const MAX_RELATIVE_POSITION_LIMIT: usize = 32_768;

/// The largest value of any other size in a config.
const SIZE_LIMIT: usize = 1 << 24;

/// How many layers a config may claim.
const LAYER_LIMIT: usize = 1024;

/// How many labels a config may claim without naming them.
const LABEL_LIMIT: usize = 1 << 16;

/// The most elements of a table of relative positions, 64 MB: the exporter computes it from the
/// config alone, so that nothing else bounds it.
const TABLE_LIMIT: usize = 1 << 24;

/// The fields of a NEZHA `config.json` that matter to inference.
///
/// A field that is absent has the default of transformers' `NezhaConfig`.
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
    /// What a sequence classifier was trained for, when the config says so.
    pub problem_type: Option<ProblemType>,
    /// Whether attention is causal.
    pub is_decoder: bool,
    /// Whether each layer also attends to an encoder's hidden states.
    pub add_cross_attention: bool,
    /// Whether the prediction head's decoder is the word embeddings.
    pub tie_word_embeddings: bool,
    /// Classes the checkpoint was saved from, as written.
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

impl FromStr for ProblemType {
    type Err = ();

    fn from_str(name: &str) -> Result<Self, ()> {
        [
            ProblemType::Regression,
            ProblemType::SingleLabelClassification,
            ProblemType::MultiLabelClassification,
        ]
        .into_iter()
        .find(|it| it.name() == name)
        .ok_or(())
    }
}

/// Why a config can't be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The text is no JSON.
    #[error("not valid JSON: {0}")]
    Json(#[from] serde_json::Error),
    /// The JSON is not an object.
    #[error("expected a JSON object, found {found}")]
    NotAnObject {
        /// The kind of value that was found.
        found: &'static str,
    },
    /// Another model's config.
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
        /// What it should hold.
        expected: &'static str,
        /// What it holds.
        found: String,
    },
    /// A number outside of what the field can mean.
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
    /// The heads don't share the hidden size evenly.
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
    /// Sines and cosines come in pairs.
    #[error(
        "a head of size {head_size} (`hidden_size` / `num_attention_heads`) has no relative \
         positions: NEZHA defines them for even head sizes and for 1"
    )]
    OddHeadSize {
        /// Hidden size by attention heads.
        head_size: usize,
    },
    /// A table of relative positions that no model has.
    #[error(
        "`max_relative_position` {max_relative_position} and heads of size {head_size} \
         (`hidden_size` / `num_attention_heads`) make a table of relative positions with {found} \
         elements, expected at most {TABLE_LIMIT}"
    )]
    TableTooLarge {
        /// The distance beyond which relative positions are clipped.
        max_relative_position: usize,
        /// Hidden size by attention heads.
        head_size: usize,
        /// Elements of the table.
        found: usize,
    },
    /// An activation that is not implemented.
    #[error(
        "`hidden_act` is \"{found}\"; supported are gelu, gelu_new, gelu_pytorch_tanh, gelu_fast, \
         quick_gelu, relu, silu, swish, tanh"
    )]
    UnknownActivation {
        /// The name that was found.
        found: String,
    },
    /// A problem type that transformers doesn't know.
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
    /// Pruned attention heads.
    #[error(
        "`pruned_heads` names heads of layer {layer}: checkpoints with pruned heads are not \
         supported; save the model before pruning, or mask the heads instead"
    )]
    PrunedHeads {
        /// The first layer that has pruned heads.
        layer: String,
    },
    /// Cross-attention outside of a decoder.
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
    /// Reads and validates the text of a `config.json`.
    ///
    /// # Errors
    /// Any [`ConfigError`]; the text comes from outside and nothing in it is trusted.
    pub fn from_json(text: &str) -> Result<Self, ConfigError> {
        let value: Value = serde_json::from_str(text)?;
        let Value::Object(map) = value else {
            return Err(ConfigError::NotAnObject {
                found: kind(&value),
            });
        };
        Self::from_fields(&Fields(map))
    }

    fn from_fields(fields: &Fields) -> Result<Self, ConfigError> {
        if let Some(found) = fields.text("model_type")?
            && found != "nezha"
        {
            return Err(ConfigError::NotNezha { found });
        }
        if !fields.flag("use_relative_position", true)? {
            return Err(ConfigError::AbsolutePositions);
        }
        let vocab_size = fields.size("vocab_size", 21_128, 1, SIZE_LIMIT)?;
        let config = Self {
            vocab_size,
            hidden_size: fields.size("hidden_size", 768, 1, SIZE_LIMIT)?,
            num_hidden_layers: fields.size("num_hidden_layers", 12, 1, LAYER_LIMIT)?,
            num_attention_heads: fields.size("num_attention_heads", 12, 1, SIZE_LIMIT)?,
            intermediate_size: fields.size("intermediate_size", 3072, 1, SIZE_LIMIT)?,
            hidden_act: fields.activation()?,
            max_relative_position: fields.size(
                "max_relative_position",
                64,
                0,
                MAX_RELATIVE_POSITION_LIMIT,
            )?,
            type_vocab_size: fields.size("type_vocab_size", 2, 1, SIZE_LIMIT)?,
            layer_norm_eps: fields.epsilon()?,
            pad_token_id: fields.size("pad_token_id", 0, 0, vocab_size - 1)?,
            labels: fields.labels()?,
            problem_type: fields.problem_type()?,
            is_decoder: fields.flag("is_decoder", false)?,
            add_cross_attention: fields.flag("add_cross_attention", false)?,
            tie_word_embeddings: fields.flag("tie_word_embeddings", true)?,
            architectures: fields.architectures()?,
        };
        fields.refuse_pruned_heads()?;
        config.validate()
    }

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

    /// Width of one attention head, D.
    pub fn head_size(&self) -> usize {
        self.hidden_size / self.num_attention_heads
    }

    /// Number of labels of the classification heads.
    pub fn num_labels(&self) -> usize {
        self.labels.len()
    }

    /// The heads that `architectures` names, in that order; unknown classes are passed over.
    pub fn heads(&self) -> Vec<Head> {
        self.architectures
            .iter()
            .filter_map(|name| Head::from_architecture(name))
            .collect()
    }

    /// What the sequence classifier does: the config's word, else one label is a regression and
    /// several are a single choice, as in transformers.
    pub fn effective_problem_type(&self) -> ProblemType {
        self.problem_type.unwrap_or(match self.num_labels() {
            1 => ProblemType::Regression,
            _ => ProblemType::SingleLabelClassification,
        })
    }
}

/// The JSON object, read field by field; `null` counts as absent, as in transformers.
struct Fields(Map<String, Value>);

impl Fields {
    fn get(&self, field: &str) -> Option<&Value> {
        self.0.get(field).filter(|value| !value.is_null())
    }

    fn text(&self, field: &str) -> Result<Option<String>, ConfigError> {
        match self.get(field) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(other) => Err(wrong_type(field, "a string", other)),
        }
    }

    fn flag(&self, field: &str, default: bool) -> Result<bool, ConfigError> {
        match self.get(field) {
            None => Ok(default),
            Some(Value::Bool(flag)) => Ok(*flag),
            Some(other) => Err(wrong_type(field, "true or false", other)),
        }
    }

    fn size(
        &self,
        field: &'static str,
        default: usize,
        min: usize,
        max: usize,
    ) -> Result<usize, ConfigError> {
        let Some(value) = self.get(field) else {
            return Ok(default);
        };
        let found = value
            .as_u64()
            .ok_or_else(|| wrong_type(field, "a whole number", value))?;
        usize::try_from(found)
            .ok()
            .filter(|size| (min..=max).contains(size))
            .ok_or(ConfigError::OutOfRange {
                field,
                found,
                min,
                max,
            })
    }

    fn epsilon(&self) -> Result<f32, ConfigError> {
        let field = "layer_norm_eps";
        let Some(value) = self.get(field) else {
            return Ok(1e-12);
        };
        value
            .as_f64()
            .filter(|eps| (0.0..1.0).contains(eps))
            .map(|eps| eps as f32)
            .ok_or_else(|| wrong_type(field, "a number from 0 to 1", value))
    }

    fn activation(&self) -> Result<Activation, ConfigError> {
        let Some(name) = self.text("hidden_act")? else {
            return Ok(Activation::Gelu);
        };
        name.parse()
            .map_err(|()| ConfigError::UnknownActivation { found: name })
    }

    fn problem_type(&self) -> Result<Option<ProblemType>, ConfigError> {
        let Some(name) = self.text("problem_type")? else {
            return Ok(None);
        };
        match name.parse() {
            Ok(problem_type) => Ok(Some(problem_type)),
            Err(()) => Err(ConfigError::UnknownProblemType { found: name }),
        }
    }

    fn architectures(&self) -> Result<Vec<String>, ConfigError> {
        let expected = "a list of class names";
        match self.get("architectures") {
            None => Ok(Vec::new()),
            Some(Value::Array(names)) => names
                .iter()
                .map(|name| match name {
                    Value::String(name) => Ok(name.clone()),
                    other => Err(wrong_type("architectures", expected, other)),
                })
                .collect(),
            Some(other) => Err(wrong_type("architectures", expected, other)),
        }
    }

    /// `id2label`, else `num_labels` generated names, else transformers' two.
    fn labels(&self) -> Result<Vec<String>, ConfigError> {
        let Some(value) = self.get("id2label") else {
            let count = self.size("num_labels", 2, 1, LABEL_LIMIT)?;
            return Ok((0..count).map(|i| format!("LABEL_{i}")).collect());
        };
        let Value::Object(map) = value else {
            return Err(wrong_type(
                "id2label",
                "an object of labels by number",
                value,
            ));
        };
        let mut labels = BTreeMap::new();
        for (number, label) in map {
            let index = number.parse::<usize>().map_err(|_| {
                let key = Value::String(number.clone());
                wrong_type("id2label", "whole numbers as keys", &key)
            })?;
            let Value::String(label) = label else {
                return Err(wrong_type("id2label", "strings as labels", label));
            };
            labels.insert(index, label.clone());
        }
        let count = labels.len();
        match (0..count.max(1)).find(|index| !labels.contains_key(index)) {
            Some(missing) => Err(ConfigError::LabelNumbers { count, missing }),
            None => Ok(labels.into_values().collect()),
        }
    }

    fn refuse_pruned_heads(&self) -> Result<(), ConfigError> {
        let field = "pruned_heads";
        match self.get(field) {
            None => Ok(()),
            Some(Value::Object(layers)) => {
                let pruned = layers
                    .iter()
                    .find(|(_, heads)| heads.as_array().is_none_or(|heads| !heads.is_empty()));
                match pruned {
                    Some((layer, _)) => Err(ConfigError::PrunedHeads {
                        layer: layer.clone(),
                    }),
                    None => Ok(()),
                }
            }
            Some(other) => Err(wrong_type(field, "an object of head lists by layer", other)),
        }
    }
}

fn wrong_type(field: &str, expected: &'static str, found: &Value) -> ConfigError {
    let found = match found {
        Value::Array(_) | Value::Object(_) => kind(found).to_owned(),
        scalar => scalar.to_string().chars().take(60).collect(),
    };
    ConfigError::WrongType {
        field: field.to_owned(),
        expected,
        found,
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(json: &str) -> String {
        match Config::from_json(json) {
            Ok(config) => panic!("accepted {json} as {config:?}"),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn absent_and_null_fields_have_the_defaults_of_transformers() {
        for json in ["{}", r#"{"hidden_size": null, "id2label": null}"#] {
            let config = Config::from_json(json).unwrap();
            assert_eq!(config.vocab_size, 21_128);
            assert_eq!(config.hidden_size, 768);
            assert_eq!(config.head_size(), 64);
            assert_eq!(config.max_relative_position, 64);
            assert_eq!(config.layer_norm_eps, 1e-12);
            assert_eq!(config.labels, ["LABEL_0", "LABEL_1"]);
            assert!(config.tie_word_embeddings && !config.is_decoder);
        }
    }

    #[test]
    fn labels_are_ordered_by_number_not_by_text() {
        let labels: Vec<String> = (0..11).map(|i| format!("\"{i}\": \"l{i}\"")).collect();
        let json = format!("{{\"id2label\": {{{}}}}}", labels.join(","));
        assert_eq!(Config::from_json(&json).unwrap().labels[10], "l10");
    }

    #[test]
    fn every_bad_field_is_named_with_what_was_expected() {
        for (json, needle) in [
            ("[]", "expected a JSON object, found a list"),
            ("{", "not valid JSON"),
            (r#"{"model_type": "bert"}"#, "\"bert\", expected \"nezha\""),
            (r#"{"hidden_size": 0}"#, "`hidden_size` is 0, expected 1 to"),
            (
                r#"{"hidden_size": -8}"#,
                "`hidden_size`: expected a whole number, found -8",
            ),
            (
                r#"{"hidden_size": 10, "num_attention_heads": 3}"#,
                "not a multiple",
            ),
            (
                r#"{"hidden_size": 9, "num_attention_heads": 3}"#,
                "a head of size 3",
            ),
            (r#"{"max_relative_position": 32769}"#, "expected 0 to 32768"),
            (
                r#"{"num_labels": 16777216}"#,
                "`num_labels` is 16777216, expected 1 to 65536",
            ),
            (
                r#"{"hidden_size": 16777216, "num_attention_heads": 1}"#,
                "a table of relative positions with 2164260864 elements",
            ),
            (r#"{"hidden_act": "mish"}"#, "`hidden_act` is \"mish\""),
            (
                r#"{"hidden_act": 3}"#,
                "`hidden_act`: expected a string, found 3",
            ),
            (
                r#"{"problem_type": "ranking"}"#,
                "`problem_type` is \"ranking\"",
            ),
            (r#"{"id2label": {"1": "a"}}"#, "none for 0"),
            (
                r#"{"id2label": {"x": "a"}}"#,
                "whole numbers as keys, found \"x\"",
            ),
            (r#"{"id2label": {}}"#, "0 labels but none for 0"),
            (r#"{"pruned_heads": {"3": [1]}}"#, "heads of layer 3"),
            (r#"{"add_cross_attention": true}"#, "only a decoder"),
            (r#"{"layer_norm_eps": "x"}"#, "a number from 0 to 1"),
            (r#"{"use_relative_position": false}"#, "absolute positions"),
            (
                r#"{"architectures": "NezhaModel"}"#,
                "a list of class names",
            ),
            (
                r#"{"pad_token_id": 5, "vocab_size": 5}"#,
                "`pad_token_id` is 5, expected 0 to 4",
            ),
        ] {
            let message = error(json);
            assert!(message.contains(needle), "{json} gave: {message}");
        }
    }

    #[test]
    fn deep_json_is_an_error_and_not_a_stack_overflow() {
        assert!(error(&"[".repeat(1_000_000)).contains("recursion limit"));
    }

    #[test]
    fn empty_pruned_heads_are_no_pruned_heads() {
        Config::from_json(r#"{"pruned_heads": {}}"#).unwrap();
        Config::from_json(r#"{"pruned_heads": {"0": []}}"#).unwrap();
    }
}
