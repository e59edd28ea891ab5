//! Converts the configs of NEZHA's several implementations to the form that transformers writes.
//!
//! Huawei's own configs have no `model_type`. Their models have learned absolute positions unless
//! `use_relative_position` is true, whereas transformers' NEZHA always has relative ones.

use std::path::{Path, PathBuf};

use nezha_graphs::{Config, ConfigError, Head};
use serde_json::{Map, Value};

use super::sizes::{self, Shapes};
use super::weights::Weight;
use super::{CheckpointError, Note, OpenOptions, file, labels, other_configs};

/// Vocabulary sizes of the English models (BERT's, uncased and cased). Some of these models have a
/// larger `max_relative_position` than the Chinese ones, so their configs must state it.
const ENGLISH_VOCABULARIES: [u64; 2] = [30_522, 28_996];

/// The `max_relative_position` of the Chinese models.
const CHINESE_MAX_RELATIVE_POSITION: usize = 64;

/// A config, and what was assumed for it.
#[derive(Debug)]
pub(super) struct OpenConfig {
    /// The config.
    pub config: Config,
    /// Its text: as found if nothing was missing or overridden, else completed.
    pub json: String,
    /// What was assumed for the config.
    pub notes: Vec<Note>,
}

/// A config before it is compared with the weights, which decide about sizes.
pub(super) struct Draft<'o> {
    path: PathBuf,
    options: &'o OpenOptions,
    found: String,
    original: Map<String, Value>,
    completed: Map<String, Value>,
    notes: Vec<Note>,
    /// Whether `gelu` may mean either the form with the error function or the tanh form.
    pub gelu_is_ambiguous: bool,
}

impl<'o> Draft<'o> {
    /// Reads the config at `path`, adds what its dialect implies and what the options override, and
    /// refuses faults that no weights can repair.
    pub(super) fn read(path: &Path, options: &'o OpenOptions) -> Result<Self, CheckpointError> {
        Self::parse(file::load_text(path)?, path, options)
    }

    /// The same for a text, as if read from the config at `path`.
    pub(super) fn parse(
        found: String,
        path: &Path,
        options: &'o OpenOptions,
    ) -> Result<Self, CheckpointError> {
        let original = Config::object(&found).map_err(|source| invalid(path, source))?;
        let mut draft = Self {
            path: path.to_owned(),
            options,
            found,
            completed: other_configs::translated(original.clone()),
            original,
            notes: Vec::new(),
            gelu_is_ambiguous: false,
        };
        draft.complete()?;
        match Config::from_object(&draft.completed) {
            Err(source) if !is_mendable(&source, &draft.completed) => Err(invalid(path, source)),
            _ => Ok(draft),
        }
    }

    /// Adds what the dialect implies and what the options override.
    fn complete(&mut self) -> Result<(), CheckpointError> {
        let fields = &mut self.completed;
        if let Some(value) = self.options.max_relative_position {
            fields.insert("max_relative_position".to_owned(), Value::from(value));
        }
        if let Some(activation) = self.options.hidden_act {
            let name = activation.to_string();
            fields.insert("hidden_act".to_owned(), Value::from(name));
        }
        if self.options.decoder {
            fields.insert("is_decoder".to_owned(), Value::Bool(true));
        }
        if !is_of_transformers(fields) {
            self.gelu_is_ambiguous =
                complete_huawei(fields, &self.path, self.options, &mut self.notes)?;
        }
        Ok(())
    }

    /// Whether the word embeddings are also the weights of the prediction head's decoder.
    pub(super) fn ties_word_embeddings(&self) -> bool {
        present(&self.completed, "tie_word_embeddings") != Some(&Value::Bool(false))
    }

    /// Whether a class in `architectures` has this head.
    pub(super) fn names(&self, head: Head) -> bool {
        classes(&self.completed).any(|class| Head::from_architecture(class) == Some(head))
    }

    /// Makes the prediction head use its own decoder.
    pub(super) fn untie(&mut self) {
        let field = "tie_word_embeddings".to_owned();
        self.completed.insert(field, Value::Bool(false));
    }

    /// Refuses the config of another model that only a class or an extra field calls a NEZHA.
    pub(super) fn refuse_other_model(&self) -> Result<(), CheckpointError> {
        let other = self.notes.iter().find_map(|note| match note {
            Note::OtherModelType { found } => Some(found.clone()),
            _ => None,
        });
        match other {
            Some(found) => Err(invalid(&self.path, ConfigError::NotNezha { found })),
            None => Ok(()),
        }
    }

    /// Adapts the config to the weights and validates it.
    pub(super) fn fit(mut self, weights: &[Weight]) -> Result<OpenConfig, CheckpointError> {
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

/// Whether the fault may disappear when sizes are read from the weights.
fn is_mendable(fault: &ConfigError, fields: &Map<String, Value>) -> bool {
    match fault {
        ConfigError::HeadsDontDivide { .. }
        | ConfigError::OddHeadSize { .. }
        | ConfigError::TableTooLarge { .. } => !fields.contains_key("hidden_size"),
        ConfigError::OutOfRange { field, .. } => *field == "pad_token_id",
        _ => false,
    }
}

/// Whether the config is of transformers' own NEZHA, according to its `model_type` or its class.
///
/// A `model_type` of BERT doesn't count if a class or `use_relative_position` shows that the model
/// derives from Huawei's code.
fn is_of_transformers(fields: &Map<String, Value>) -> bool {
    match present(fields, "model_type") {
        Some(Value::String(model_type)) if model_type == "bert" => {
            present(fields, "use_relative_position") != Some(&Value::Bool(true))
                && !names_nezha(fields)
        }
        Some(_) => true,
        None => names_nezha(fields),
    }
}

/// Whether a class in `architectures` is named after NEZHA.
fn names_nezha(fields: &Map<String, Value>) -> bool {
    classes(fields).any(|it| it.to_ascii_lowercase().contains("nezha"))
}

/// The classes in `architectures`.
fn classes(fields: &Map<String, Value>) -> impl Iterator<Item = &str> {
    let classes = present(fields, "architectures").and_then(Value::as_array);
    classes.into_iter().flatten().filter_map(Value::as_str)
}

/// Returns whether `gelu` may mean either of its forms.
fn complete_huawei(
    fields: &mut Map<String, Value>,
    path: &Path,
    options: &OpenOptions,
    notes: &mut Vec<Note>,
) -> Result<bool, CheckpointError> {
    match present(fields, "use_relative_position") {
        Some(Value::Bool(true)) => {}
        None if names_nezha(fields) => {}
        // The value is not a boolean: the error of `Config` says more.
        Some(other) if !other.is_boolean() => return Ok(false),
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
    let is_gelu = present(fields, "hidden_act").is_none_or(|name| name == "gelu");
    Ok(is_gelu && options.hidden_act.is_none())
}

/// A field's value; `null` counts as absent, as in transformers.
fn present<'a>(fields: &'a Map<String, Value>, field: &str) -> Option<&'a Value> {
    fields.get(field).filter(|value| !value.is_null())
}
