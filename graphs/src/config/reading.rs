//! Reads a `config.json` field by field. Absent fields have transformers' defaults; values that
//! make no sense are errors.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::{
    Config, ConfigError, MAX_RELATIVE_POSITION_LIMIT, ProblemType, UNNAMED_LABEL_LIMIT,
    UnknownProblemType,
};
use crate::{Activation, UnknownActivation};

/// The largest value of a size in a config, unless another limit applies.
const SIZE_LIMIT: usize = 1 << 24;

/// The most layers that a config may have.
const LAYER_LIMIT: usize = 1024;

impl Config {
    /// Reads and validates the text of a `config.json`.
    ///
    /// # Errors
    /// Any [`ConfigError`]: the text is untrusted input.
    pub fn from_json(text: &str) -> Result<Self, ConfigError> {
        Self::from_object(&Self::object(text)?)
    }

    /// Parses the text of a `config.json` as a JSON object, without validating its fields.
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
    /// Any [`ConfigError`] except those of [`Config::object`].
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
/// `null` counts as absent if transformers' `None` means the default. If what the model computes
/// depends on the field, `null` is refused.
struct Fields<'j>(&'j Map<String, Value>);

impl Fields<'_> {
    /// Refuses a `null` if what the model computes depends on the field.
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

    /// With transformers' `None`, no particular token pads a batch, so any will do.
    fn pad_token_id(&self, vocab_size: usize) -> Result<usize, ConfigError> {
        let field = "pad_token_id";
        match self.get(field) {
            None => Ok(0),
            Some(_) => self.size(field, 0, 0, vocab_size - 1),
        }
    }

    /// transformers treats `None` as false and an absent field as true.
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

    /// The labels of `id2label`; if it is absent, `num_labels` generated names, two by default.
    /// `label2id` alone names no label, as in transformers.
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
                // Labels may be numeric codes; their digits are then their names.
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
mod tests;
