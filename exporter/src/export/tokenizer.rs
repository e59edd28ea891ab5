use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use nezha_graphs::{TokenizerFiles, TokenizerSettings};

use super::Warning;
use super::tokenizer_json::tokenizer_json;
use crate::onnx::WriteError;

/// Files that stand beside a checkpoint's weights and belong beside an artifact too.
pub(super) const TOKENIZER_FILES: [&str; 5] = [
    "vocab.txt",
    TOKENIZER_JSON,
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
];

const TOKENIZER_JSON: &str = "tokenizer.json";

/// A checkpoint's tokenizer files by name, `tokenizer.json` made where only `vocab.txt` is there.
pub(super) struct TokenizerFolder(BTreeMap<&'static str, Vec<u8>>);

impl TokenizerFolder {
    /// Reads what there is.
    pub fn read(folder: &Path, warnings: &mut Vec<Warning>) -> Result<Self, WriteError> {
        let mut files = BTreeMap::new();
        for name in TOKENIZER_FILES {
            let path = folder.join(name);
            if path.is_file() {
                let bytes = fs::read(&path).map_err(|source| WriteError::File { path, source })?;
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

    /// The content of a file.
    pub fn get(&self, name: &str) -> Option<&[u8]> {
        self.0.get(name).map(Vec::as_slice)
    }

    fn text(&self, name: &str) -> Result<Option<&str>, String> {
        let text = self.get(name).map(std::str::from_utf8).transpose();
        text.map_err(|error| format!("{name} is not UTF-8: {error}"))
    }

    fn tokenizer_json(&self) -> Result<String, String> {
        let settings = TokenizerSettings::read(&TokenizerFiles {
            tokenizer_config: self.text("tokenizer_config.json")?,
            special_tokens_map: self.text("special_tokens_map.json")?,
            added_tokens: self.text("added_tokens.json")?,
        });
        let settings = settings.map_err(|error| error.to_string())?;
        let vocabulary = self.text("vocab.txt")?.unwrap_or_default();
        tokenizer_json(vocabulary, &settings).map_err(|(token, role)| {
            format!(
                "the vocabulary has no '{token}', which is the {}",
                role.field()
            )
        })
    }
}
