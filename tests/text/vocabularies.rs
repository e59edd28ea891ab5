//! Tokenizers as people have them, against transformers' reading of the same files:
//! `tests/fixtures/text/vocabularies.json`.

use std::fs;
use std::path::Path;

use nezha_exporter::checkpoint::{Checkpoint, OpenOptions};
use nezha_exporter::{ExportOptions, Warning, export};
use nezha_graphs::Head;
use nezha_runtime::{EngineKind, PipelineNote, TextClassification, Tokenizer};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::artifacts::{checkpoint, document, exported, fixture};

const ANY_LENGTH: usize = 1 << 20;

fn cases(part: &str) -> Vec<Value> {
    let all = document::<Value>("vocabularies.json");
    let cases = all[part].as_array().unwrap().clone();
    assert!(!cases.is_empty(), "no {part}");
    cases
}

/// Writes the files of a case.
fn write(folder: &Path, files: &Value) {
    for (name, content) in files.as_object().unwrap() {
        let text = content.as_str().map(str::to_owned);
        let text = text.unwrap_or_else(|| content.to_string());
        fs::write(folder.join(name), text).unwrap();
    }
}

fn tokenizer_of(files: &Value) -> Tokenizer {
    let folder = TempDir::new().unwrap();
    write(folder.path(), files);
    Tokenizer::load(folder.path()).unwrap_or_else(|error| panic!("{files}: {error}"))
}

/// An export of a checkpoint of 200 tokens with other tokenizer files, and what it warns of.
fn exported_with(files: &Value) -> (TempDir, Vec<Warning>) {
    let (source, target) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    for name in ["config.json", "model.safetensors"] {
        fs::copy(fixture("base").join(name), source.path().join(name)).unwrap();
    }
    write(source.path(), files);
    let checkpoint = Checkpoint::open(source.path(), &OpenOptions::default()).unwrap();
    let exported = export(&checkpoint, target.path(), &ExportOptions::default()).unwrap();
    (target, exported.warnings)
}

/// A tokenizer of the exported `tokenizer.json` alone.
fn exported_tokenizer(files: &Value) -> Tokenizer {
    let (folder, _) = exported_with(files);
    fs::remove_file(folder.path().join("vocab.txt")).unwrap();
    Tokenizer::load(folder.path()).unwrap()
}

fn assert_encodes(tokenizer: &Tokenizer, line: &Value, context: &str) {
    let text = line["text"].as_str().unwrap();
    let found = tokenizer.encode(text, None, ANY_LENGTH).unwrap();
    assert_eq!(json!(found.ids), line["ids"], "ids of {text:?}, {context}");
    let offsets = json!(found.offsets);
    assert_eq!(offsets, line["offsets"], "offsets of {text:?}, {context}");
}

/// The official vocabulary as `vocab.txt` alone, and as the `tokenizer.json` that is made of it.
fn official() -> [(&'static str, Tokenizer); 2] {
    let alone = TempDir::new().unwrap();
    let vocabulary = checkpoint("nezha-tiny-zh").join("vocab.txt");
    fs::copy(vocabulary, alone.path().join("vocab.txt")).unwrap();
    let made = exported("nezha-tiny-zh", Head::Base).join("tokenizer.json");
    let json = TempDir::new().unwrap();
    fs::copy(made, json.path().join("tokenizer.json")).unwrap();
    [("vocab.txt", alone), ("tokenizer.json", json)]
        .map(|(name, folder)| (name, Tokenizer::load(folder.path()).unwrap()))
}

#[test]
fn every_line_of_the_official_vocabulary_is_a_token_in_both_files() {
    let text = fs::read_to_string(checkpoint("nezha-tiny-zh").join("vocab.txt")).unwrap();
    // The fixture's script has checked that transformers reads it so: a token ends at a line feed.
    let lines: Vec<&str> = text.split_terminator('\n').collect();
    let expected = &document::<Value>("vocabularies.json")["official"];
    assert_eq!(json!(lines.len()), expected["tokens"]);
    for (name, tokenizer) in official() {
        for (id, token) in (0..).zip(&lines) {
            let found = tokenizer.id_to_token(id);
            assert_eq!(found.as_deref(), Some(*token), "{name}: id {id}");
            assert_eq!(tokenizer.token_to_id(token), Some(id), "{name}: {token:?}");
        }
        assert_eq!(tokenizer.tokens_beyond(lines.len()), [], "{name}");
        for unusual in expected["unusual"].as_array().unwrap() {
            let id = unusual[0].as_u64().unwrap() as u32;
            assert_eq!(json!(tokenizer.id_to_token(id)), unusual[1], "{name}: {id}");
        }
    }
}

#[test]
fn texts_with_each_of_unicodes_separators_have_the_tokens_of_transformers() {
    for (name, tokenizer) in official() {
        for line in cases("separators") {
            assert_encodes(&tokenizer, &line, name);
        }
    }
}

#[test]
fn vocabularies_of_every_kind_are_read_as_transformers_reads_them() {
    for case in cases("vocabularies") {
        let name = case["name"].as_str().unwrap();
        let files = &case["files"];
        for (from, tokenizer) in [
            ("vocab.txt", tokenizer_of(files)),
            ("tokenizer.json", exported_tokenizer(files)),
        ] {
            let context = format!("{name}, from {from}");
            for pair in case["vocabulary"].as_array().unwrap() {
                let token = pair[1].as_str().unwrap();
                let found = json!(tokenizer.token_to_id(token));
                assert_eq!(found, pair[0], "{token:?}, {context}");
            }
            for line in case["lines"].as_array().unwrap() {
                assert_encodes(&tokenizer, line, &context);
                let ids: Vec<u32> = serde_json::from_value(line["ids"].clone()).unwrap();
                let decoded = tokenizer.decode(&ids, false).unwrap();
                assert_eq!(json!(decoded), line["decoded"], "{ids:?}, {context}");
            }
        }
    }
}

#[test]
fn the_exported_tokenizer_json_of_every_kind_is_the_one_that_transformers_saves() {
    for case in cases("vocabularies") {
        let name = case["name"].as_str().unwrap();
        let (folder, _) = exported_with(&case["files"]);
        let found = fs::read_to_string(folder.path().join("tokenizer.json")).unwrap();
        let expected = case["tokenizer_json"].as_str().unwrap();
        for (number, (found, expected)) in found.lines().zip(expected.lines()).enumerate() {
            assert_eq!(found, expected, "{name}: line {}", number + 1);
        }
        assert_eq!(found.len(), expected.len(), "{name}: bytes");
    }
}

#[test]
fn a_byte_order_mark_is_no_part_of_a_token_and_is_warned_of() {
    let plain = cases("vocabularies").swap_remove(0);
    let mut files = plain["files"].clone();
    let text = files["vocab.txt"].as_str().unwrap();
    files["vocab.txt"] = json!(format!("\u{feff}{text}"));
    for tokenizer in [tokenizer_of(&files), exported_tokenizer(&files)] {
        assert_eq!(tokenizer.padding_id(), 0);
        for line in plain["lines"].as_array().unwrap() {
            assert_encodes(&tokenizer, line, "with a byte order mark");
        }
    }
    let (_, warnings) = exported_with(&files);
    let [warning @ Warning::ByteOrderMark { .. }] = warnings.as_slice() else {
        panic!("{warnings:?}");
    };
    assert!(
        warning.to_string().contains("vocab.txt starts with"),
        "{warning}"
    );
}

#[test]
fn equal_lines_are_warned_of_by_number() {
    let mut all = cases("vocabularies").into_iter();
    let case = all.find(|it| it["name"] == "equal lines").unwrap();
    let (_, warnings) = exported_with(&case["files"]);
    let warning = warnings[0].to_string();
    assert!(warning.contains("'a' in lines 6 and 8"), "{warning}");
}

#[test]
fn the_settings_beside_a_tokenizer_json_overrule_it_as_in_transformers() {
    for case in cases("overruled") {
        let name = case["name"].as_str().unwrap();
        let tokenizer = tokenizer_of(&case["files"]);
        for line in case["lines"].as_array().unwrap() {
            assert_encodes(&tokenizer, line, name);
        }
        let (_, warnings) = exported_with(&case["files"]);
        let told = warnings
            .iter()
            .any(|it| matches!(it, Warning::OverruledTokenizerJson { .. }));
        assert_eq!(
            told,
            !name.contains("another class"),
            "{name}: {warnings:?}"
        );
    }
}

#[test]
fn ids_become_the_text_of_transformers_blanks_before_punctuation_included() {
    let vocabulary = fs::read_to_string(checkpoint("nezha-tiny-zh").join("vocab.txt")).unwrap();
    let made = exported("nezha-tiny-zh", Head::Base).join("tokenizer.json");
    let made = fs::read_to_string(made).unwrap();
    for clean_up in [json!(true), json!(false), Value::Null] {
        let settings = match clean_up.is_null() {
            true => json!({}),
            false => json!({"clean_up_tokenization_spaces": clean_up}),
        };
        let from_vocabulary =
            tokenizer_of(&json!({"vocab.txt": vocabulary, "tokenizer_config.json": settings}));
        let from_json =
            tokenizer_of(&json!({"tokenizer.json": made, "tokenizer_config.json": settings}));
        let decoded = cases("decoded").into_iter();
        for case in decoded.filter(|it| it["clean_up"] == clean_up) {
            let ids: Vec<u32> = serde_json::from_value(case["ids"].clone()).unwrap();
            let skip = case["skip_special_tokens"].as_bool().unwrap();
            for (tokenizer, from) in [
                (&from_vocabulary, "from_vocabulary"),
                (&from_json, "from_tokenizer_json"),
            ] {
                let found = tokenizer.decode(&ids, skip).unwrap();
                assert_eq!(json!(found), case[from], "{from}, {settings}, skip {skip}");
            }
        }
    }
}

#[test]
fn an_export_keeps_the_way_in_which_ids_become_text() {
    let (source, target) = (
        Tokenizer::load(checkpoint("nezha-tiny-zh")).unwrap(),
        Tokenizer::load(exported("nezha-tiny-zh", Head::Base)).unwrap(),
    );
    let ids = source.ids("I don't , isn ' t .").unwrap();
    let expected = source.decode(&ids, true).unwrap();
    assert_eq!(expected, "i don't, isn't.");
    assert_eq!(target.decode(&ids, true).unwrap(), expected);
}

/// A classifier whose tokenizer has `[T]` where the embeddings end.
fn with_added_token() -> (TempDir, Vec<Warning>) {
    let (source, target) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let model = checkpoint("nezha-tiny-zh-sentiment");
    for name in [
        "config.json",
        "model.safetensors",
        "vocab.txt",
        "tokenizer_config.json",
    ] {
        fs::copy(model.join(name), source.path().join(name)).unwrap();
    }
    let added = json!({"[T]": 21128, "[U]": 21129});
    fs::write(source.path().join("added_tokens.json"), added.to_string()).unwrap();
    let checkpoint = Checkpoint::open(source.path(), &OpenOptions::default()).unwrap();
    let exported = export(&checkpoint, target.path(), &ExportOptions::default()).unwrap();
    (target, exported.warnings)
}

#[test]
fn a_token_beyond_the_embeddings_is_told_at_export_at_load_and_where_it_comes() {
    let (folder, warnings) = with_added_token();
    let expected = Warning::TokensBeyondTable {
        token: "[T]".to_owned(),
        id: 21128,
        count: 2,
        rows: 21128,
    };
    assert_eq!(warnings, [expected]);
    assert!(
        warnings[0]
            .to_string()
            .contains("'[T]' the id 21128 (2 such tokens"),
        "{}",
        warnings[0]
    );
    for vocabulary_alone in [false, true] {
        if vocabulary_alone {
            fs::remove_file(folder.path().join("tokenizer.json")).unwrap();
        }
        let pipeline = TextClassification::builder()
            .engine(EngineKind::OrtCpu)
            .load(folder.path())
            .unwrap();
        let note = PipelineNote::TokensBeyondTable {
            token: "[T]".to_owned(),
            id: 21128,
            count: 2,
            rows: 21128,
        };
        assert_eq!(pipeline.notes(), [note]);
        let answers: Vec<_> = pipeline
            .stream(["房间很干净", "房间[T]很干净", "客服不理人，后悔买了。"])
            .collect();
        assert_eq!(answers[0].as_ref().unwrap()[0].label, "positive");
        let error = answers[1].as_ref().unwrap_err().to_string();
        for expected in ["'[T]'", "the id 21128", "embeddings for 21128 tokens"] {
            assert!(error.contains(expected), "expected {expected:?} in {error}");
        }
        assert_eq!(answers[2].as_ref().unwrap()[0].label, "negative");
    }
}

#[test]
fn a_vocabulary_with_more_lines_than_there_are_embeddings_is_told() {
    let lines: String = (0..205).map(|number| format!("t{number}\n")).collect();
    let text = format!("[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n{lines}");
    let (_, warnings) = exported_with(&json!({"vocab.txt": text}));
    let rows = fs::read_to_string(fixture("base").join("vocab.txt")).unwrap();
    let rows = rows.lines().count();
    let found: Vec<String> = warnings.iter().map(ToString::to_string).collect();
    let expected = format!("the id {rows} ({} such tokens", 210 - rows);
    assert!(
        found.len() == 1 && found[0].contains(&expected),
        "{expected}: {found:?}"
    );
}
