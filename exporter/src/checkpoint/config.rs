//! Configs of NEZHA's several homes, brought to the form that transformers writes.
//!
//! Huawei's own configs have no `model_type`, and their models have learned absolute positions
//! unless `use_relative_position` says otherwise; transformers' NEZHA always has relative ones.

use std::path::Path;

use nezha_graphs::{Config, Head};
use serde_json::{Map, Value};

use super::{CheckpointError, Note, OpenOptions, file};

/// Vocabularies of the English models (BERT's, uncased and cased), which reach further than the
/// Chinese ones: their configs must say how far.
const ENGLISH_VOCABULARIES: [u64; 2] = [30_522, 28_996];

/// The reach of the Chinese models.
const CHINESE_MAX_RELATIVE_POSITION: usize = 64;

/// A config and what had to be assumed for it.
pub(super) struct OpenConfig {
    /// The config.
    pub config: Config,
    /// Its text: as found where nothing was missing or overridden, else completed.
    pub json: String,
    /// What was assumed.
    pub notes: Vec<Note>,
}

/// Reads the config at `path`.
pub(super) fn open(path: &Path, options: &OpenOptions) -> Result<OpenConfig, CheckpointError> {
    let found = file::load_text(path)?;
    let invalid = |source| CheckpointError::Config {
        path: path.to_owned(),
        source,
    };
    let (json, notes) = match serde_json::from_str(&found) {
        Ok(Value::Object(fields)) => complete(fields, path, options, &found)?,
        // Not an object at all, of which `Config` says more.
        _ => (found, Vec::new()),
    };
    let config = Config::from_json(&json).map_err(invalid)?;
    Ok(OpenConfig {
        config,
        json,
        notes,
    })
}

/// Adds what the dialect implies and what the options override.
fn complete(
    fields: Map<String, Value>,
    path: &Path,
    options: &OpenOptions,
    found: &str,
) -> Result<(String, Vec<Note>), CheckpointError> {
    let mut completed = fields.clone();
    let mut notes = Vec::new();
    if let Some(value) = options.max_relative_position {
        completed.insert("max_relative_position".to_owned(), Value::from(value));
    }
    if let Some(activation) = options.hidden_act {
        let name = activation.to_string();
        completed.insert("hidden_act".to_owned(), Value::from(name));
    }
    if !is_of_transformers(&fields) {
        complete_huawei(&mut completed, path, options, &mut notes)?;
    }
    if completed == fields {
        return Ok((found.to_owned(), notes));
    }
    Ok((format!("{:#}\n", Value::Object(completed)), notes))
}

/// Whether the config is of transformers' own NEZHA: its `model_type` or its class says so.
///
/// Another model's `model_type` is not, unless `use_relative_position` makes it a derivate of
/// Huawei's code.
fn is_of_transformers(fields: &Map<String, Value>) -> bool {
    match present(fields, "model_type") {
        Some(Value::String(model_type)) if model_type == "bert" => {
            present(fields, "use_relative_position") != Some(&Value::Bool(true))
        }
        Some(_) => true,
        None => present(fields, "architectures")
            .and_then(Value::as_array)
            .is_some_and(|classes| {
                classes
                    .iter()
                    .filter_map(Value::as_str)
                    .any(|class| Head::from_architecture(class).is_some())
            }),
    }
}

fn complete_huawei(
    fields: &mut Map<String, Value>,
    path: &Path,
    options: &OpenOptions,
    notes: &mut Vec<Note>,
) -> Result<(), CheckpointError> {
    match present(fields, "use_relative_position") {
        Some(Value::Bool(true)) => {}
        // Not a truth value, of which `Config` says more.
        Some(other) if !other.is_boolean() => return Ok(()),
        found => {
            return Err(CheckpointError::AbsolutePositions {
                path: path.to_owned(),
                found: if found.is_some() { "false" } else { "absent" },
            });
        }
    }
    if let Some(Value::String(found)) = present(fields, "model_type") {
        notes.push(Note::OtherModelType {
            found: found.clone(),
        });
    }
    fields.insert("model_type".to_owned(), Value::from("nezha"));
    if present(fields, "max_relative_position").is_none() {
        let vocabulary = present(fields, "vocab_size").and_then(Value::as_u64);
        if vocabulary.is_some_and(|size| ENGLISH_VOCABULARIES.contains(&size)) {
            return Err(CheckpointError::UnknownMaxRelativePosition {
                path: path.to_owned(),
            });
        }
        let value = CHINESE_MAX_RELATIVE_POSITION;
        fields.insert("max_relative_position".to_owned(), Value::from(value));
        notes.push(Note::AssumedMaxRelativePosition { value });
    }
    let is_gelu = present(fields, "hidden_act").is_none_or(|name| name == "gelu");
    if is_gelu && options.hidden_act.is_none() {
        notes.push(Note::AmbiguousGelu);
    }
    Ok(())
}

/// A field's value; `null` counts as absent, as in transformers.
fn present<'a>(fields: &'a Map<String, Value>, field: &str) -> Option<&'a Value> {
    fields.get(field).filter(|value| !value.is_null())
}
