//! Turns text into tokens, as transformers' `BertTokenizerFast` does.
//!
//! A folder has a tokenizer as `tokenizer.json`, or as `vocab.txt` with BERT's rules for Chinese:
//! control characters are removed, every ideograph is a word, accents and capitals are removed if
//! `do_lower_case` is set, and words are split into pieces by longest match.

mod clean_up;
mod encoding;
mod error;
mod sequences;
mod settings;
mod templates;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use nezha_graphs::{
    Artifact, TokenRole as Role, TokenizerFiles, TokenizerSettings as Settings, Vocabulary,
};
use tokenizers::decoders::wordpiece::WordPiece as WordPieceDecoder;
use tokenizers::models::wordpiece::WordPiece;
use tokenizers::pre_tokenizers::bert::BertPreTokenizer;
use tokenizers::processors::template::TemplateProcessing;
use tokenizers::{AddedToken, Decoder, NormalizerWrapper};

pub use encoding::Encoding;
pub use error::TokenizerError;

/// The maximum length if no file sets one: BERT and NEZHA are trained on this length.
const DEFAULT_MAX_LENGTH: usize = 512;

/// Turns text into token ids and back.
///
/// ```no_run
/// use nezha_runtime::Tokenizer;
///
/// let tokenizer = Tokenizer::load("models/nezha-tiny-zh")?;
/// let encoding = tokenizer.encode("我喜欢", None, tokenizer.max_length())?;
/// assert_eq!(encoding.ids, [101, 2769, 1599, 3614, 102]);
/// assert_eq!(encoding.offsets[1], (0, 1));
/// # Ok::<(), nezha_runtime::TokenizerError>(())
/// ```
pub struct Tokenizer {
    inner: tokenizers::Tokenizer,
    max_length: usize,
    text_limit: Option<usize>,
    clean_up: bool,
    unknown: u32,
    padding: u32,
    class: u32,
    separator: u32,
    mask: Option<u32>,
    /// The limit that all ids are below, if it is known.
    ids_below: Option<usize>,
}

/// Omits the vocabulary, which would take pages.
impl fmt::Debug for Tokenizer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tokenizer")
            .field("vocabulary", &self.inner.get_vocab_size(true))
            .field("max_length", &self.max_length)
            .finish_non_exhaustive()
    }
}

/// The content of the file with the vocabulary.
#[derive(Clone, Copy, Debug)]
pub enum VocabularyFile<'b> {
    /// `tokenizer.json`: the vocabulary and the rules to split text.
    Json(&'b [u8]),
    /// `vocab.txt`: one token per line; text is split by BERT's rules for Chinese.
    Lines(&'b [u8]),
}

impl VocabularyFile<'_> {
    fn name(self) -> &'static str {
        match self {
            VocabularyFile::Json(_) => "tokenizer.json",
            VocabularyFile::Lines(_) => "vocab.txt",
        }
    }
}

impl Tokenizer {
    /// Reads `tokenizer.json`, or else `vocab.txt`, from a folder, and the settings beside it.
    ///
    /// # Errors
    /// [`TokenizerError::Missing`], [`TokenizerError::Read`], [`TokenizerError::Format`],
    /// [`TokenizerError::SpecialToken`].
    pub fn load(folder: impl AsRef<Path>) -> Result<Self, TokenizerError> {
        Self::from_artifact(&Artifact::in_folder(folder.as_ref()))
    }

    /// Like [`load`](Self::load), for an artifact.
    ///
    /// # Errors
    /// Those of [`load`](Self::load).
    pub fn from_artifact(artifact: &Artifact) -> Result<Self, TokenizerError> {
        const JSON: &str = "tokenizer.json";
        const LINES: &str = "vocab.txt";
        let settings = settings::read(artifact)?;
        let read = |part: &str| read(artifact, part);
        if artifact.has(JSON) {
            let file = VocabularyFile::Json(&read(JSON)?);
            Self::of(file, artifact.path_of(JSON), &settings)
        } else if artifact.has(LINES) {
            let file = VocabularyFile::Lines(&read(LINES)?);
            Self::of(file, artifact.path_of(LINES), &settings)
        } else {
            Err(TokenizerError::Missing {
                folder: artifact.origin().to_owned(),
            })
        }
    }

    /// Like [`load`](Self::load), from the content of the files; errors name the files without a
    /// folder.
    ///
    /// # Errors
    /// [`TokenizerError::Format`], [`TokenizerError::SpecialToken`].
    pub fn from_bytes(
        vocabulary: VocabularyFile<'_>,
        files: &TokenizerFiles<'_>,
    ) -> Result<Self, TokenizerError> {
        let settings = settings::parse(files, Path::new(""))?;
        Self::of(vocabulary, vocabulary.name().into(), &settings)
    }

    /// Creates a tokenizer from the content of the file at `path`.
    fn of(
        vocabulary: VocabularyFile<'_>,
        path: PathBuf,
        settings: &Settings,
    ) -> Result<Self, TokenizerError> {
        match vocabulary {
            VocabularyFile::Json(bytes) => {
                let inner = from_json(bytes, &path, settings)?;
                Self::new(inner, path, settings, false)
            }
            VocabularyFile::Lines(bytes) => {
                let vocabulary =
                    Vocabulary::read(bytes).map_err(|error| TokenizerError::Format {
                        path: path.clone(),
                        reason: error.to_string(),
                    })?;
                let lines = vocabulary.len() + vocabulary.repeated.len();
                let ids_below = lines + settings.added_tokens().count();
                let inner = from_vocabulary(vocabulary, &path, settings)?;
                Ok(Self {
                    ids_below: Some(ids_below),
                    ..Self::new(inner, path, settings, true)?
                })
            }
        }
    }

    fn new(
        inner: tokenizers::Tokenizer,
        path: PathBuf,
        settings: &Settings,
        clean_up: bool,
    ) -> Result<Self, TokenizerError> {
        let id = |role| special_id(&inner, settings, role, &path);
        Ok(Self {
            clean_up: settings.clean_up_tokenization_spaces.unwrap_or(clean_up),
            unknown: id(Role::Unknown)?,
            padding: id(Role::Padding)?,
            class: id(Role::Class)?,
            separator: id(Role::Separator)?,
            mask: inner.token_to_id(settings.token(Role::Mask)),
            max_length: settings::max_length(settings).unwrap_or(DEFAULT_MAX_LENGTH),
            text_limit: None,
            ids_below: None,
            inner,
        })
    }

    /// Sets a limit for the UTF-8 bytes of a text.
    pub(crate) fn with_text_limit(mut self, limit: Option<usize>) -> Self {
        self.text_limit = limit;
        self
    }

    /// The longest sequence that the model was made for, including special tokens:
    /// `model_max_length` of `tokenizer_config.json`, or 512 if it sets none.
    ///
    /// A NEZHA graph takes longer sequences, but was not trained on them.
    pub fn max_length(&self) -> usize {
        self.max_length
    }

    /// The id of the token for text that is not in the vocabulary.
    pub fn unknown_id(&self) -> u32 {
        self.unknown
    }

    /// The id of the token that pads sequences.
    pub fn padding_id(&self) -> u32 {
        self.padding
    }

    /// The id of the token at the start of a sequence.
    pub fn class_id(&self) -> u32 {
        self.class
    }

    /// The id of the token at the end of a text.
    pub fn separator_id(&self) -> u32 {
        self.separator
    }

    /// The id of the token that hides a word; `None` if the vocabulary has none.
    pub fn mask_id(&self) -> Option<u32> {
        self.mask
    }

    /// The id of a token; `None` if it is not in the vocabulary.
    pub fn token_to_id(&self, token: &str) -> Option<u32> {
        self.inner.token_to_id(token)
    }

    /// The token with an id; `None` if the vocabulary has no such id.
    pub fn id_to_token(&self, id: u32) -> Option<String> {
        // Added tokens are returned as they were added; the tokenizers crate returns their
        // normalized form.
        let added = self.inner.get_added_vocabulary().get_added_tokens_decoder();
        match added.get(&id) {
            Some(token) => Some(token.content.clone()),
            None => self.inner.id_to_token(id),
        }
    }

    /// The tokens whose ids are `rows` or more, sorted by id: a model with embeddings for `rows`
    /// tokens can't read them.
    pub fn tokens_beyond(&self, rows: usize) -> Vec<(String, u32)> {
        if self.ids_below.is_some_and(|it| it <= rows) {
            return Vec::new();
        }
        let tokens = self.inner.get_vocab(true).into_iter();
        let mut beyond: Vec<_> = tokens.filter(|(_, id)| *id as usize >= rows).collect();
        beyond.sort_by(|(a, x), (b, y)| (x, a).cmp(&(y, b)));
        beyond
    }

    /// The first difference from another tokenizer, as text for this one and for the other; `None`
    /// if both give the same tokens for every text.
    pub(crate) fn difference(&self, other: &Self) -> Option<[String; 2]> {
        let vocabularies = [self, other].map(|it| {
            let tokens = it.inner.get_vocab(true).into_iter();
            let tokens = tokens.map(|(token, id)| (id, token));
            tokens.collect::<BTreeMap<u32, String>>()
        });
        let ids = vocabularies.iter().flat_map(BTreeMap::keys);
        let [ours, others] = &vocabularies;
        let different = |id: &&u32| ours.get(*id) != others.get(*id);
        if let Some(id) = ids
            .copied()
            .collect::<BTreeSet<u32>>()
            .iter()
            .find(different)
        {
            let at = |of: &BTreeMap<u32, String>| match of.get(id) {
                Some(token) => format!("'{token}' at {id}"),
                None => format!("nothing at {id}"),
            };
            return Some([at(ours), at(others)]);
        }
        // If the vocabularies are the same, the rules can still differ with the kind of file.
        let rules = [self, other].map(|it| format!("{:?}", it.inner.get_normalizer()));
        (rules[0] != rules[1]).then_some(rules)
    }

    /// The ids of a text, without special tokens.
    ///
    /// # Errors
    /// [`TokenizerError::Failed`]; in a pipeline with limits also [`TokenizerError::TextTooLong`].
    pub fn ids(&self, text: &str) -> Result<Vec<u32>, TokenizerError> {
        Ok(self.pieces(text, 0)?.get_ids().to_vec())
    }

    /// Turns ids into text: the pieces of a word are joined, and words are separated by blanks.
    /// There is no blank before English punctuation if `clean_up_tokenization_spaces` is set in
    /// `tokenizer_config.json`, or by default with `vocab.txt`.
    ///
    /// # Errors
    /// [`TokenizerError::Failed`].
    pub fn decode(&self, ids: &[u32], skip_special_tokens: bool) -> Result<String, TokenizerError> {
        let added = self.inner.get_added_vocabulary();
        let tokens = ids.iter().filter_map(|id| self.id_to_token(*id));
        let kept = tokens.filter(|token| !(skip_special_tokens && added.is_special_token(token)));
        let text = self.join(kept.collect())?;
        Ok(match self.clean_up {
            true => clean_up::without_stray_blanks(text),
            false => text,
        })
    }

    /// Turns tokens into text: the pieces of a word are joined, and words are separated by blanks.
    ///
    /// # Errors
    /// [`TokenizerError::Failed`].
    pub fn join(&self, tokens: Vec<String>) -> Result<String, TokenizerError> {
        match self.inner.get_decoder() {
            Some(decoder) => decoder.decode(tokens).map_err(failed),
            None => Ok(tokens.join(" ")),
        }
    }
}

fn failed(error: tokenizers::Error) -> TokenizerError {
    TokenizerError::Failed {
        reason: error.to_string(),
    }
}

fn special_id(
    tokenizer: &tokenizers::Tokenizer,
    settings: &Settings,
    role: Role,
    path: &Path,
) -> Result<u32, TokenizerError> {
    let token = settings.token(role);
    tokenizer
        .token_to_id(token)
        .ok_or_else(|| TokenizerError::SpecialToken {
            path: path.to_owned(),
            token: token.to_owned(),
            role: role.field(),
        })
}

fn from_json(
    bytes: &[u8],
    path: &Path,
    settings: &Settings,
) -> Result<tokenizers::Tokenizer, TokenizerError> {
    let format = |error: tokenizers::Error| TokenizerError::Format {
        path: path.to_owned(),
        reason: error.to_string(),
    };
    // The tokenizers crate panics on a decoder that isn't valid JSON.
    serde_json::from_slice::<serde_json::Value>(bytes).map_err(|error| format(error.into()))?;
    let mut tokenizer = tokenizers::Tokenizer::from_bytes(bytes).map_err(format)?;
    let processor = serde_json::to_value(tokenizer.get_post_processor());
    let processor = processor.map_err(|error| format(error.into()))?;
    templates::check(&processor).map_err(|reason| format(reason.into()))?;
    if let Some(NormalizerWrapper::BertNormalizer(found)) = tokenizer.get_normalizer()
        && settings.overrule_tokenizer_json()
    {
        let normalizer = settings::normalizer(settings, found.clean_text);
        tokenizer
            .with_normalizer(Some(normalizer))
            .map_err(format)?;
    }
    // Truncation and padding are parameters of each call.
    tokenizer.with_truncation(None).map_err(format)?;
    tokenizer.with_padding(None);
    Ok(tokenizer)
}

fn from_vocabulary(
    vocabulary: Vocabulary,
    path: &Path,
    settings: &Settings,
) -> Result<tokenizers::Tokenizer, TokenizerError> {
    let invalid = |reason: String| TokenizerError::Format {
        path: path.to_owned(),
        reason,
    };
    let failed = |error: tokenizers::Error| invalid(error.to_string());
    // Reading no bytes is the only public way to an empty map of the type that the builder takes.
    let mut ids = WordPiece::read_bytes(&[]).map_err(failed)?;
    ids.extend(vocabulary.into_ids());
    let model = WordPiece::builder()
        .vocab(ids)
        .unk_token(settings.token(Role::Unknown).to_owned())
        .build()
        .map_err(failed)?;
    let mut tokenizer = tokenizers::Tokenizer::new(model);
    let (class, separator) = (settings.token(Role::Class), settings.token(Role::Separator));
    let class_id = special_id(&tokenizer, settings, Role::Class, path)?;
    let separator_id = special_id(&tokenizer, settings, Role::Separator, path)?;
    let template = TemplateProcessing::builder()
        .try_single(format!("{class}:0 $A:0 {separator}:0"))
        .and_then(|it| it.try_pair(format!("{class}:0 $A:0 {separator}:0 $B:1 {separator}:1")))
        .map_err(invalid)?
        .special_tokens(vec![(class, class_id), (separator, separator_id)])
        .build()
        .map_err(|error| invalid(error.to_string()))?;
    tokenizer
        .with_normalizer(Some(settings::normalizer(settings, true)))
        .map_err(failed)?
        .with_pre_tokenizer(Some(BertPreTokenizer))
        .with_post_processor(Some(template))
        .with_decoder(Some(WordPieceDecoder::default()));
    // Here an unknown token would get a new id, for which the model has no embedding.
    let known = |token: &AddedToken| tokenizer.token_to_id(&token.content).is_some();
    let special = settings.special_tokens().map(settings::added);
    let special: Vec<AddedToken> = special.filter(known).collect();
    let added = settings.added_tokens().map(settings::added).chain(special);
    tokenizer.add_tokens(added).map_err(failed)?;
    Ok(tokenizer)
}

fn read(artifact: &Artifact, part: &str) -> Result<Bytes, TokenizerError> {
    let bytes = artifact.part(part).map_err(|source| TokenizerError::Read {
        path: artifact.path_of(part),
        source,
    })?;
    Ok(bytes.unwrap_or_default())
}
