//! Settings from the tokenizer files beside a vocabulary.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::DeserializeOwned;

/// The settings in `tokenizer_config.json`, `special_tokens_map.json` and `added_tokens.json`, as
/// transformers' `BertTokenizerFast` reads them.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct TokenizerSettings {
    /// Whether text is lower-cased; by default yes.
    pub do_lower_case: Option<bool>,
    /// Whether each Chinese character is a word of its own; by default yes.
    pub tokenize_chinese_chars: Option<bool>,
    /// Whether accents are removed. By default, and if null, they are removed if `do_lower_case` is
    /// true.
    pub strip_accents: Option<bool>,
    /// The most tokens of a sequence, including special tokens; 1e30 means no limit.
    pub model_max_length: Option<f64>,
    /// Whether decoding removes spaces before English punctuation. By default yes for `vocab.txt`
    /// and no for `tokenizer.json`, as in transformers 4.46.
    pub clean_up_tokenization_spaces: Option<bool>,
    tokenizer_class: Option<String>,
    unk_token: Option<Token>,
    sep_token: Option<Token>,
    pad_token: Option<Token>,
    cls_token: Option<Token>,
    mask_token: Option<Token>,
    additional_special_tokens: Option<Vec<Token>>,
    added_tokens_decoder: BTreeMap<u32, Token>,
}

/// The texts of the tokenizer files; `None` for a file that doesn't exist.
#[derive(Clone, Copy, Debug, Default)]
pub struct TokenizerFiles<'t> {
    /// `tokenizer_config.json`.
    pub tokenizer_config: Option<&'t str>,
    /// `special_tokens_map.json`, which is read only if `tokenizer_config.json` lists no added
    /// tokens.
    pub special_tokens_map: Option<&'t str>,
    /// `added_tokens.json`, which is read only under the same condition.
    pub added_tokens: Option<&'t str>,
}

/// A tokenizer file doesn't have the form in which transformers writes it.
#[derive(Debug, thiserror::Error)]
#[error("{file}: expected the form that transformers writes")]
pub struct TokenizerSettingsError {
    /// The file's name.
    pub file: &'static str,
    /// What is wrong.
    pub source: serde_json::Error,
}

/// A token that is matched in the text before the text is split.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddedToken {
    /// Its text.
    pub content: String,
    /// Whether it matches only as a whole word.
    pub single_word: bool,
    /// Whether it includes the spaces before it.
    pub lstrip: bool,
    /// Whether it includes the spaces after it.
    pub rstrip: bool,
    /// Whether it is matched in the normalized text.
    pub normalized: bool,
    /// Whether it is a special token, which decoding can skip.
    pub special: bool,
}

/// The role of a special token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenRole {
    /// Replaces tokens that the vocabulary lacks: `[UNK]`.
    Unknown,
    /// Ends a text: `[SEP]`.
    Separator,
    /// Pads a batch: `[PAD]`.
    Padding,
    /// Starts a sequence: `[CLS]`.
    Class,
    /// Replaces a token that the model predicts: `[MASK]`.
    Mask,
}

/// A token as its text alone, or with the rules for matching it.
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
            Token::Plain(content) => AddedToken::plain(content, special_by_role),
            Token::Full {
                content,
                single_word,
                lstrip,
                rstrip,
                normalized,
                special,
            } => {
                let special = *special || special_by_role;
                AddedToken {
                    single_word: *single_word,
                    lstrip: *lstrip,
                    rstrip: *rstrip,
                    normalized: normalized.unwrap_or(!special),
                    ..AddedToken::plain(content, special)
                }
            }
        }
    }
}

impl AddedToken {
    fn plain(content: &str, special: bool) -> Self {
        Self {
            content: content.to_owned(),
            single_word: false,
            lstrip: false,
            rstrip: false,
            normalized: !special,
            special,
        }
    }
}

impl TokenRole {
    /// All roles.
    pub const ALL: [TokenRole; 5] = [
        TokenRole::Unknown,
        TokenRole::Separator,
        TokenRole::Padding,
        TokenRole::Class,
        TokenRole::Mask,
    ];

    /// The name of its field in `tokenizer_config.json`.
    pub fn field(self) -> &'static str {
        match self {
            TokenRole::Unknown => "unk_token",
            TokenRole::Separator => "sep_token",
            TokenRole::Padding => "pad_token",
            TokenRole::Class => "cls_token",
            TokenRole::Mask => "mask_token",
        }
    }

    fn default_token(self) -> &'static str {
        match self {
            TokenRole::Unknown => "[UNK]",
            TokenRole::Separator => "[SEP]",
            TokenRole::Padding => "[PAD]",
            TokenRole::Class => "[CLS]",
            TokenRole::Mask => "[MASK]",
        }
    }
}

impl TokenizerSettings {
    /// Reads the files that exist.
    ///
    /// # Errors
    /// [`TokenizerSettingsError`] for the first file that is not JSON, or has a field of the wrong
    /// type.
    pub fn read(files: &TokenizerFiles) -> Result<Self, TokenizerSettingsError> {
        let mut settings: Self = json("tokenizer_config.json", files.tokenizer_config)?;
        // Newer checkpoints have everything in one file; older ones in three.
        if settings.added_tokens_decoder.is_empty() {
            settings.replace_special(json("special_tokens_map.json", files.special_tokens_map)?);
            let added: BTreeMap<String, u32> = json("added_tokens.json", files.added_tokens)?;
            let tokens = added
                .into_iter()
                .map(|(token, id)| (id, Token::Plain(token)));
            settings.added_tokens_decoder = tokens.collect();
        }
        Ok(settings)
    }

    /// Whether these settings and the defaults decide about case, accents and Chinese characters,
    /// even if a `tokenizer.json` says otherwise. transformers' `BertTokenizerFast` behaves so, and
    /// it is NEZHA's tokenizer unless another class is named.
    pub fn overrule_tokenizer_json(&self) -> bool {
        let class = self.tokenizer_class.as_deref();
        class.is_none_or(|class| class.starts_with("Bert"))
    }

    fn replace_special(&mut self, other: Self) {
        self.unk_token = other.unk_token.or(self.unk_token.take());
        self.sep_token = other.sep_token.or(self.sep_token.take());
        self.pad_token = other.pad_token.or(self.pad_token.take());
        self.cls_token = other.cls_token.or(self.cls_token.take());
        self.mask_token = other.mask_token.or(self.mask_token.take());
        self.additional_special_tokens = other
            .additional_special_tokens
            .or(self.additional_special_tokens.take());
    }

    fn special(&self, role: TokenRole) -> Option<&Token> {
        match role {
            TokenRole::Unknown => self.unk_token.as_ref(),
            TokenRole::Separator => self.sep_token.as_ref(),
            TokenRole::Padding => self.pad_token.as_ref(),
            TokenRole::Class => self.cls_token.as_ref(),
            TokenRole::Mask => self.mask_token.as_ref(),
        }
    }

    /// The text of the token with this role.
    pub fn token(&self, role: TokenRole) -> &str {
        self.special(role)
            .map_or(role.default_token(), Token::content)
    }

    /// The special tokens of all roles, with the rules for matching them.
    pub fn special_tokens(&self) -> impl Iterator<Item = AddedToken> {
        TokenRole::ALL
            .into_iter()
            .map(|role| match self.special(role) {
                Some(token) => token.to_added(true),
                None => AddedToken::plain(role.default_token(), true),
            })
    }

    /// The tokens that were added to the vocabulary: first those with an id, by id, then the
    /// additional special tokens in their order.
    pub fn added_tokens(&self) -> impl Iterator<Item = AddedToken> {
        let has_role = |token: &Token| {
            TokenRole::ALL
                .iter()
                .any(|it| self.token(*it) == token.content())
        };
        let listed = self.added_tokens_decoder.values();
        let additional = self.additional_special_tokens.iter().flatten();
        listed
            .map(move |token| token.to_added(has_role(token)))
            .chain(additional.map(|token| token.to_added(true)))
    }
}

/// Parses the content of a file; returns the default if the file doesn't exist.
fn json<T: Default + DeserializeOwned>(
    file: &'static str,
    text: Option<&str>,
) -> Result<T, TokenizerSettingsError> {
    let parsed = text.map(serde_json::from_str).transpose();
    Ok(parsed
        .map_err(|source| TokenizerSettingsError { file, source })?
        .unwrap_or_default())
}
