//! Configs of NEZHA's several homes, brought to the form that transformers writes.
//!
//! Huawei's own configs have no `model_type`, and their models have learned absolute positions
//! unless `use_relative_position` says otherwise; transformers' NEZHA always has relative ones.

use std::path::{Path, PathBuf};

use nezha_graphs::{Config, ConfigError, Head};
use serde_json::{Map, Value};

use super::sizes::{self, Shapes};
use super::weights::Weight;
use super::{CheckpointError, Note, OpenOptions, file, labels};

/// Vocabularies of the English models (BERT's, uncased and cased), which reach further than the
/// Chinese ones: their configs must say how far.
const ENGLISH_VOCABULARIES: [u64; 2] = [30_522, 28_996];

/// The reach of the Chinese models.
const CHINESE_MAX_RELATIVE_POSITION: usize = 64;

/// A config and what had to be assumed for it.
pub(super) struct OpenConfig {
    /// The config.
    pub config: Config,
    /// Its text: as found where nothing was missing, overridden or fitted, else completed.
    pub json: String,
    /// What was assumed.
    pub notes: Vec<Note>,
}

/// A config that waits for the weights, which have the last word on sizes.
pub(super) struct Draft<'o> {
    path: PathBuf,
    options: &'o OpenOptions,
    found: String,
    original: Map<String, Value>,
    completed: Map<String, Value>,
    notes: Vec<Note>,
}

impl<'o> Draft<'o> {
    /// Reads the config at `path`, adds what its dialect implies and what the options override, and
    /// refuses what no weights could mend.
    pub fn read(path: &Path, options: &'o OpenOptions) -> Result<Self, CheckpointError> {
        let found = file::load_text(path)?;
        let original = Config::object(&found).map_err(|source| invalid(path, source))?;
        let (completed, notes) = complete(&original, path, options)?;
        match Config::from_object(&completed) {
            Err(source) if !is_mendable(&source, &completed) => return Err(invalid(path, source)),
            _ => {}
        }
        Ok(Self {
            path: path.to_owned(),
            options,
            found,
            original,
            completed,
            notes,
        })
    }

    /// Fits the config to the weights and validates it.
    pub fn fit(mut self, weights: &[Weight]) -> Result<OpenConfig, CheckpointError> {
        let shapes = Shapes::new(weights);
        sizes::fit(&mut self.completed, &shapes, &mut self.notes);
        labels::fit(
            &mut self.completed,
            self.options.labels.as_ref(),
            shapes.classifier_rows(),
            &self.path,
            &mut self.notes,
        )?;
        let config = Config::from_object(&self.completed);
        let config = config.map_err(|source| invalid(&self.path, source))?;
        self.notes.extend(sizes::assumed(&self.completed, &config));
        let json = match self.completed == self.original {
            true => self.found,
            false => format!("{:#}\n", Value::Object(self.completed)),
        };
        Ok(OpenConfig {
            config,
            json,
            notes: self.notes,
        })
    }
}

fn invalid(path: &Path, source: ConfigError) -> CheckpointError {
    CheckpointError::Config {
        path: path.to_owned(),
        source,
    }
}

/// Whether the fault may go once sizes are read from the weights.
fn is_mendable(fault: &ConfigError, fields: &Map<String, Value>) -> bool {
    match fault {
        ConfigError::HeadsDontDivide { .. }
        | ConfigError::OddHeadSize { .. }
        | ConfigError::TableTooLarge { .. } => !fields.contains_key("hidden_size"),
        ConfigError::OutOfRange { field, .. } => *field == "pad_token_id",
        _ => false,
    }
}

/// The fields with what the dialect implies and what the options override.
fn complete(
    fields: &Map<String, Value>,
    path: &Path,
    options: &OpenOptions,
) -> Result<(Map<String, Value>, Vec<Note>), CheckpointError> {
    let mut completed = fields.clone();
    let mut notes = Vec::new();
    if let Some(value) = options.max_relative_position {
        completed.insert("max_relative_position".to_owned(), Value::from(value));
    }
    if let Some(activation) = options.hidden_act {
        let name = activation.to_string();
        completed.insert("hidden_act".to_owned(), Value::from(name));
    }
    if !is_of_transformers(fields) {
        complete_huawei(&mut completed, path, options, &mut notes)?;
    }
    Ok((completed, notes))
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
    if !fields.contains_key("max_relative_position") {
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
    let is_gelu = fields.get("hidden_act").is_some_and(|name| name == "gelu");
    if is_gelu && options.hidden_act.is_none() {
        notes.push(Note::AmbiguousGelu);
    }
    Ok(())
}

/// A field's value; `null` counts as absent, as in transformers.
fn present<'a>(fields: &'a Map<String, Value>, field: &str) -> Option<&'a Value> {
    fields.get(field).filter(|value| !value.is_null())
}
