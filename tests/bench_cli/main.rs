//! `nezha bench` as its users see it: one table, reasons where there are no numbers, files that
//! other programs read.
#![allow(clippy::disallowed_methods, reason = "a test writes its inputs")]

#[cfg(target_os = "linux")]
mod faults;

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;
use testkit::command::{stderr, stdout, succeeded};
use testkit::repository;

const NEZHA: &str = env!("CARGO_BIN_EXE_nezha");

/// The folder of an artifact of one of the bundled checkpoints.
fn artifact(name: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let output = Command::new(NEZHA)
        .arg("export")
        .arg(repository("models").join(name))
        .arg("-o")
        .arg(folder.path())
        .output()
        .unwrap();
    succeeded(output);
    folder
}

fn bench(arguments: &[&str], model: &Path) -> Output {
    Command::new(NEZHA)
        .arg("bench")
        .arg(model)
        .args(arguments)
        .output()
        .unwrap()
}

fn json(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(bytes)))
}

const SHORT: [&str; 6] = ["--runs", "4", "--rounds", "2", "--seconds", "0.5"];

#[test]
fn two_engines_are_measured_side_by_side_and_agree() {
    let folder = artifact("nezha-tiny-zh-sentiment");
    let mut arguments = vec!["--batch", "1,2", "--sequence", "8,20", "--json", "-"];
    arguments.extend(SHORT);
    let output = bench(&arguments, &folder.path().join("model.onnx"));
    assert!(
        output.status.success(),
        "does this machine have ONNX Runtime? `nezha setup` installs it: {output:?}"
    );
    let document = json(&output.stdout);
    assert_eq!(document["schema"], "nezha-bench/1");
    assert_eq!(document["complete"], true);
    let contenders = document["contenders"].as_array().unwrap();
    let engines: Vec<&str> = contenders
        .iter()
        .map(|it| it["engine"].as_str().unwrap())
        .collect();
    assert_eq!(engines, ["ort:cpu", "tract"]);
    for contender in contenders {
        let nodes = contender["nodes"]["CPUExecutionProvider"].as_u64();
        let is_ort = contender["engine"] == "ort:cpu";
        assert_eq!(nodes.is_some_and(|it| it > 50), is_ort, "{contender}");
        let load = contender["load_ms"].as_f64().unwrap();
        assert!(contender["first_answer_ms"].as_f64().unwrap() > load);
        assert!(
            contender["matmul_flops"].as_f64().unwrap() > 1e8,
            "{contender}"
        );
        // Four layers of hidden size 128 and intermediate size 512, a pooler, two labels; the tables of
        // relative positions come on top.
        let weights = 4 * (4 * 128 * 128 + 2 * 128 * 512) + 128 * 128 + 128 * 2;
        let flop = contender["flop_per_token"].as_f64().unwrap();
        let share = flop / (2.0 * f64::from(weights));
        assert!((1.0..1.1).contains(&share), "{share}: {contender}");
    }
    let cells = document["cells"].as_array().unwrap();
    assert_eq!(cells.len(), 8);
    for cell in cells {
        let measured = &cell["measured"];
        let rounds = measured["samples_ms"].as_array().unwrap();
        let runs: usize = rounds.iter().map(|it| it.as_array().unwrap().len()).sum();
        assert_eq!(rounds.len(), 2, "{cell}");
        assert_eq!(measured["summary"]["runs"], runs, "{cell}");
        let [low, middle, high] =
            ["min_ms", "p50_ms", "p99_ms"].map(|it| measured["summary"][it].as_f64().unwrap());
        assert!(0.0 < low && low <= middle && middle <= high, "{cell}");
        if cell["engine"] == "tract" {
            let agreement = &measured["agreement"];
            assert!(agreement["worst_error"].as_f64().unwrap() < 1e-4, "{cell}");
            assert_eq!(agreement["argmax_agreement"], 1.0, "{cell}");
            assert!(measured["ratio"]["value"].as_f64().unwrap() > 0.0, "{cell}");
        }
    }
}

#[test]
fn an_engine_that_does_not_start_is_a_row_with_the_reason_and_never_a_cpu_number() {
    let folder = artifact("nezha-tiny-zh-sentiment");
    let files = tempfile::tempdir().unwrap();
    let [saved, csv, report] = ["b.json", "b.csv", "b.html"].map(|it| files.path().join(it));
    let [saved_name, csv_name, report_name] =
        [&saved, &csv, &report].map(|it| it.to_str().unwrap());
    let mut arguments = vec![
        "--engines",
        "ort:cuda,tract",
        "--batch",
        "1",
        "--sequence",
        "8",
    ];
    arguments.extend([
        "--json",
        saved_name,
        "--csv",
        csv_name,
        "--report",
        report_name,
    ]);
    // A library that is none: also a machine with a GPU has no CUDA through it.
    arguments.extend(["--ort-library", "/dev/null"]);
    arguments.extend(SHORT);
    let output = bench(&arguments, &folder.path().join("model.onnx"));
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let message = stderr(&output);
    assert!(
        message.contains("in ort:cuda, 1×8: ort:cuda can't start"),
        "{message}"
    );
    let table = stdout(&output);
    assert!(table.contains("failed"), "{table}");

    let document = json(&fs::read(&saved).unwrap());
    assert_eq!(document["complete"], false);
    let [cuda, tract] = document["cells"].as_array().unwrap().as_slice() else {
        panic!("{document}");
    };
    assert!(
        cuda["measured"].is_null() && cuda["error"].is_string(),
        "{cuda}"
    );
    assert!(tract["error"].is_null(), "{tract}");
    assert!(tract["measured"]["summary"]["p50_ms"].as_f64().unwrap() > 0.0);

    let csv = fs::read_to_string(&csv).unwrap();
    let fields: Vec<usize> = csv::Reader::from_reader(csv.as_bytes())
        .records()
        .map(|it| it.unwrap().len())
        .collect();
    assert_eq!(fields, [26, 26], "{csv}");
    let html = fs::read_to_string(&report).unwrap();
    for part in ["<svg", "Latency", "Roofline", "Not complete", "/dev/null"] {
        assert!(html.contains(part), "{part} is not in {html}");
    }
    for part in ["<script", "http://localhost", "src="] {
        assert!(!html.contains(part), "{part} is in {html}");
    }
}

#[test]
fn real_texts_keep_their_own_lengths() {
    let folder = artifact("nezha-tiny-zh-sentiment");
    let texts = folder.path().join("texts");
    fs::write(
        &texts,
        "很好\n房间很干净，服务热情，下次还会住。\n\n不行\n好\n",
    )
    .unwrap();
    let mut arguments = vec![
        "--engines",
        "tract",
        "--batch",
        "2",
        "--json",
        "-",
        "--text",
    ];
    arguments.push(texts.to_str().unwrap());
    arguments.extend(SHORT);
    let model = folder.path().join("model.onnx");
    let output = bench(&arguments, &model);
    assert!(output.status.success(), "{output:?}");
    let document = json(&output.stdout);
    let cell = &document["cells"][0];
    // With [CLS] and [SEP]: 4 and 19 tokens, 4 and 3.
    assert_eq!(cell["sequence"], 19, "{cell}");
    assert_eq!(cell["tokens"], 15.0, "{cell}");

    arguments[3] = "9";
    let output = bench(&arguments, &model);
    let message = stderr(&output);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        message.contains("4 lines with text, too few for a batch of 9"),
        "{message}"
    );
}

#[test]
fn plans_for_single_shapes_are_told() {
    let folder = artifact("nezha-tiny-zh");
    let mut arguments = vec!["--engines", "tract", "--json", "-", "--shapes", "1x5"];
    arguments.extend(["--tract-plans", "2"]);
    arguments.extend(SHORT);
    let output = bench(&arguments, &folder.path().join("model.onnx"));
    assert!(output.status.success(), "{output:?}");
    let contender = &json(&output.stdout)["contenders"][0];
    let description = contender["description"].as_str().unwrap();
    assert!(
        description.ends_with("(CPU, plans for 2 shapes)"),
        "{description}"
    );
}

#[test]
fn single_shapes_are_measured_alone_and_in_their_order() {
    let folder = artifact("nezha-tiny-zh-sentiment");
    let model = folder.path().join("model.onnx");
    let mut arguments = vec!["--engines", "tract", "--json", "-", "--shapes", "3x5,1x9"];
    arguments.extend(SHORT);
    let output = bench(&arguments, &model);
    assert!(output.status.success(), "{output:?}");
    let document = json(&output.stdout);
    let cells = document["cells"].as_array().unwrap().iter();
    let shapes: Vec<_> = cells.map(|it| (&it["batch"], &it["sequence"])).collect();
    assert_eq!(shapes, [(&3.into(), &5.into()), (&1.into(), &9.into())]);

    for shape in ["8", "0x4", "1x"] {
        arguments[5] = shape;
        let output = bench(&arguments, &model);
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        let message = stderr(&output);
        assert!(message.contains("like 8x128"), "{message}");
    }
    let output = bench(&["--shapes", "1x8", "--batch", "1"], &model);
    let message = stderr(&output);
    assert!(message.contains("cannot be used with"), "{message}");
}

#[test]
fn a_comparison_names_what_became_slower_and_ends_with_one() {
    let folder = artifact("nezha-tiny-zh-sentiment");
    let [old, new] = ["old.json", "new.json"].map(|it| folder.path().join(it));
    let mut arguments = vec![
        "--engines",
        "tract",
        "--batch",
        "1",
        "--sequence",
        "8,9",
        "--json",
    ];
    arguments.push(old.to_str().unwrap());
    arguments.extend(SHORT);
    let output = bench(&arguments, &folder.path().join("model.onnx"));
    assert!(output.status.success(), "{output:?}");
    let compare = |limit: &str| {
        Command::new(NEZHA)
            .args(["bench", "compare", "--fail-above", limit])
            .args([&old, &new])
            .output()
            .unwrap()
    };

    fs::copy(&old, &new).unwrap();
    let output = compare("1.10");
    assert!(output.status.success(), "{output:?}");
    assert!(stdout(&output).contains("1.00 [0."), "{output:?}");

    let mut document = json(&fs::read(&old).unwrap());
    for round in document["cells"][0]["measured"]["samples_ms"]
        .as_array_mut()
        .unwrap()
    {
        for sample in round.as_array_mut().unwrap() {
            *sample = Value::from(2.0 * sample.as_f64().unwrap());
        }
    }
    document["cells"].as_array_mut().unwrap().remove(1);
    fs::write(&new, document.to_string()).unwrap();
    let output = compare("1.10");
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let message = stderr(&output);
    for part in [
        "2 of 2 cells",
        "1×8: 2.00 [",
        "1×9: missing from the new benchmark",
    ] {
        assert!(message.contains(part), "{part} is not in {message}");
    }

    fs::write(&new, "{}").unwrap();
    let output = compare("1.10");
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let message = stderr(&output);
    assert!(message.contains("expected \"nezha-bench/1\""), "{message}");
}

#[test]
fn an_input_that_bert_has_not_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let output = Command::new(NEZHA)
        .arg("export")
        .arg(repository("models/nezha-tiny-zh-sentiment"))
        .args(["--loss", "-o"])
        .arg(folder.path())
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let mut arguments = vec!["--engines", "tract", "--batch", "1", "--sequence", "8"];
    arguments.extend(SHORT);
    let output = bench(&arguments, &folder.path().join("model.onnx"));
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let message = stderr(&output);
    assert!(message.contains("input 'labels' is not known"), "{message}");
}
