//! `nezha tune` from outside: what it measures and writes, and how `auto` follows it.
#![allow(clippy::disallowed_methods, reason = "a test writes its inputs")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

use serde_json::{Value, json};
use tempfile::TempDir;
use testkit::command::{stderr, stdout, succeeded};
use testkit::{nezha, repository};

const CHECKPOINT: &str = "models/nezha-tiny-zh-sentiment";
const GROUPED: &str = "openvino:cpu@bf16/128";
const TEXT: &str = "房间很干净，服务热情，下次还会住。";

/// The bundled sentiment model in some precisions, and a file of texts beside it.
fn exported(dtypes: &str) -> (TempDir, PathBuf) {
    let folder = TempDir::new().unwrap();
    let checkpoint = repository(CHECKPOINT);
    let target = folder.path().to_str().unwrap();
    let source = checkpoint.to_str().unwrap();
    succeeded(nezha!(["export", source, "-o", target, "--dtype", dtypes]));
    let lines = fs::read_to_string(checkpoint.join("heldout.tsv")).unwrap();
    let texts = lines
        .lines()
        .take(10)
        .map(|it| it.split_once('\t').unwrap().1);
    let texts: Vec<&str> = texts.collect();
    let file = folder.path().join("lines.txt");
    fs::write(&file, texts.join("\n")).unwrap();
    (folder, file)
}

/// `nezha tune`, in a hurry.
fn tune(folder: &Path, text: &Path, more: &[&str]) -> Output {
    let [folder, text] = [folder, text].map(|it| it.to_str().unwrap());
    let hurry = ["tune", folder, "--text", text, "--seconds", "0.05"];
    nezha!([&hurry[..], more].concat())
}

fn classify(folder: &Path, more: &[&str]) -> Output {
    let task = ["text-classification", folder.to_str().unwrap(), TEXT];
    nezha!([&task[..], more].concat())
}

/// What `nezha tune` wrote, changed.
fn edit(folder: &Path, change: impl FnOnce(&mut Value)) {
    let path = folder.join("nezha.json");
    let mut tuned = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    change(&mut tuned);
    fs::write(&path, tuned.to_string()).unwrap();
}

fn refused(output: &Output, expected: &str) {
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let errors = stderr(output);
    assert!(errors.contains(expected), "no '{expected}' in: {errors}");
}

#[test]
fn the_fastest_of_every_precision_in_every_engine_is_kept_and_auto_follows_it() {
    let (folder, lines) = exported("fp32,w8");
    let folder = folder.path();
    let output = succeeded(tune(
        folder,
        &lines,
        &["--json", "--max-change", "10%", "--threads", "1"],
    ));
    let printed: Value = serde_json::from_str(stdout(&output)).unwrap();
    let path = folder.join("nezha.json");
    let written: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    assert_eq!(printed, written);
    assert_eq!(written["format_version"], 1);
    assert_eq!(written["texts"], 10);
    let measured = written["measured"].as_array().unwrap();
    let left_out = written["left_out"].as_array().unwrap();
    let all = || measured.iter().chain(left_out);
    for model in ["model.onnx", "model_w8.onnx"] {
        for way in ["ort:cpu", "openvino:cpu", "openvino:cpu@bf16", "tract"] {
            let is = |it: &&Value| it["model"] == model && it["way"] == way;
            assert!(all().any(|it| is(&it)), "no {model} in {way}: {written:#}");
        }
        // Activations are rounded in groups where weights are of few bits; a group is a hidden state.
        let is_grouped = |it: &&Value| it["model"] == model && it["way"] == GROUPED;
        let grouped = all().filter(is_grouped).count();
        assert_eq!(
            grouped,
            usize::from(model == "model_w8.onnx"),
            "{written:#}"
        );
    }
    // Of nine ways, heats let at most six take turns.
    assert!(measured.len() <= 6, "{written:#}");
    for it in measured {
        assert!(it["latency_ms"].as_f64().unwrap() > 0.0, "{it}");
        assert!(it["texts_per_second"].as_f64().unwrap() > 0.0, "{it}");
        let fastest = written["latency"]["latency_ms"].as_f64().unwrap();
        assert!(it["latency_ms"].as_f64().unwrap() >= fastest, "{it}");
    }

    let output = succeeded(classify(folder, &[]));
    assert!(stdout(&output).contains("positive"), "{}", stdout(&output));
    let fastest = &written["latency"];
    let followed = format!(
        "nezha.json: {} with {} answered fastest here",
        fastest["way"].as_str().unwrap(),
        folder.join(fastest["model"].as_str().unwrap()).display()
    );
    let engine = format!("engine: {}", fastest["description"].as_str().unwrap());
    for said in [followed, engine] {
        assert!(
            stderr(&output).contains(&said),
            "no '{said}' in: {}",
            stderr(&output)
        );
    }
    // What is asked for by name is what runs.
    let output = succeeded(classify(folder, &["--engine", "tract"]));
    assert!(
        stderr(&output).contains("engine: tract"),
        "{}",
        stderr(&output)
    );
    assert!(
        !stderr(&output).contains("nezha.json"),
        "{}",
        stderr(&output)
    );
}

#[test]
fn results_that_do_not_match_are_ignored_and_auto_says_why() {
    let (folder, lines) = exported("fp32");
    let folder = folder.path();
    let only_tract = ["--engines", "tract", "--threads", "1"];
    succeeded(tune(folder, &lines, &only_tract));
    let measured = fs::read(folder.join("nezha.json")).unwrap();
    let output = succeeded(classify(folder, &["--threads", "1"]));
    let said = "its results are ignored: threads or a precision were asked for";
    assert!(stderr(&output).contains(said), "{}", stderr(&output));
    for (field, value, said) in [
        (
            "/machine/processor",
            json!("another"),
            "it was measured on another machine",
        ),
        (
            "/tuned_by",
            json!("nezha-onnx 0.0.1"),
            "nezha-onnx 0.0.1 measured it and this is",
        ),
        (
            "/latency/bytes",
            json!(1),
            "model.onnx is not the file that was measured",
        ),
        (
            "/latency/description",
            json!("tract 0.1"),
            "it was measured with tract 0.1 and this is tract",
        ),
        (
            "/latency/model",
            json!("../model.onnx"),
            "../model.onnx is not in this folder",
        ),
        ("/latency/way", json!("ort:cuda"), "ort:cuda can't start"),
    ] {
        fs::write(folder.join("nezha.json"), &measured).unwrap();
        edit(folder, |tuned| *tuned.pointer_mut(field).unwrap() = value);
        let output = succeeded(classify(folder, &[]));
        let said = format!("nezha.json: its results are ignored: {said}");
        assert!(
            stderr(&output).contains(&said),
            "no '{said}' in: {}",
            stderr(&output)
        );
        let engine = "engine: ONNX Runtime";
        assert!(stderr(&output).contains(engine), "{}", stderr(&output));
    }
}

#[test]
fn a_file_that_tune_did_not_write_is_an_error_that_names_it() {
    let (folder, lines) = exported("fp32");
    let folder = folder.path();
    let path = folder.join("nezha.json");
    fs::write(&path, "{").unwrap();
    refused(
        &classify(folder, &[]),
        "nezha.json: not what `nezha tune` writes",
    );
    succeeded(tune(
        folder,
        &lines,
        &["--engines", "tract", "--threads", "1"],
    ));
    edit(folder, |tuned| tuned["more"] = json!(1));
    refused(&classify(folder, &[]), "unknown field `more`");
    edit(folder, |tuned| tuned["format_version"] = json!(2));
    refused(
        &classify(folder, &[]),
        "nezha.json: format version 2, expected 1",
    );
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    refused(&classify(folder, &[]), "nezha.json: can't be read");
}

#[test]
fn a_dry_run_prints_a_table_and_writes_nothing() {
    let (folder, lines) = exported("fp32");
    let folder = folder.path();
    let engines = ["--dry-run", "--engines", "ort:cuda,tract", "--threads", "1"];
    let output = succeeded(tune(folder, &lines, &engines));
    for said in [
        "texts a second",
        "left out: model.onnx in ort:cuda: ort:cuda can't start",
        "fastest for one text: model.onnx in tract",
        "fastest for many texts: model.onnx in tract",
    ] {
        assert!(
            stdout(&output).contains(said),
            "no '{said}' in: {}",
            stdout(&output)
        );
    }
    assert!(!folder.join("nezha.json").exists());
}

#[test]
fn missing_precisions_are_exported_from_the_checkpoint_that_the_models_are_of() {
    let (folder, lines) = exported("w8");
    let folder = folder.path();
    refused(&tune(folder, &lines, &[]), "no model.onnx in fp32");
    let other = repository("models/nezha-tiny-zh-ner");
    let other = ["--checkpoint", other.to_str().unwrap()];
    refused(
        &tune(folder, &lines, &other),
        "was not exported from the checkpoint",
    );
    let checkpoint = repository(CHECKPOINT);
    let more = ["--checkpoint", checkpoint.to_str().unwrap()];
    let engines = ["--engines", "openvino", "--threads", "1"];
    succeeded(tune(folder, &lines, &[&more[..], &engines].concat()));
    for file in [
        "model.onnx",
        "model_int8.onnx",
        "openvino/model.onnx",
        "openvino/model_w8.onnx",
    ] {
        assert!(folder.join(file).is_file(), "{file}");
    }
    let tuned: Value =
        serde_json::from_slice(&fs::read(folder.join("nezha.json")).unwrap()).unwrap();
    let rows = ["measured", "left_out"].map(|it| tuned[it].as_array().unwrap().len());
    assert_eq!(rows.iter().sum::<usize>(), 5, "{tuned:#}");
}

#[test]
fn bad_usage_and_nothing_to_ask_are_told_apart() {
    let (folder, lines) = exported("fp32");
    let folder = folder.path();
    for more in [
        ["--max-change", "2"],
        ["--engines", "tract@bf16"],
        ["--seconds", "0"],
    ] {
        let output = tune(folder, &lines, &more);
        assert_eq!(output.status.code(), Some(2), "{more:?}: {output:?}");
    }
    let empty = folder.join("empty.txt");
    fs::write(&empty, "\n \n").unwrap();
    refused(&tune(folder, &empty, &[]), "empty.txt: no line has text");
    refused(
        &tune(folder, &folder.join("none.txt"), &[]),
        "none.txt: can't be read",
    );
    refused(
        &tune(&folder.join("none"), &lines, &[]),
        "no model.onnx in fp32",
    );
    let engines = ["--engines", "ort:cuda"];
    refused(&tune(folder, &lines, &engines), "ort:cuda can't start");
    assert!(!folder.join("nezha.json").exists());
}

/// `nezha tune` of a bundled model with the first lines of its held-out ones, and what it wrote.
fn tuned_by_labels(checkpoint: &str, heldout: &str, max_change: &str) -> Value {
    let folder = TempDir::new().unwrap();
    let source = repository(checkpoint);
    let [target, from] = [folder.path(), &source].map(|it| it.to_str().unwrap());
    succeeded(nezha!([
        "export",
        from,
        "-o",
        target,
        "--dtype",
        "fp32,int8"
    ]));
    let content = fs::read_to_string(source.join(heldout)).unwrap();
    let content: Vec<&str> = content.lines().take(40).collect();
    let labelled = folder.path().join("labelled");
    fs::write(&labelled, content.join("\n")).unwrap();
    let texts = folder.path().join("lines.txt");
    fs::write(&texts, TEXT).unwrap();
    let labelled = ["--labelled", labelled.to_str().unwrap(), "--json"];
    let one = ["--engines", "ort:cpu", "--threads", "1"];
    let options = [&labelled[..], &one, &["--max-change", max_change]].concat();
    let output = succeeded(tune(folder.path(), &texts, &options));
    serde_json::from_str(stdout(&output)).unwrap()
}

/// The score of a model's file.
fn score(tuned: &Value, model: &str) -> f64 {
    let measured = tuned["measured"].as_array().unwrap();
    let found = measured.iter().find(|it| it["model"] == model);
    let found = found.unwrap_or_else(|| panic!("no {model}: {tuned:#}"));
    found["score"].as_f64().unwrap()
}

#[test]
fn where_labels_are_given_accuracy_decides() {
    let tuned = tuned_by_labels(CHECKPOINT, "heldout.tsv", "5%");
    for model in ["model.onnx", "model_int8.onnx"] {
        let score = score(&tuned, model);
        // 949 of all 1,000 are right.
        assert!((0.85..=1.0).contains(&score), "{model}: {score}");
        assert_eq!((score * 40.0).fract(), 0.0, "{model}: {score}");
    }
}

#[test]
fn where_names_are_given_f1_decides() {
    let tuned = tuned_by_labels("models/nezha-tiny-zh-ner", "heldout.jsonl", "10%");
    for model in ["model.onnx", "model_int8.onnx"] {
        let score = score(&tuned, model);
        // 0.909 over all 600 lines.
        assert!((0.75..1.0).contains(&score), "{model}: {score}");
    }
}

#[test]
fn a_line_without_an_answer_is_named() {
    let (folder, lines) = exported("fp32");
    let labelled = folder.path().join("labelled");
    let path = labelled.to_str().unwrap();
    for (content, expected) in [
        ("positive\t好\n好\n", "line 2"),
        (r#"{"text": "好"}"#, "expected either a label or entities"),
        ("", "no line has text"),
        (
            "positive\t好\n{\"text\": \"好\", \"entities\": []}\n",
            "others entities",
        ),
    ] {
        fs::write(&labelled, content).unwrap();
        refused(
            &tune(folder.path(), &lines, &["--labelled", path]),
            expected,
        );
    }
}
