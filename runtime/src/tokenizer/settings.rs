use std::path::Path;

use nezha_graphs::{Artifact, TokenizerFiles, TokenizerSettings};
use tokenizers::AddedToken;
use tokenizers::normalizers::BertNormalizer;

use super::TokenizerError;

/// transformers writes 1e30 for "no limit"; no sequence comes near this.
const NO_LIMIT: f64 = 1e9;

/// Reads the settings that an artifact has.
pub(super) fn read(artifact: &Artifact) -> Result<TokenizerSettings, TokenizerError> {
    let text = |name: &str| {
        artifact.text(name).map_err(|source| TokenizerError::Read {
            path: artifact.path_of(name),
            source,
        })
    };
    let [config, special, added] = [
        text("tokenizer_config.json")?,
        text("special_tokens_map.json")?,
        text("added_tokens.json")?,
    ];
    let files = TokenizerFiles {
        tokenizer_config: config.as_deref(),
        special_tokens_map: special.as_deref(),
        added_tokens: added.as_deref(),
    };
    parse(&files, artifact.origin())
}

/// Parses the settings in the files of `folder`.
pub(super) fn parse(
    files: &TokenizerFiles<'_>,
    folder: &Path,
) -> Result<TokenizerSettings, TokenizerError> {
    TokenizerSettings::read(files).map_err(|error| TokenizerError::Format {
        path: folder.join(error.file),
        reason: error.source.to_string(),
    })
}

/// Converts an added token to the tokenizers library's type.
pub(super) fn added(token: nezha_graphs::AddedToken) -> AddedToken {
    AddedToken::from(token.content, token.special)
        .single_word(token.single_word)
        .lstrip(token.lstrip)
        .rstrip(token.rstrip)
        .normalized(token.normalized)
}

/// The normalizer of `BertTokenizerFast`, with these settings.
pub(super) fn normalizer(settings: &TokenizerSettings, clean_text: bool) -> BertNormalizer {
    BertNormalizer::new(
        clean_text,
        settings.tokenize_chinese_chars.unwrap_or(true),
        settings.strip_accents,
        settings.do_lower_case.unwrap_or(true),
    )
}

/// The longest sequence, including special tokens; `None` if there is no limit.
pub(super) fn max_length(settings: &TokenizerSettings) -> Option<usize> {
    let length = settings
        .model_max_length
        .filter(|length| (1.0..NO_LIMIT).contains(length))?;
    Some(length as usize)
}
