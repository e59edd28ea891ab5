//! The tokenizer against transformers' `BertTokenizerFast`.

use std::fs;
use std::path::Path;

use nezha_exporter::checkpoint::{Checkpoint, OpenOptions};
use nezha_exporter::{ExportOptions, Warning, export};
use nezha_graphs::error_chain;
use nezha_runtime::{Tokenizer, TokenizerError};
use safetensors::SafeTensors;
use serde_json::{Value, json};
use tempfile::TempDir;
use testkit::compare::pairs;

use crate::artifacts::{checkpoint, fixture, json, lines};

const ANY_LENGTH: usize = 1 << 20;

fn bundled() -> Tokenizer {
    Tokenizer::load(checkpoint("nezha-tiny-zh")).unwrap()
}

/// A folder with the bundled vocabulary and a `tokenizer_config.json`.
fn folder(settings: &Value) -> TempDir {
    let folder = TempDir::new().unwrap();
    fs::copy(
        checkpoint("nezha-tiny-zh").join("vocab.txt"),
        folder.path().join("vocab.txt"),
    )
    .unwrap();
    fs::write(
        folder.path().join("tokenizer_config.json"),
        settings.to_string(),
    )
    .unwrap();
    folder
}

fn numbers(tensors: &SafeTensors<'_>, name: &str) -> Vec<usize> {
    let bytes = tensors.tensor(name).unwrap().data();
    let pairs = bytes.chunks_exact(2);
    pairs
        .map(|pair| u16::from_le_bytes([pair[0], pair[1]]).into())
        .collect()
}

#[test]
fn ids_and_character_offsets_are_those_of_transformers() {
    let bytes = fs::read(fixture("tokens.safetensors")).unwrap();
    let tensors = SafeTensors::deserialize(&bytes).unwrap();
    let [lengths, ids, starts, ends] =
        ["lengths", "ids", "starts", "ends"].map(|name| numbers(&tensors, name));
    let (tokenizer, lines) = (bundled(), lines());
    assert!(lines.len() >= 2_000);
    let mut at = 0;
    for (line, length) in pairs("tokens.safetensors", &lines, lengths) {
        let found = tokenizer.encode(line, None, ANY_LENGTH).unwrap();
        let found_ids: Vec<usize> = found.ids.iter().map(|id| *id as usize).collect();
        assert_eq!(found_ids, ids[at..at + length], "ids of {line:?}");
        let expected: Vec<(usize, usize)> =
            (at..at + length).map(|at| (starts[at], ends[at])).collect();
        assert_eq!(found.offsets, expected, "offsets of {line:?}");
        at += length;
    }
    assert_eq!(at, ids.len());
}

/// Lines are split as transformers splits them under the settings of the case.
fn assert_encode(tokenizer: &Tokenizer, case: &Value) {
    let (lines, settings) = (case["lines"].as_array().unwrap(), &case["settings"]);
    assert!(!lines.is_empty(), "no line with {settings}");
    for line in lines {
        let text = line["text"].as_str().unwrap();
        let found = tokenizer.encode(text, None, ANY_LENGTH).unwrap();
        let context = format!("{text:?} with {settings}");
        assert_eq!(json!(found.ids), line["ids"], "ids of {context}");
        let offsets = json!(found.offsets);
        assert_eq!(offsets, line["offsets"], "offsets of {context}");
    }
}

#[test]
fn tokenizer_config_decides_case_accents_and_ideographs() {
    for case in json("settings.json") {
        let folder = folder(&case["settings"]);
        let tokenizer = Tokenizer::load(folder.path()).unwrap();
        assert_encode(&tokenizer, &case);
    }
}

#[test]
fn pairs_cuts_and_strides_are_those_of_transformers() {
    let tokenizer = bundled();
    for case in json("sequences.json") {
        let (text, pair) = (case["text"].as_str().unwrap(), case["pair"].as_str());
        let length = case["max_length"].as_u64().unwrap() as usize;
        let found = match case["stride"].as_u64() {
            Some(stride) => tokenizer
                .windows(text, pair, length, stride as usize)
                .unwrap(),
            None => vec![tokenizer.encode(text, pair, length).unwrap()],
        };
        let context = format!("{text:?}, {pair:?}, {length}, stride {}", case["stride"]);
        let expected = case["sequences"].as_array().unwrap();
        for (expected, found) in pairs(&context, expected, &found) {
            let found = json!({
                "ids": found.ids,
                "type_ids": found.type_ids,
                "offsets": found.offsets,
                "words": found.words,
                "texts": found.texts,
            });
            assert_eq!(&found, expected, "{context}");
        }
    }
}

#[test]
fn tokenizer_json_gives_the_same_tokens_as_the_vocabulary_it_was_made_from() {
    let folder = folder(&json!({"do_lower_case": true}));
    let vocabulary = fs::read_to_string(folder.path().join("vocab.txt")).unwrap();
    let ids: serde_json::Map<String, Value> = vocabulary
        .lines()
        .zip(0..)
        .map(|(token, id)| (token.to_owned(), json!(id)))
        .collect();
    let special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"].map(|token| {
        json!({
            "id": ids[token], "content": token, "special": true, "normalized": false,
            "single_word": false, "lstrip": false, "rstrip": false,
        })
    });
    // As the tokenizers crate saves a BERT tokenizer that was last used with truncation.
    let saved = json!({
        "version": "1.0",
        "truncation": {"direction": "Right", "max_length": 4, "strategy": "LongestFirst", "stride": 0},
        "padding": null,
        "added_tokens": special,
        "normalizer": {
            "type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true,
            "strip_accents": null, "lowercase": false,
        },
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "post_processor": {"type": "BertProcessing", "sep": ["[SEP]", 102], "cls": ["[CLS]", 101]},
        "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": true},
        "model": {
            "type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
            "max_input_chars_per_word": 100, "vocab": ids,
        },
    });
    fs::write(folder.path().join("tokenizer.json"), saved.to_string()).unwrap();
    fs::remove_file(folder.path().join("vocab.txt")).unwrap();
    let (ours, expected) = (Tokenizer::load(folder.path()).unwrap(), bundled());
    for line in lines().iter().step_by(7) {
        let pair = Some("第二句");
        let found = ours.encode(line, pair, 512).unwrap();
        assert_eq!(found, expected.encode(line, pair, 512).unwrap(), "{line:?}");
    }
}

/// The folder of an export of a tiny checkpoint with another tokenizer.
fn exported_with(vocabulary: &Path, settings: &Value) -> TempDir {
    let (source, target) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    for name in ["config.json", "model.safetensors"] {
        fs::copy(fixture("base").join(name), source.path().join(name)).unwrap();
    }
    fs::copy(vocabulary, source.path().join("vocab.txt")).unwrap();
    if !settings.is_null() {
        let path = source.path().join("tokenizer_config.json");
        fs::write(path, settings.to_string()).unwrap();
    }
    let checkpoint = Checkpoint::open(source.path(), &OpenOptions::default()).unwrap();
    let exported = export(&checkpoint, target.path(), &ExportOptions::default()).unwrap();
    // The larger vocabulary has more tokens than the tiny checkpoint.
    let larger = |it: &Warning| matches!(it, Warning::TokensBeyondTable { .. });
    let others: Vec<_> = exported.warnings.iter().filter(|it| !larger(it)).collect();
    assert!(others.is_empty(), "{others:?}");
    target
}

#[test]
fn the_exported_tokenizer_json_is_the_one_that_transformers_saves() {
    for case in json("saved.json") {
        let settings = &case["settings"];
        let folder = exported_with(&fixture("base").join("vocab.txt"), settings);
        let found = fs::read_to_string(folder.path().join("tokenizer.json")).unwrap();
        let expected = case["tokenizer_json"].as_str().unwrap();
        let [found_lines, lines] =
            [found.as_str(), expected].map(|it| it.lines().map(str::to_owned).collect::<Vec<_>>());
        let context = format!("lines with {settings}");
        for (number, (expected, found)) in pairs(&context, lines, found_lines).enumerate() {
            assert_eq!(found, expected, "line {} with {settings}", number + 1);
        }
        assert_eq!(found.len(), expected.len(), "bytes with {settings}");
    }
}

#[test]
fn the_exported_tokenizer_json_alone_gives_the_ids_of_transformers() {
    let vocabulary = checkpoint("nezha-tiny-zh").join("vocab.txt");
    for case in json("settings.json") {
        let folder = exported_with(&vocabulary, &case["settings"]);
        fs::remove_file(folder.path().join("vocab.txt")).unwrap();
        let tokenizer = Tokenizer::load(folder.path()).unwrap();
        assert_encode(&tokenizer, &case);
    }
}

#[test]
fn a_vocabulary_without_a_special_token_makes_no_tokenizer_json_and_says_so() {
    let source = TempDir::new().unwrap();
    for name in ["config.json", "model.safetensors"] {
        fs::copy(fixture("base").join(name), source.path().join(name)).unwrap();
    }
    fs::write(
        source.path().join("vocab.txt"),
        "[PAD]\n[UNK]\n[CLS]\n[SEP]\n",
    )
    .unwrap();
    let (target, checkpoint) = (
        TempDir::new().unwrap(),
        Checkpoint::open(source.path(), &OpenOptions::default()).unwrap(),
    );
    let exported = export(&checkpoint, target.path(), &ExportOptions::default()).unwrap();
    let warning = exported.warnings[0].to_string();
    assert!(
        warning.contains("'[MASK]', which is the mask_token"),
        "{warning}"
    );
    assert!(!target.path().join("tokenizer.json").exists());
}

#[test]
fn a_million_characters_are_cut_and_split() {
    let tokenizer = bundled();
    let text = "中".repeat(1_000_000);
    let cut = tokenizer.encode(&text, None, 512).unwrap();
    assert_eq!((cut.len(), cut.truncated), (512, true));
    let windows = tokenizer.windows(&text, None, 512, 10).unwrap();
    let last = windows.last().unwrap();
    assert_eq!(last.offsets[last.len() - 2], (999_999, 1_000_000));
}

#[test]
fn a_folder_without_tokenizer_is_named() {
    let folder = TempDir::new().unwrap();
    let error = Tokenizer::load(folder.path()).err().unwrap();
    assert!(matches!(error, TokenizerError::Missing { .. }), "{error}");
    let error = error.to_string();
    assert!(
        error.contains("vocab.txt") && error.contains(name(folder.path())),
        "{error}"
    );
}

#[test]
fn broken_files_are_named_with_what_is_wrong() {
    type Break = fn(&Path);
    let cases: [(&str, Break); 5] = [
        ("tokenizer_config.json: ", |it| {
            fs::write(it.join("tokenizer_config.json"), "{").unwrap();
        }),
        ("tokenizer.json: ", |it| {
            fs::write(it.join("tokenizer.json"), "{}").unwrap();
        }),
        (
            "tokenizer.json: expected `,` or `}` at line 1 column 22",
            |it| fs::write(it.join("tokenizer.json"), r#"{"decoder": {"type":1W}}"#).unwrap(),
        ),
        ("vocab.txt: line 3 is not UTF-8", |it| {
            fs::write(it.join("vocab.txt"), b"[PAD]\n[UNK]\n\xff\n").unwrap();
        }),
        (
            "vocab.txt: the vocabulary has no '[SEP]', which is the sep_token",
            |it| {
                fs::write(it.join("vocab.txt"), "[PAD]\n[UNK]\n[CLS]\n").unwrap();
            },
        ),
    ];
    for (expected, spoil) in cases {
        let folder = folder(&json!({}));
        spoil(folder.path());
        let error = error_chain(&Tokenizer::load(folder.path()).err().unwrap());
        assert!(
            error.contains(expected),
            "expected {expected:?} in {error:?}"
        );
    }
}

#[test]
fn lengths_and_strides_without_room_are_refused() {
    let tokenizer = bundled();
    let refused = |found: Result<_, TokenizerError>| found.map(drop).unwrap_err().to_string();
    let error = refused(tokenizer.windows("你好你好你好", None, 2, 0));
    assert!(error.contains("no room beside 2 special tokens"), "{error}");
    let error = refused(tokenizer.windows("你好你好你好", None, 6, 4));
    assert!(
        error.contains("a stride of 4 tokens is too large: expected fewer than 4"),
        "{error}"
    );
    let error = refused(tokenizer.windows("问题", Some("你好你好你好"), 8, 3));
    assert!(
        error.contains("a stride of 3 tokens is too large: expected fewer than"),
        "{error}"
    );
    let error = refused(tokenizer.windows("问题问题问题", Some("你好你好你好"), 8, 0));
    assert!(error.contains("the first text has 6 tokens"), "{error}");
    assert!(tokenizer.encode("你好", None, 2).is_err());
}

fn name(path: &Path) -> &str {
    path.file_name().unwrap().to_str().unwrap()
}
