use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use nezha_graphs::{TokenRole, TokenizerFiles, TokenizerSettings, error_chain};
use serde_json::Value;

use super::Warning;
use super::tokenizer_json::tokenizer_json;
use crate::checkpoint::CheckpointError;
use crate::onnx::WriteError;

/// Files that stand beside a checkpoint's weights and belong beside an artifact too.
pub(super) const TOKENIZER_FILES: [&str; 5] = [
    "vocab.txt",
    TOKENIZER_JSON,
    TOKENIZER_CONFIG,
    "special_tokens_map.json",
    "added_tokens.json",
];

const TOKENIZER_JSON: &str = "tokenizer.json";
const TOKENIZER_CONFIG: &str = "tokenizer_config.json";

/// A checkpoint's tokenizer files by name, `tokenizer.json` made where only `vocab.txt` is there.
pub(super) struct TokenizerFolder(BTreeMap<&'static str, Vec<u8>>);

impl TokenizerFolder {
    /// Reads what there is.
    pub fn read(folder: &Path, warnings: &mut Vec<Warning>) -> Result<Self, WriteError> {
        let mut files = BTreeMap::new();
        for name in TOKENIZER_FILES {
            let path = folder.join(name);
            if path.is_file() {
                let bytes = fs::read(&path)
                    .map_err(|source| CheckpointError::Unreadable { path, source })?;
                files.insert(name, bytes);
            }
        }
        let mut files = Self(files);
        if files.get("vocab.txt").is_some() && files.get(TOKENIZER_JSON).is_none() {
            match files.tokenizer_json() {
                Ok(text) => drop(files.0.insert(TOKENIZER_JSON, text.into_bytes())),
                Err(reason) => warnings.push(Warning::NoTokenizerJson {
                    folder: folder.to_owned(),
                    reason,
                }),
            }
        }
        Ok(files)
    }

    /// Writes into `tokenizer_config.json` which token plays which role, where it leaves that to the
    /// defaults; nothing where the files are not as transformers writes them.
    pub fn name_roles(&mut self) {
        let Ok(settings) = self.settings() else {
            return;
        };
        let text = self.text(TOKENIZER_CONFIG).ok().flatten();
        let config = serde_json::from_str(text.unwrap_or("{}"));
        let Ok(Value::Object(mut config)) = config else {
            return;
        };
        for role in TokenRole::ALL {
            let slot = config.entry(role.field()).or_insert(Value::Null);
            if slot.is_null() {
                *slot = settings.token(role).into();
            }
        }
        if let Ok(text) = serde_json::to_string_pretty(&config) {
            self.0.insert(TOKENIZER_CONFIG, (text + "\n").into_bytes());
        }
    }

    /// The content of a file.
    pub fn get(&self, name: &str) -> Option<&[u8]> {
        self.0.get(name).map(Vec::as_slice)
    }

    fn text(&self, name: &str) -> Result<Option<&str>, String> {
        let text = self.get(name).map(std::str::from_utf8).transpose();
        text.map_err(|error| format!("{name} is not UTF-8: {error}"))
    }

    fn settings(&self) -> Result<TokenizerSettings, String> {
        let settings = TokenizerSettings::read(&TokenizerFiles {
            tokenizer_config: self.text(TOKENIZER_CONFIG)?,
            special_tokens_map: self.text("special_tokens_map.json")?,
            added_tokens: self.text("added_tokens.json")?,
        });
        settings.map_err(|error| error_chain(&error))
    }

    fn tokenizer_json(&self) -> Result<String, String> {
        let settings = self.settings()?;
        let vocabulary = self.text("vocab.txt")?.unwrap_or_default();
        tokenizer_json(vocabulary, &settings).map_err(|(token, role)| {
            format!(
                "the vocabulary has no '{token}', which is the {}",
                role.field()
            )
        })
    }
}
