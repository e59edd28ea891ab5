//! What the files beside a vocabulary say about how text becomes tokens.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::DeserializeOwned;

/// What `tokenizer_config.json`, `special_tokens_map.json` and `added_tokens.json` say, as
/// transformers' `BertTokenizerFast` reads them.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct TokenizerSettings {
    /// Whether capitals become small letters; absent means yes.
    pub do_lower_case: Option<bool>,
    /// Whether every ideograph is a word; absent means yes.
    pub tokenize_chinese_chars: Option<bool>,
    /// Whether accents go. Absent and null both mean: as `do_lower_case`.
    pub strip_accents: Option<bool>,
    /// The longest sequence, special tokens included; 1e30 means no limit.
    pub model_max_length: Option<f64>,
    /// Whether blanks before English punctuation go from text that is made of tokens. Absent means
    /// yes for `vocab.txt` and no for `tokenizer.json`, as in transformers 4.46.
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

/// The texts of the files, as far as they are there.
#[derive(Clone, Copy, Debug, Default)]
pub struct TokenizerFiles<'t> {
    /// `tokenizer_config.json`.
    pub tokenizer_config: Option<&'t str>,
    /// `special_tokens_map.json`, which is read where the first one lists no added tokens.
    pub special_tokens_map: Option<&'t str>,
    /// `added_tokens.json`, likewise.
    pub added_tokens: Option<&'t str>,
}

/// A file that is not as transformers writes it.
#[derive(Debug, thiserror::Error)]
#[error("{file}: not as transformers writes it")]
pub struct TokenizerSettingsError {
    /// Its name.
    pub file: &'static str,
    /// What is wrong.
    pub source: serde_json::Error,
}

/// A token that is found in the text before anything else is done to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddedToken {
    /// Its text.
    pub content: String,
    /// Whether it has to stand alone.
    pub single_word: bool,
    /// Whether it takes the blanks before it.
    pub lstrip: bool,
    /// Whether it takes the blanks behind it.
    pub rstrip: bool,
    /// Whether it is looked for in the normalised text.
    pub normalized: bool,
    /// Whether it is left out where special tokens are.
    pub special: bool,
}

/// The part that a special token plays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenRole {
    /// What the vocabulary lacks.
    Unknown,
    /// The end of a text.
    Separator,
    /// What fills up a batch.
    Padding,
    /// The start of a sequence.
    Class,
    /// A word that is hidden.
    Mask,
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

    /// The field of `tokenizer_config.json`.
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
    /// Reads what there is.
    ///
    /// # Errors
    /// The first file that is no JSON, or holds something of another type.
    pub fn read(files: &TokenizerFiles) -> Result<Self, TokenizerSettingsError> {
        let mut settings: Self = json("tokenizer_config.json", files.tokenizer_config)?;
        // Newer checkpoints have everything in the one file; older ones spread it over three.
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

    /// Whether case, accents and ideographs are decided here and by the defaults, whatever a
    /// `tokenizer.json` says: transformers' `BertTokenizerFast` does so, which is NEZHA's where no
    /// other class is named.
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

    /// The token that plays a role.
    pub fn token(&self, role: TokenRole) -> &str {
        self.special(role)
            .map_or(role.default_token(), Token::content)
    }

    /// The tokens with a role, as they are matched before the text is split.
    pub fn special_tokens(&self) -> impl Iterator<Item = AddedToken> {
        TokenRole::ALL
            .into_iter()
            .map(|role| match self.special(role) {
                Some(token) => token.to_added(true),
                None => AddedToken::plain(role.default_token(), true),
            })
    }

    /// Tokens that were added to the vocabulary: those with an id in its order, then the others as
    /// listed.
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

/// The content of a file; the default where there is none.
fn json<T: Default + DeserializeOwned>(
    file: &'static str,
    text: Option<&str>,
) -> Result<T, TokenizerSettingsError> {
    let parsed = text.map(serde_json::from_str).transpose();
    Ok(parsed
        .map_err(|source| TokenizerSettingsError { file, source })?
        .unwrap_or_default())
}
