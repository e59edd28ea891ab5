//! The task commands and the demo, as a person or a program runs them.

use std::ffi::OsStr;
use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use nezha_graphs::Head;
use serde_json::{Value, json};
use tempfile::TempDir;
use testkit::command::{stderr, stdout, succeeded};
use testkit::nezha;

use crate::artifacts::{checkpoint, exported};

/// Runs a task on a model with something on standard input.
fn run(task: &str, model: PathBuf, arguments: &[&str], input: &[u8]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_nezha"));
    command.args([task.as_ref(), model.as_os_str()]);
    command.args(arguments.iter().map(OsStr::new));
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // A command that fails before it reads closes the pipe.
    let _ = child.stdin.take().unwrap().write_all(input);
    child.wait_with_output().unwrap()
}

fn document(output: &Output) -> Value {
    serde_json::from_str(stdout(output))
        .unwrap_or_else(|error| panic!("{error}: {}{}", stdout(output), stderr(output)))
}

fn sentiment() -> PathBuf {
    exported("nezha-tiny-zh-sentiment", Head::SequenceClassification)
}

#[test]
fn a_bad_line_is_named_and_the_others_are_answered() {
    let input = b"\xe6\x88\xbf\xe9\x97\xb4\xe5\xbe\x88\xe5\xb9\xb2\xe5\x87\x80\n\n\xff\n\xe5\x90\x8e\xe6\x82\x94";
    let output = run("text-classification", sentiment(), &["--json"], input);
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    let document = document(&output);
    let lines = document.as_array().unwrap();
    assert_eq!(lines.len(), 4, "{document}");
    assert_eq!(lines[0]["answer"][0]["label"], "positive");
    // A blank line is a text without tokens.
    assert!(lines[1]["answer"][0]["score"].is_number(), "{document}");
    assert_eq!(
        (&lines[2]["line"], &lines[2]["error"]),
        (&json!(3), &json!("not UTF-8 at byte 1"))
    );
    assert_eq!(
        (&lines[3]["input"], &lines[3]["line"]),
        (&json!("后悔"), &json!(4))
    );
    assert!(lines[3]["answer"][0]["score"].is_number(), "{document}");
    let err = stderr(&output);
    for expected in ["line 3: not UTF-8 at byte 1", "error: 1 of 4 inputs failed"] {
        assert!(err.contains(expected), "expected {expected:?} in {err}");
    }
}

#[test]
fn texts_come_as_arguments_from_a_file_and_as_json_lines() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("texts");
    fs::write(&file, "很好\r\n后悔\n").unwrap();
    let lines = b"{\"text\": \"\xe5\xbe\x88\xe5\xa5\xbd\"}\n{\"text\": \"\xe5\x90\x8e\xe6\x82\x94\", \"id\": 7}\n";
    let answers = |output: &Output| -> Vec<Value> {
        assert!(output.status.success(), "{}", stderr(output));
        let document = document(output);
        document
            .as_array()
            .unwrap()
            .iter()
            .map(|it| it["answer"].clone())
            .collect()
    };
    let task = |arguments: &[&str], input: &[u8]| {
        answers(&run("text-classification", sentiment(), arguments, input))
    };
    let expected = task(&["--json", "很好", "后悔"], b"");
    assert_eq!(expected.len(), 2);
    assert_eq!(
        task(&["--json", "--file", file.to_str().unwrap()], b""),
        expected
    );
    assert_eq!(task(&["--json"], "很好\n后悔".as_bytes()), expected);
    assert_eq!(task(&["--json"], lines), expected);
}

#[test]
fn two_texts_come_as_arguments_by_tab_and_by_name() {
    let model = || exported("nezha-tiny-zh", Head::NextSentence);
    let (first, second) = (
        "这家酒店的位置很好，出门就是地铁站。",
        "房间也很干净，下次还会住。",
    );
    let tab = format!("{first}\t{second}\n");
    let named = json!({"text": first, "text_pair": second}).to_string();
    let inputs: [(&[&str], &[u8]); 3] = [
        (&["--json", first, second], b""),
        (&["--json"], tab.as_bytes()),
        (&["--json"], named.as_bytes()),
    ];
    for (arguments, input) in inputs {
        let output = run("next-sentence", model(), arguments, input);
        assert!(output.status.success(), "{}", stderr(&output));
        let follows = document(&output)[0]["answer"]["is_next"].as_f64().unwrap();
        assert!((follows - 0.2936).abs() < 1e-4, "{follows}");
    }
    let output = run("next-sentence", model(), &[], first.as_bytes());
    assert_eq!(output.status.code(), Some(1));
    assert!(
        stderr(&output).contains("line 1: 1 texts, expected 2: text, text_pair"),
        "{}",
        stderr(&output)
    );
}

#[test]
fn every_task_answers() {
    let head = |head: &str| head.parse::<Head>().unwrap();
    let cases: [(&str, &str, &str, &[&str]); 5] = [
        (
            "fill-mask",
            "nezha-tiny-zh",
            "masked-lm",
            &["这家[MASK]店", "--top-k", "1"],
        ),
        (
            "token-classification",
            "nezha-tiny-zh-ner",
            "token-classification",
            &["总理李鹏"],
        ),
        (
            "question-answering",
            "question-answering",
            "question-answering",
            &["谁", "李明在北京"],
        ),
        (
            "multiple-choice",
            "multiple-choice",
            "multiple-choice",
            &["酒店", "好", "大"],
        ),
        (
            "feature-extraction",
            "base",
            "base",
            &["好", "--pooling", "mean", "--normalize"],
        ),
    ];
    for (task, model, model_head, arguments) in cases {
        let arguments = [arguments, &["--json", "--engine", "tract"]].concat();
        let output = run(task, exported(model, head(model_head)), &arguments, b"");
        assert!(output.status.success(), "{task}: {}", stderr(&output));
        let answer = &document(&output)[0]["answer"];
        assert!(!answer.is_null(), "{task}: {}", stdout(&output));
        assert!(
            stderr(&output).contains("engine: tract"),
            "{task}: {}",
            stderr(&output)
        );
    }
}

#[test]
fn a_text_that_is_cut_off_is_told_on_standard_error_and_in_the_document() {
    let lines = "好\n房间很干净，服务热情\n";
    let arguments = ["--max-length", "6", "--json", "--engine", "tract"];
    let output = run(
        "text-classification",
        sentiment(),
        &arguments,
        lines.as_bytes(),
    );
    assert!(output.status.success(), "{}", stderr(&output));
    let told = stderr(&output);
    assert!(
        told.contains("line 2: longer than 6 tokens, the rest was not read"),
        "{told}"
    );
    assert!(!told.contains("line 1"), "{told}");
    let document = document(&output);
    assert_eq!(document[0].get("truncated"), None, "{document:#}");
    assert_eq!(document[1]["truncated"], json!(true), "{document:#}");
    assert!(document[1]["answer"].is_array(), "{document:#}");
}

#[test]
fn a_table_is_aligned_where_characters_are_two_columns_wide() {
    let texts = ["房间很干净，服务热情", "ok", "屏幕坏。"];
    let output = run("text-classification", sentiment(), &texts, b"");
    assert!(output.status.success(), "{}", stderr(&output));
    let width = |line: &str| -> usize {
        let wide =
            |it: char| ('\u{1100}'..'\u{2500}').contains(&it) && !it.is_ascii() || it >= '\u{2e80}';
        line.chars().map(|it| 1 + usize::from(wide(it))).sum()
    };
    let out = stdout(&output);
    let widths: Vec<usize> = out.lines().map(width).collect();
    assert!(
        widths.len() >= 6 && widths.iter().all(|it| *it == widths[0]),
        "{widths:?}\n{out}"
    );
}

#[test]
fn what_cannot_be_done_is_said_and_ends_with_one_and_bad_usage_with_two() {
    let folder = TempDir::new().unwrap();
    fs::copy(
        sentiment().join("model.onnx"),
        folder.path().join("model.onnx"),
    )
    .unwrap();
    let cases: [(&str, PathBuf, &[&str], i32, &str); 6] = [
        (
            "fill-mask",
            sentiment(),
            &["你好"],
            1,
            "fill-mask needs masked-lm or pretraining",
        ),
        (
            "fill-mask",
            checkpoint("nezha-tiny-zh"),
            &["你好"],
            1,
            "`nezha export CHECKPOINT -o DIR`",
        ),
        (
            "text-classification",
            folder.path().into(),
            &["你好"],
            1,
            "no tokenizer.json and no vocab.txt",
        ),
        (
            "text-classification",
            sentiment(),
            &[],
            1,
            "there is no text",
        ),
        (
            "text-classification",
            sentiment(),
            &["你好", "--engine", "onnx"],
            2,
            "unknown engine 'onnx'",
        ),
        (
            "text-classification",
            sentiment(),
            &["--file", "no/such/file"],
            1,
            "no/such/file",
        ),
    ];
    for (task, model, arguments, code, expected) in cases {
        let output = run(task, model, arguments, b"");
        assert_eq!(
            output.status.code(),
            Some(code),
            "{task} {arguments:?}: {}",
            stderr(&output)
        );
        assert!(
            stderr(&output).contains(expected),
            "expected {expected:?} in {}",
            stderr(&output)
        );
        assert_eq!(stdout(&output), "", "{task} {arguments:?}");
    }
}

#[test]
fn the_demo_answers_on_every_engine() {
    for (engine, description) in [
        ("ort", "ONNX Runtime"),
        ("openvino", "OpenVINO"),
        ("tract", "tract"),
    ] {
        let output = nezha!(["demo", "--engine", engine]);
        assert!(output.status.success(), "{}", stderr(&output));
        for expected in [
            "酒 0.977",
            "positive 0.9959",
            "negative 0.9975",
            "桥本龙太郎 PER",
            description,
        ] {
            assert!(
                stdout(&output).contains(expected),
                "expected {expected:?} in {}",
                stdout(&output)
            );
        }
    }
}

#[test]
fn the_demo_runs_without_any_library_and_says_why() {
    let output = Command::new(env!("CARGO_BIN_EXE_nezha"))
        .arg("demo")
        .env("ORT_DYLIB_PATH", "no/such/library.so")
        .env("OPENVINO_DYLIB_PATH", "no/such/openvino.so")
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(
        stdout(&output).contains("桥本龙太郎 PER"),
        "{}",
        stdout(&output)
    );
    let err = stderr(&output);
    for expected in [
        "ort:cpu can't start",
        "no/such/library.so",
        "`nezha setup` installs one",
        "openvino:cpu can't start",
        "no/such/openvino.so",
        "`nezha setup --openvino` installs one",
        "engine: tract",
    ] {
        assert!(err.contains(expected), "expected {expected:?} in {err}");
    }
}

#[test]
fn an_artifact_that_pools_is_asked_for_vectors_without_saying_so_again() {
    let folder = tempfile::tempdir().unwrap();
    let checkpoint = checkpoint("nezha-tiny-zh");
    let export = [
        "export",
        checkpoint.to_str().unwrap(),
        "-o",
        folder.path().to_str().unwrap(),
        "--head",
        "base",
        "--pooling",
        "mean",
    ];
    succeeded(nezha!(export));
    let vector = |arguments: &[&str]| {
        let asked = [&["房间很干净", "--json"], arguments].concat();
        let output = run("feature-extraction", folder.path().to_owned(), &asked, b"");
        document(&succeeded(output))[0]["answer"].clone()
    };
    let found = vector(&[]);
    assert_eq!(found.as_array().unwrap().len(), 128, "{found}");
    assert_eq!(found, vector(&["--pooling", "mean"]));
}
