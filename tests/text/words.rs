//! Words that are split already: the tokens of each as transformers' `is_split_into_words` has them
//! (`tests/fixtures/text/words.json`), and a label for each.

use std::fs;
use std::io::Write;
use std::process::{Command, Output, Stdio};

use ndarray::{Array2, Axis};
use nezha_graphs::Head;
use nezha_runtime::task::{
    Aggregation, LabelledWord, Split, TokenClassificationOptions, WordClassificationOptions, Words,
};
use nezha_runtime::{TokenClassification, Tokenizer, WordClassification};
use serde_json::{Value, json};
use tempfile::TempDir;
use testkit::command::{stderr, stdout};
use testkit::compare::pairs;

use crate::artifacts::{checkpoint, document, exported};

const MODEL: &str = "nezha-tiny-zh-ner";

fn cases(part: &str) -> Vec<Value> {
    let all = document::<Value>("words.json");
    let cases = all[part].as_array().unwrap().clone();
    assert!(cases.len() > 10, "{part}: {} cases", cases.len());
    cases
}

fn words_of(case: &Value) -> Vec<String> {
    let words = case["words"].as_array().unwrap().iter();
    words.map(|it| it.as_str().unwrap().to_owned()).collect()
}

#[test]
fn words_have_the_tokens_that_transformers_gives_them() {
    let tokenizer = Tokenizer::load(checkpoint(MODEL)).unwrap();
    for (part, length) in [("whole", 1 << 20), ("cut", 12)] {
        for case in cases(part) {
            let found = tokenizer.encode_words(&words_of(&case), length).unwrap();
            let found = json!({
                "words": case["words"],
                "ids": found.ids,
                "word_ids": found.words,
                "offsets": found.offsets,
            });
            assert_eq!(found, case, "{part}");
        }
    }
}

fn labeller() -> WordClassification {
    let model = exported(MODEL, Head::TokenClassification);
    WordClassification::builder()
        .engine("ort")
        .load(model)
        .unwrap()
}

#[test]
fn a_word_has_the_label_of_its_first_token_and_none_where_it_has_no_token() {
    let labeller = labeller();
    let mut without = 0;
    for case in cases("whole")
        .into_iter()
        .filter(|it| it["ids"].as_array().unwrap().len() > 2)
    {
        let words = words_of(&case);
        let ids = case["ids"].as_array().unwrap().iter();
        let ids: Vec<i64> = ids.map(|it| it.as_i64().unwrap()).collect();
        if ids.len() > labeller.max_length(None) {
            continue;
        }
        let ids = Array2::from_shape_vec((1, ids.len()), ids).unwrap();
        let outputs = labeller.session().run([("input_ids", ids.into())]).unwrap();
        let logits = outputs.array::<f32>("logits").unwrap();
        let of_word = |word: usize| {
            let word_ids = case["word_ids"].as_array().unwrap();
            let token = word_ids.iter().position(|it| *it == json!(word))?;
            let row = logits.index_axis(Axis(0), 0);
            let row = row.index_axis(Axis(0), token);
            let best = row.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1));
            Some(labeller.config().labels[best.unwrap().0].clone())
        };
        let found = labeller
            .run([Words::from_iter(words.clone())])
            .unwrap()
            .remove(0);
        for (number, (word, found)) in pairs("words", &words, &found).enumerate() {
            assert_eq!(&found.word, word);
            assert_eq!(found.label, of_word(number), "word {number} of {words:?}");
            assert_eq!(found.score.is_some(), found.label.is_some(), "{found:?}");
            without += usize::from(found.label.is_none());
        }
    }
    assert!(without > 100, "{without} words without a token");
}

/// Word and label, `-` for none.
fn shown(words: &[LabelledWord]) -> Vec<(&str, &str)> {
    let shown = words.iter().map(|it| {
        let label = it.label.as_deref().unwrap_or("-");
        (it.word.as_str(), label)
    });
    shown.collect()
}

#[test]
fn blanks_digits_capitals_and_what_is_no_character_keep_their_places() {
    let labeller = labeller();
    let text = "李鹏 \u{fffd}13885699528A😀";
    let found = labeller
        .run([Split::Characters.split(text)])
        .unwrap()
        .remove(0);
    assert_eq!(found.len(), text.chars().count());
    for (place, (character, word)) in text.chars().zip(&found).enumerate() {
        assert_eq!(word.word, character.to_string());
        assert_eq!((word.start, word.end), (place, place + 1));
        let seen = ![" ", "\u{fffd}"].contains(&word.word.as_str());
        assert_eq!(word.label.is_some(), seen, "{word:?}");
    }
    let [first, second, ..] = &*shown(&found) else {
        panic!("{found:?}")
    };
    assert_eq!([*first, *second], [("李", "B-PER"), ("鹏", "I-PER")]);
}

#[test]
fn a_long_text_is_read_to_its_end_with_a_stride_and_cut_without() {
    let text = "国务院总理李鹏今天来了。".repeat(20);
    let model = exported(MODEL, Head::TokenClassification);
    let labelled = |options: WordClassificationOptions| {
        let labeller = WordClassification::builder().engine("ort").options(options);
        let labeller = labeller.load(&model).unwrap();
        let words = Split::Characters.split(&text);
        let mut answers = labeller.stream([words]);
        let found = answers.next().unwrap().unwrap();
        (found, answers.truncated())
    };
    let options = || WordClassificationOptions::default().max_length(40);
    let (cut, truncated) = labelled(options());
    assert!(truncated);
    let seen = cut.iter().filter(|it| it.label.is_some()).count();
    assert_eq!(seen, 38, "all but [CLS] and [SEP]");
    assert!(cut[seen..].iter().all(|it| it.label.is_none()));
    let (whole, truncated) = labelled(options().stride(19));
    assert!(!truncated);
    assert!(whole.iter().all(|it| it.label.is_some()));
    let people = shown(&whole).into_iter().filter(|it| it.1 == "B-PER");
    assert!(people.count() >= 18, "{:?}", shown(&whole));
}

#[test]
fn an_entity_has_the_characters_of_the_text_beside_what_the_tokens_say() {
    let model = exported(MODEL, Head::TokenClassification);
    let options = TokenClassificationOptions::default()
        .aggregation(Aggregation::None)
        .ignore_labels(Vec::new());
    let found = TokenClassification::builder()
        .engine("ort")
        .options(options);
    let text = "“Ａ李鹏”——OK";
    let found = found.load(model).unwrap().run([text]).unwrap().remove(0);
    let texts: Vec<&str> = found.iter().map(|it| it.text.as_str()).collect();
    assert_eq!(texts, ["“", "Ａ", "李", "鹏", "”", "—", "—", "OK"]);
    let characters: Vec<char> = text.chars().collect();
    for entity in &found {
        let stretch: String = characters[entity.start..entity.end].iter().collect();
        assert_eq!(entity.text, stretch);
    }
    assert_eq!(found[7].word, "ok");
}

fn nezha(arguments: &[&str], input: &str) -> Output {
    let model = exported(MODEL, Head::TokenClassification);
    let mut command = Command::new(env!("CARGO_BIN_EXE_nezha"));
    command
        .arg("token-classification")
        .arg(model)
        .args(arguments);
    let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = piped.stderr(Stdio::piped()).spawn().unwrap();
    // A command that fails before it reads closes the pipe.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    child.wait_with_output().unwrap()
}

#[test]
fn the_command_splits_texts_and_takes_words_from_json() {
    let words = |arguments: &[&str], input: &str| -> Vec<String> {
        let output = nezha(&[arguments, &["--json"]].concat(), input);
        assert!(output.status.success(), "{}", stderr(&output));
        let document: Value = serde_json::from_str(stdout(&output)).unwrap();
        let answers = document[0]["answer"].as_array().unwrap().iter();
        answers
            .map(|it| it["word"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(
        words(&["李鹏 好", "--split", "characters"], ""),
        ["李", "鹏", " ", "好"]
    );
    assert_eq!(words(&["李鹏 好", "--split", "spaces"], ""), ["李鹏", "好"]);
    let line = json!({"words": ["李鹏", "", "ok"]}).to_string();
    assert_eq!(words(&["--split", "characters"], &line), ["李鹏", "", "ok"]);
    let folder = TempDir::new().unwrap();
    let list = folder.path().join("words.txt");
    fs::write(&list, "李鹏\n总理\n").unwrap();
    let list = list.to_str().unwrap();
    assert_eq!(
        words(&["总理李鹏好", "--split", list], ""),
        ["总理", "李鹏", "好"]
    );

    let table = nezha(&["“李鹏”", "--aggregation", "none"], "");
    assert!(stdout(&table).contains("李"), "{}", stdout(&table));
    let output = nezha(&["--split", "spaces", "--json"], r#"{"words": ["a", 1]}"#);
    assert_eq!(output.status.code(), Some(1));
    let expected = "line 1: the field 'words' is not a list of strings";
    assert!(stderr(&output).contains(expected), "{}", stderr(&output));
    let output = nezha(&["a", "--split", "nowhere.txt"], "");
    assert_eq!(output.status.code(), Some(2));
    let expected = "neither characters nor spaces, and as a file of words";
    assert!(stderr(&output).contains(expected), "{}", stderr(&output));
}
