//! `nezha profile` as its users see it: all of a run's time is in some part of the model or in none of
//! its operators, and every operator has its part.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use quick_xml::Reader;
use quick_xml::events::Event;
use serde_json::Value;
use tempfile::TempDir;
use testkit::command::{stderr, stdout, succeeded};
use testkit::repository;

const NEZHA: &str = env!("CARGO_BIN_EXE_nezha");

/// What a NEZHA with a pooler and a classifier is made of.
const PARTS: [&str; 11] = [
    "attention: context",
    "attention: mask",
    "attention: projections",
    "attention: relative",
    "attention: residual and LayerNorm",
    "attention: scores",
    "attention: softmax",
    "embeddings",
    "feed-forward",
    "head",
    "pooler",
];

/// The folder of an artifact of the bundled sentiment model.
fn artifact(options: &[&str]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let model = repository("models/nezha-tiny-zh-sentiment");
    let output = Command::new(NEZHA)
        .arg("export")
        .arg(model)
        .arg("-o")
        .arg(folder.path())
        .args(options)
        .output()
        .unwrap();
    succeeded(output);
    folder
}

fn profile(model: &Path, arguments: &[&str]) -> Output {
    Command::new(NEZHA)
        .arg("profile")
        .arg(model)
        .args(arguments)
        .output()
        .unwrap()
}

fn document(model: &Path, engine: &str) -> Value {
    let arguments = ["--engine", engine, "--sequence", "20", "--runs", "3"];
    let output = profile(model, &[&arguments[..], &["--json"]].concat());
    assert!(
        output.status.success(),
        "does this machine have ONNX Runtime? `nezha setup` installs it: {output:?}"
    );
    let text = stdout(&output);
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

fn number(value: &Value, field: &str) -> f64 {
    value[field]
        .as_f64()
        .unwrap_or_else(|| panic!("{field} is no number in {value}"))
}

fn list<'v>(value: &'v Value, field: &str) -> &'v [Value] {
    value[field]
        .as_array()
        .unwrap_or_else(|| panic!("{field} is no list in {value}"))
}

/// The parts are those of a NEZHA, and with the rest they come to the whole run.
fn check(document: &Value, engine: &str) {
    let groups = list(document, "groups");
    let names: BTreeSet<&str> = groups
        .iter()
        .map(|it| it["group"].as_str().unwrap())
        .collect();
    let operators = list(document, "operators");
    let lost: Vec<&Value> = operators
        .iter()
        .filter(|it| !PARTS.contains(&it["group"].as_str().unwrap()))
        .map(|it| &it["name"])
        .collect();
    assert!(lost.is_empty(), "{engine}: in no part of a NEZHA: {lost:?}");
    assert_eq!(names, BTreeSet::from(PARTS), "{engine}");

    let unaccounted = &document["unaccounted"];
    let shares: f64 = groups.iter().map(|it| number(it, "share")).sum();
    let whole = shares + number(unaccounted, "share");
    assert!(
        (whole - 1.0).abs() < 1e-9,
        "{engine}: shares sum to {whole}"
    );
    let run = number(document, "run_ms");
    let parts: f64 = operators.iter().map(|it| number(it, "ms")).sum();
    let whole = parts + number(unaccounted, "ms");
    assert!(
        (whole / run - 1.0).abs() < 1e-9,
        "{engine}: operators and the rest take {whole} ms, a run {run} ms"
    );
    assert!(
        number(unaccounted, "ms") >= 0.0,
        "{engine}: operators take longer than the run: {unaccounted}"
    );
    let counted: u64 = groups
        .iter()
        .map(|it| it["operators"].as_u64().unwrap())
        .sum();
    assert_eq!(counted, operators.len() as u64, "{engine}");
}

#[test]
fn every_operator_of_a_run_is_in_a_part_of_the_model_in_every_engine() {
    let folder = artifact(&[]);
    let model = folder.path().join("model.onnx");
    for engine in ["ort", "openvino", "tract"] {
        let document = document(&model, engine);
        assert_eq!(document["schema"], "nezha-profile/1");
        check(&document, engine);
        let method = &document["method"];
        assert_eq!(method["sequence"], 20, "{engine}");
        assert_eq!(method["runs"], 3, "{engine}");
        assert!(number(&document, "unprofiled_run_ms") > 0.0, "{engine}");
        let provider = match engine {
            "ort" => "CPUExecutionProvider",
            "openvino" => "openvino:cpu",
            _ => "tract",
        };
        for operator in list(&document, "operators") {
            assert_eq!(operator["provider"], provider, "{operator}");
            // OpenVINO tells nothing of a node that takes less than a microsecond.
            let calls = operator["calls"].as_f64().unwrap();
            let is_told = calls == 1.0 || (engine == "openvino" && calls < 1.0);
            assert!(is_told, "{operator}");
            // OpenVINO makes nodes of its own, which are none of the model's.
            let has_origin = operator["origin"].is_string();
            assert!(has_origin || engine == "openvino", "{operator}");
        }
    }
}

#[test]
fn operators_of_other_precisions_have_their_parts_too() {
    for (dtype, file) in [("fp16", "model_fp16.onnx"), ("int8", "model_int8.onnx")] {
        let folder = artifact(&["--dtype", dtype]);
        for engine in ["ort", "openvino", "tract"] {
            let document = document(&folder.path().join(file), engine);
            check(&document, &format!("{dtype} in {engine}"));
        }
    }
}

#[test]
fn weights_beside_the_model_are_no_hindrance() {
    let folder = artifact(&["--weights", "external"]);
    check(
        &document(&folder.path().join("model.onnx"), "ort"),
        "external weights",
    );
}

#[test]
fn the_tables_name_parts_operators_and_what_no_operator_accounts_for() {
    let folder = artifact(&[]);
    let model = folder.path().join("model.onnx");
    let arguments = ["--engine", "tract", "--sequence", "20", "--runs", "2"];
    let output = succeeded(profile(&model, &[&arguments[..], &["--top", "3"]].concat()));
    let text = stdout(&output);
    for part in PARTS {
        assert!(text.contains(part), "{part} is not in {text}");
    }
    for part in ["no operator", "without profiling a run takes", "1×20"] {
        assert!(text.contains(part), "{part} is not in {text}");
    }
    let operators = text.lines().filter(|it| it.contains("nezha.")).count();
    assert_eq!(operators, 3, "{text}");
}

#[test]
fn the_flame_graph_is_xml_that_names_parts_and_operators() {
    let folder = artifact(&[]);
    let file = folder.path().join("flame.svg");
    let mut arguments = vec!["--engine", "ort", "--sequence", "64", "--runs", "3"];
    arguments.extend(["--flame", file.to_str().unwrap()]);
    succeeded(profile(&folder.path().join("model.onnx"), &arguments));
    let svg = fs::read_to_string(&file).unwrap();
    let titles = titles(&svg);
    for name in [
        "attention",
        "relative",
        "softmax",
        "feed-forward",
        "no operator",
        "nezha.encoder.layer.0.attention.self/Softmax",
    ] {
        assert!(
            titles.iter().any(|it| it.split(" (").next() == Some(name)),
            "{name} is not in {titles:?}"
        );
    }
}

/// The texts of all titles of a picture that is well-formed.
fn titles(svg: &str) -> Vec<String> {
    let mut reader = Reader::from_str(svg);
    let mut titles = Vec::new();
    let mut in_title = false;
    loop {
        match reader.read_event().unwrap() {
            Event::Eof => return titles,
            Event::Start(tag) => in_title = tag.name().as_ref() == b"title",
            Event::End(_) => in_title = false,
            Event::Text(text) if in_title => titles.push(text.decode().unwrap().into_owned()),
            _ => {}
        }
    }
}

#[test]
fn a_model_that_is_not_there_ends_with_one_and_an_option_that_is_none_with_two() {
    let output = profile(Path::new("nowhere/model.onnx"), &[]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let message = stderr(&output);
    assert!(message.contains("nowhere/model.onnx"), "{message}");
    for arguments in [["--runs", "0"], ["--engine", "onnx"], ["--sequence", "x"]] {
        let output = profile(Path::new("nowhere/model.onnx"), &arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {output:?}");
    }
}
