use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs;
use std::path::Path;

use nezha_graphs::{TokenRole, TokenizerFiles, TokenizerSettings, Vocabulary, error_chain};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::Warning;
use super::tokenizer_json::tokenizer_json;
use crate::checkpoint::CheckpointError;
use crate::onnx::WriteError;

/// Files beside a checkpoint's weights that an artifact needs too.
pub(super) const TOKENIZER_FILES: [&str; 5] = [
    VOCABULARY,
    TOKENIZER_JSON,
    TOKENIZER_CONFIG,
    "special_tokens_map.json",
    "added_tokens.json",
];

const VOCABULARY: &str = "vocab.txt";
pub(super) const TOKENIZER_JSON: &str = "tokenizer.json";
const TOKENIZER_CONFIG: &str = "tokenizer_config.json";
const CLEAN_UP: &str = "clean_up_tokenization_spaces";

/// A checkpoint's tokenizer files, by name. If there is only `vocab.txt`, `tokenizer.json` is made
/// from it.
pub(super) struct TokenizerFolder(BTreeMap<&'static str, Vec<u8>>);

impl TokenizerFolder {
    /// Reads the files that exist, for a model with `rows` word embeddings.
    pub(super) fn read(
        folder: &Path,
        rows: usize,
        warnings: &mut Vec<Warning>,
    ) -> Result<Self, WriteError> {
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
        let mut findings = Vec::new();
        if files.get(TOKENIZER_JSON).is_some() {
            findings.extend(files.overruled());
        } else if files.get(VOCABULARY).is_some() {
            files.make_tokenizer_json(folder, &mut findings);
        }
        findings.extend(files.tokens_beyond_table(rows));
        warnings.extend(findings);
        Ok(files)
    }

    /// Makes `tokenizer.json` from `vocab.txt`.
    fn make_tokenizer_json(&mut self, folder: &Path, warnings: &mut Vec<Warning>) {
        match self.tokenizer_json(folder, warnings) {
            Ok(text) => {
                self.0.insert(TOKENIZER_JSON, text.into_bytes());
                // transformers' defaults differ between the two files.
                self.edit_config(|config| {
                    let slot = config.entry(CLEAN_UP).or_insert(Value::Null);
                    if slot.is_null() {
                        *slot = true.into();
                    }
                });
            }
            Err(reason) => warnings.push(Warning::NoTokenizerJson {
                folder: folder.to_owned(),
                reason,
            }),
        }
    }

    /// Writes the token of each role into `tokenizer_config.json` if it isn't there. If the files
    /// don't have the form in which transformers writes them, nothing changes.
    pub(super) fn name_roles(&mut self) {
        let Ok(settings) = self.settings() else {
            return;
        };
        self.edit_config(|config| {
            for role in TokenRole::ALL {
                let slot = config.entry(role.field()).or_insert(Value::Null);
                if slot.is_null() {
                    *slot = settings.token(role).into();
                }
            }
        });
    }

    /// Changes `tokenizer_config.json`, or creates it. If it is not a JSON object, nothing changes.
    fn edit_config(&mut self, edit: impl FnOnce(&mut Map<String, Value>)) {
        let text = self.text(TOKENIZER_CONFIG).ok().flatten();
        let Ok(Value::Object(mut config)) = serde_json::from_str(text.unwrap_or("{}")) else {
            return;
        };
        edit(&mut config);
        if let Ok(text) = serde_json::to_string_pretty(&config) {
            self.0.insert(TOKENIZER_CONFIG, (text + "\n").into_bytes());
        }
    }

    /// The content of a file.
    pub(super) fn get(&self, name: &str) -> Option<&[u8]> {
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

    fn tokenizer_json(&self, folder: &Path, warnings: &mut Vec<Warning>) -> Result<String, String> {
        let settings = self.settings()?;
        let bytes = self.get(VOCABULARY).unwrap_or_default();
        let vocabulary =
            Vocabulary::read(bytes).map_err(|error| format!("{VOCABULARY} {error}"))?;
        let path = folder.join(VOCABULARY);
        if vocabulary.byte_order_mark {
            warnings.push(Warning::ByteOrderMark { path: path.clone() });
        }
        if let Some(first) = vocabulary.repeated.first() {
            warnings.push(Warning::RepeatedTokens {
                path,
                first: first.clone(),
                count: vocabulary.repeated.len(),
            });
        }
        tokenizer_json(&vocabulary, &settings).map_err(|(token, role)| {
            format!(
                "the vocabulary has no '{token}', which is the {}",
                role.field()
            )
        })
    }

    /// The parts of `tokenizer.json` that matter here.
    fn parsed(&self) -> Option<TokenizerJson> {
        serde_json::from_slice(self.get(TOKENIZER_JSON)?).ok()
    }

    /// A warning about tokens for which the model has no embedding.
    fn tokens_beyond_table(&self, rows: usize) -> Option<Warning> {
        let TokenizerJson {
            added_tokens,
            model,
            ..
        } = self.parsed()?;
        let added = added_tokens.into_iter().map(|it| (it.id, it.content));
        let all = model.vocab.into_iter().map(|(token, id)| (id, token));
        let beyond: BTreeSet<(usize, String)> =
            all.chain(added).filter(|(id, _)| *id >= rows).collect();
        let (id, token) = beyond.first()?.clone();
        Some(Warning::TokensBeyondTable {
            token,
            id,
            count: beyond.len(),
            rows,
        })
    }

    /// A warning if transformers reads the checkpoint's own `tokenizer.json` otherwise than it
    /// says.
    fn overruled(&self) -> Option<Warning> {
        let settings = self.settings().ok()?;
        let found = self.parsed()?.normalizer?;
        if found.kind != "BertNormalizer" || !settings.overrule_tokenizer_json() {
            return None;
        }
        let lowercase = settings.do_lower_case.unwrap_or(true);
        let ideographs = settings.tokenize_chinese_chars.unwrap_or(true);
        let fields = [
            ("lowercase", found.lowercase, Some(lowercase)),
            (
                "handle_chinese_chars",
                found.handle_chinese_chars,
                Some(ideographs),
            ),
            ("strip_accents", found.strip_accents, settings.strip_accents),
        ];
        let mut fields = fields.into_iter();
        let (field, found, used) = fields.find(|(_, found, used)| found != used)?;
        Some(Warning::OverruledTokenizerJson { field, found, used })
    }
}

/// The parts of a `tokenizer.json` that are compared with the model and the files beside it.
#[derive(Deserialize)]
struct TokenizerJson {
    #[serde(default)]
    added_tokens: Vec<Added>,
    normalizer: Option<Normalizer>,
    model: Model,
}

#[derive(Deserialize)]
struct Added {
    id: usize,
    content: String,
}

#[derive(Deserialize)]
struct Normalizer {
    #[serde(rename = "type")]
    kind: String,
    lowercase: Option<bool>,
    handle_chinese_chars: Option<bool>,
    strip_accents: Option<bool>,
}

#[derive(Deserialize)]
struct Model {
    vocab: HashMap<String, usize>,
}
