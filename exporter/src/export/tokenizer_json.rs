//! Makes `tokenizer.json` from `vocab.txt`, as transformers 4.46.3's `BertTokenizerFast` saves it.
//! Most stacks read no other file.

use std::collections::{BTreeMap, HashMap};

use nezha_graphs::{AddedToken, TokenRole, TokenizerSettings, Vocabulary};
use serde::Serialize;
use serde_json::{Map, Value, json};

/// The text of `tokenizer.json`.
///
/// # Errors
/// The first special token that the vocabulary doesn't have, and its role. transformers would give
/// it a new id, for which the model has no embedding.
pub(super) fn tokenizer_json(
    vocabulary: &Vocabulary,
    settings: &TokenizerSettings,
) -> Result<String, (String, TokenRole)> {
    let mut roles = HashMap::new();
    for role in TokenRole::ALL {
        let token = settings.token(role);
        let id = vocabulary.id(token);
        let id = id.ok_or_else(|| (token.to_owned(), role))?;
        roles.insert(role.field(), (token, id));
    }
    let role = |role: TokenRole| roles.get(role.field()).copied().unwrap_or_default();
    let [class, separator] = [role(TokenRole::Class), role(TokenRole::Separator)];
    let document = Document {
        version: "1.0",
        truncation: None,
        padding: None,
        added_tokens: added_tokens(vocabulary, settings),
        normalizer: json!({
            "type": "BertNormalizer",
            "clean_text": true,
            "handle_chinese_chars": settings.tokenize_chinese_chars.unwrap_or(true),
            "strip_accents": settings.strip_accents,
            "lowercase": settings.do_lower_case.unwrap_or(true),
        }),
        pre_tokenizer: json!({"type": "BertPreTokenizer"}),
        post_processor: post_processor(class, separator),
        decoder: json!({"type": "WordPiece", "prefix": "##", "cleanup": true}),
        model: json!({
            "type": "WordPiece",
            "unk_token": settings.token(TokenRole::Unknown),
            "continuing_subword_prefix": "##",
            "max_input_chars_per_word": 100,
            "vocab": by_id(vocabulary),
        }),
    };
    Ok(serde_json::to_string_pretty(&document).unwrap_or_default())
}

/// The fields in the order in which the tokenizers library writes them.
#[derive(Serialize)]
struct Document {
    version: &'static str,
    truncation: Option<Value>,
    padding: Option<Value>,
    added_tokens: Vec<Value>,
    normalizer: Value,
    pre_tokenizer: Value,
    post_processor: Value,
    decoder: Value,
    model: Value,
}

/// Tokens and ids, in the order of the ids.
fn by_id(vocabulary: &Vocabulary) -> Map<String, Value> {
    let pairs = vocabulary.by_id().into_iter();
    pairs
        .map(|(token, id)| (token.to_owned(), id.into()))
        .collect()
}

/// Special and added tokens, by id. A token that is not in the vocabulary gets the next id, counted
/// from the number of different tokens. The tokenizers library counts so too, even if lines of
/// `vocab.txt` are equal and there are higher ids.
fn added_tokens(vocabulary: &Vocabulary, settings: &TokenizerSettings) -> Vec<Value> {
    let mut next = vocabulary.len();
    let mut added: BTreeMap<usize, AddedToken> = BTreeMap::new();
    for token in settings.added_tokens().chain(settings.special_tokens()) {
        if added.values().any(|it| it.content == token.content) {
            continue;
        }
        let id = vocabulary.id(&token.content).map(|id| id as usize);
        let id = id.unwrap_or_else(|| {
            next += 1;
            next - 1
        });
        added.insert(id, token);
    }
    let entry = |(id, token): (usize, AddedToken)| {
        json!({
            "id": id,
            "content": token.content,
            "single_word": token.single_word,
            "lstrip": token.lstrip,
            "rstrip": token.rstrip,
            "normalized": token.normalized,
            "special": token.special,
        })
    };
    added.into_iter().map(entry).collect()
}

/// `[CLS] A [SEP]`, and `[CLS] A [SEP] B [SEP]` with B of type 1.
fn post_processor(class: (&str, u32), separator: (&str, u32)) -> Value {
    let special = |(token, _): (&str, u32), type_id: usize| json!({"SpecialToken": {"id": token, "type_id": type_id}});
    let text = |name: &str, type_id: usize| json!({"Sequence": {"id": name, "type_id": type_id}});
    let single = vec![special(class, 0), text("A", 0), special(separator, 0)];
    let mut pair = single.clone();
    pair.extend([text("B", 1), special(separator, 1)]);
    // The library sorts them by their texts.
    let tokens: BTreeMap<&str, Value> = [class, separator]
        .map(|(token, id)| (token, json!({"id": token, "ids": [id], "tokens": [token]})))
        .into();
    json!({
        "type": "TemplateProcessing",
        "single": single,
        "pair": pair,
        "special_tokens": tokens,
    })
}
