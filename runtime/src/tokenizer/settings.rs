use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;

use serde::Deserialize;
use tokenizers::AddedToken;
use tokenizers::normalizers::BertNormalizer;

use super::TokenizerError;

/// transformers writes 1e30 for "no limit"; no sequence comes near this.
const NO_LIMIT: f64 = 1e9;

/// What `tokenizer_config.json`, `special_tokens_map.json` and `added_tokens.json` say.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Settings {
    do_lower_case: Option<bool>,
    tokenize_chinese_chars: Option<bool>,
    /// Absent and null both mean: as `do_lower_case`.
    strip_accents: Option<bool>,
    model_max_length: Option<f64>,
    unk_token: Option<Token>,
    sep_token: Option<Token>,
    pad_token: Option<Token>,
    cls_token: Option<Token>,
    mask_token: Option<Token>,
    additional_special_tokens: Option<Vec<Token>>,
    added_tokens_decoder: BTreeMap<u32, Token>,
}

/// A token, as its text or with how it is matched.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
enum Token {
    Plain(String),
    Full {
        content: String,
        #[serde(default)]
        single_word: bool,
        #[serde(default)]
        lstrip: bool,
        #[serde(default)]
        rstrip: bool,
        normalized: Option<bool>,
        #[serde(default)]
        special: bool,
    },
}

impl Token {
    fn content(&self) -> &str {
        match self {
            Token::Plain(content) | Token::Full { content, .. } => content,
        }
    }

    fn to_added(&self, special_by_role: bool) -> AddedToken {
        match self {
            Token::Plain(content) => AddedToken::from(content.as_str(), special_by_role),
            Token::Full {
                content,
                single_word,
                lstrip,
                rstrip,
                normalized,
                special,
            } => {
                let special = *special || special_by_role;
                AddedToken::from(content.as_str(), special)
                    .single_word(*single_word)
                    .lstrip(*lstrip)
                    .rstrip(*rstrip)
                    .normalized(normalized.unwrap_or(!special))
            }
        }
    }
}

/// The part that a special token plays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Unknown,
    Separator,
    Padding,
    Class,
    Mask,
}

impl Role {
    const ALL: [Role; 5] = [
        Role::Unknown,
        Role::Separator,
        Role::Padding,
        Role::Class,
        Role::Mask,
    ];

    /// The field of tokenizer_config.json.
    pub(super) fn field(self) -> &'static str {
        match self {
            Role::Unknown => "unk_token",
            Role::Separator => "sep_token",
            Role::Padding => "pad_token",
            Role::Class => "cls_token",
            Role::Mask => "mask_token",
        }
    }

    fn default_token(self) -> &'static str {
        match self {
            Role::Unknown => "[UNK]",
            Role::Separator => "[SEP]",
            Role::Padding => "[PAD]",
            Role::Class => "[CLS]",
            Role::Mask => "[MASK]",
        }
    }
}

impl Settings {
    /// Reads what there is in a folder.
    pub(super) fn read(folder: &Path) -> Result<Self, TokenizerError> {
        let mut settings: Settings = json(&folder.join("tokenizer_config.json"))?;
        // Newer checkpoints have everything in the one file; older ones spread it over three.
        if settings.added_tokens_decoder.is_empty() {
            settings.replace_special(json(&folder.join("special_tokens_map.json"))?);
            let added: BTreeMap<String, u32> = json(&folder.join("added_tokens.json"))?;
            let tokens = added
                .into_iter()
                .map(|(token, id)| (id, Token::Plain(token)));
            settings.added_tokens_decoder = tokens.collect();
        }
        Ok(settings)
    }

    fn replace_special(&mut self, other: Settings) {
        self.unk_token = other.unk_token.or(self.unk_token.take());
        self.sep_token = other.sep_token.or(self.sep_token.take());
        self.pad_token = other.pad_token.or(self.pad_token.take());
        self.cls_token = other.cls_token.or(self.cls_token.take());
        self.mask_token = other.mask_token.or(self.mask_token.take());
        self.additional_special_tokens = other
            .additional_special_tokens
            .or(self.additional_special_tokens.take());
    }

    fn special(&self, role: Role) -> Option<&Token> {
        match role {
            Role::Unknown => self.unk_token.as_ref(),
            Role::Separator => self.sep_token.as_ref(),
            Role::Padding => self.pad_token.as_ref(),
            Role::Class => self.cls_token.as_ref(),
            Role::Mask => self.mask_token.as_ref(),
        }
    }

    /// The token that plays a role.
    pub(super) fn token(&self, role: Role) -> &str {
        self.special(role)
            .map_or(role.default_token(), Token::content)
    }

    /// The tokens with a role, as they are matched before the text is split.
    pub(super) fn special_tokens(&self) -> impl Iterator<Item = AddedToken> {
        Role::ALL.into_iter().map(|role| match self.special(role) {
            Some(token) => token.to_added(true),
            None => AddedToken::from(role.default_token(), true),
        })
    }

    /// Tokens that were added to the vocabulary, by id and then as listed.
    pub(super) fn added_tokens(&self) -> impl Iterator<Item = AddedToken> {
        let has_role = |token: &Token| {
            Role::ALL
                .iter()
                .any(|it| self.token(*it) == token.content())
        };
        let listed = self.added_tokens_decoder.values();
        let additional = self.additional_special_tokens.iter().flatten();
        listed
            .map(move |token| token.to_added(has_role(token)))
            .chain(additional.map(|token| token.to_added(true)))
    }

    /// The normalizer with what the files say; `found` decides what they leave open.
    pub(super) fn normalizer(&self, found: BertNormalizer) -> BertNormalizer {
        BertNormalizer::new(
            found.clean_text,
            self.tokenize_chinese_chars
                .unwrap_or(found.handle_chinese_chars),
            self.strip_accents.or(found.strip_accents),
            self.do_lower_case.unwrap_or(found.lowercase),
        )
    }

    /// The longest sequence, special tokens included; none where there is no limit.
    pub(super) fn max_length(&self) -> Option<usize> {
        let length = self
            .model_max_length
            .filter(|length| (1.0..NO_LIMIT).contains(length))?;
        Some(length as usize)
    }
}

/// The content of a JSON file; the default where there is no such file.
fn json<T: Default + serde::de::DeserializeOwned>(path: &Path) -> Result<T, TokenizerError> {
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(T::default()),
        Err(source) => {
            return Err(TokenizerError::Read {
                path: path.to_owned(),
                source,
            });
        }
    };
    serde_json::from_slice(&bytes).map_err(|error| TokenizerError::Format {
        path: path.to_owned(),
        reason: error.to_string(),
    })
}
