//! A `config.json` field by field: absent ones have transformers' defaults, and what can't be meant
//! is an error.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::{
    Config, ConfigError, MAX_RELATIVE_POSITION_LIMIT, ProblemType, UNNAMED_LABEL_LIMIT,
    UnknownProblemType,
};
use crate::{Activation, UnknownActivation};

/// The largest value of any other size in a config.
const SIZE_LIMIT: usize = 1 << 24;

/// How many layers a config may claim.
const LAYER_LIMIT: usize = 1024;

impl Config {
    /// Reads and validates the text of a `config.json`.
    ///
    /// # Errors
    /// Any [`ConfigError`]; the text comes from outside and nothing in it is trusted.
    pub fn from_json(text: &str) -> Result<Self, ConfigError> {
        Self::from_object(&Self::object(text)?)
    }

    /// The JSON object that the text of a `config.json` has to be, its fields not validated.
    ///
    /// # Errors
    /// [`ConfigError::Json`] and [`ConfigError::NotAnObject`].
    pub fn object(text: &str) -> Result<Map<String, Value>, ConfigError> {
        match serde_json::from_str(text)? {
            Value::Object(map) => Ok(map),
            other => Err(ConfigError::NotAnObject {
                found: kind(&other),
            }),
        }
    }

    /// Reads and validates the fields of a `config.json`.
    ///
    /// # Errors
    /// Any [`ConfigError`] but those of [`Config::object`].
    pub fn from_object(fields: &Map<String, Value>) -> Result<Self, ConfigError> {
        let fields = &Fields(fields);
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
            pad_token_id: fields.pad_token_id(vocab_size)?,
            labels: fields.labels()?,
            problem_type: fields.problem_type()?,
            is_decoder: fields.flag("is_decoder", false)?,
            add_cross_attention: fields.flag("add_cross_attention", false)?,
            tie_word_embeddings: fields.tie_word_embeddings()?,
            architectures: fields.architectures()?,
        };
        fields.refuse_pruned_heads()?;
        config.validate()
    }
}

/// The JSON object, read field by field.
///
/// `null` counts as absent where transformers' `None` means the default; where the function that
/// the model computes depends on the field, it is refused.
struct Fields<'j>(&'j Map<String, Value>);

impl Fields<'_> {
    /// Refuses a `null` in a field that decides what the model computes.
    fn refuse_null(&self, field: &'static str, default: impl ToString) -> Result<(), ConfigError> {
        match self.0.get(field) {
            Some(Value::Null) => Err(ConfigError::Null {
                field,
                default: default.to_string(),
            }),
            _ => Ok(()),
        }
    }

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
        self.refuse_null(field, default)?;
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

    /// transformers' `None` pads with no token in particular.
    fn pad_token_id(&self, vocab_size: usize) -> Result<usize, ConfigError> {
        let field = "pad_token_id";
        match self.get(field) {
            None => Ok(0),
            Some(_) => self.size(field, 0, 0, vocab_size - 1),
        }
    }

    /// transformers takes `None` as false and an absent field as true.
    fn tie_word_embeddings(&self) -> Result<bool, ConfigError> {
        let field = "tie_word_embeddings";
        self.refuse_null(field, true)?;
        self.flag(field, true)
    }

    fn epsilon(&self) -> Result<f32, ConfigError> {
        let field = "layer_norm_eps";
        self.refuse_null(field, "1e-12")?;
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
        self.refuse_null("hidden_act", Activation::Gelu)?;
        let Some(name) = self.text("hidden_act")? else {
            return Ok(Activation::Gelu);
        };
        name.parse()
            .map_err(|UnknownActivation(found)| ConfigError::UnknownActivation { found })
    }

    fn problem_type(&self) -> Result<Option<ProblemType>, ConfigError> {
        let Some(name) = self.text("problem_type")? else {
            return Ok(None);
        };
        name.parse()
            .map(Some)
            .map_err(|UnknownProblemType(found)| ConfigError::UnknownProblemType { found })
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

    /// `id2label`, else `num_labels` generated names, else transformers' two; `label2id` alone
    /// names none, as in transformers.
    fn labels(&self) -> Result<Vec<String>, ConfigError> {
        let Some(value) = self.get("id2label") else {
            let count = self.size("num_labels", 2, 1, UNNAMED_LABEL_LIMIT)?;
            return Ok(Config::unnamed_labels(count));
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
            let label = match label {
                Value::String(label) => label.clone(),
                // Codes of labels; their digits are their names.
                Value::Number(label) => label.to_string(),
                other => {
                    let expected = "strings or numbers as labels";
                    return Err(wrong_type("id2label", expected, other));
                }
            };
            labels.insert(index, label);
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
            Err(error) => crate::error_chain(&error),
        }
    }

    #[test]
    fn absent_fields_have_the_defaults_of_transformers_and_so_have_nulls_that_decide_nothing() {
        for json in [
            "{}",
            r#"{"id2label": null, "pad_token_id": null, "problem_type": null, "architectures": null,
                "is_decoder": null, "pruned_heads": null}"#,
        ] {
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
    fn null_is_refused_in_every_field_that_decides_the_function() {
        for (field, default) in [
            ("vocab_size", "21128"),
            ("hidden_size", "768"),
            ("num_hidden_layers", "12"),
            ("num_attention_heads", "12"),
            ("intermediate_size", "3072"),
            ("hidden_act", "gelu"),
            ("max_relative_position", "64"),
            ("type_vocab_size", "2"),
            ("layer_norm_eps", "1e-12"),
            ("num_labels", "2"),
            ("tie_word_embeddings", "true"),
        ] {
            let message = error(&format!("{{\"{field}\": null}}"));
            let expected = format!("`{field}` is null");
            assert!(message.starts_with(&expected), "{field} gave: {message}");
            let expected = format!("default, {default}");
            assert!(message.ends_with(&expected), "{field} gave: {message}");
        }
    }

    #[test]
    fn labels_that_are_numbers_are_called_by_their_digits() {
        let config = Config::from_json(r#"{"id2label": {"1": 101, "0": 100, "2": "x"}}"#).unwrap();
        assert_eq!(config.labels, ["100", "101", "x"]);
    }

    #[test]
    fn label2id_alone_names_no_labels_as_in_transformers() {
        let config = Config::from_json(r#"{"label2id": {"a": 0, "b": 1, "c": 2}}"#).unwrap();
        assert_eq!(config.labels, ["LABEL_0", "LABEL_1"]);
        let config = Config::from_json(r#"{"label2id": {"a": 0}, "num_labels": 3}"#).unwrap();
        assert_eq!(config.labels, ["LABEL_0", "LABEL_1", "LABEL_2"]);
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
                r#"{"id2label": {"0": true}}"#,
                "strings or numbers as labels, found true",
            ),
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
