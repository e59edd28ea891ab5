//! `nezha export --agreement`: how near fewer bits come to single precision, printed and kept.
#![allow(clippy::disallowed_methods, reason = "a test writes its inputs")]

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use safetensors::SafeTensors;
use serde_json::Value;
use tempfile::TempDir;
use testkit::command::{stderr, stdout};
use testkit::{nezha, repository as source};

const SENTIMENT: &str = "models/nezha-tiny-zh-sentiment";

fn export(checkpoint: &Path, target: &Path, more: &[&str]) -> Output {
    let [checkpoint, target] = [checkpoint, target].map(|it| it.to_str().unwrap());
    nezha!([&["export", checkpoint, "-o", target], more].concat())
}

/// The report on the artifact in this precision.
fn report(target: &Path, dtype: &str) -> Value {
    let path = target.join(format!("model_{dtype}.agreement.json"));
    let text = fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_slice(&text).unwrap()
}

/// The first reviews of the held-out lines, as a file of texts, and the option that names it.
fn reviews(folder: &TempDir) -> String {
    let lines = fs::read_to_string(source(SENTIMENT).join("heldout.tsv")).unwrap();
    let texts = lines
        .lines()
        .take(8)
        .map(|it| it.split_once('\t').unwrap().1);
    let path = folder.path().join("reviews.txt");
    // Empty lines are no texts.
    fs::write(&path, texts.collect::<Vec<_>>().join("\n\n")).unwrap();
    format!("--agreement={}", path.display())
}

#[test]
fn every_precision_but_fp32_gets_a_report_on_the_texts_that_are_given() {
    let (target, texts) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let more = ["--dtype", "fp32,int8,q4", &reviews(&texts)];
    let output = export(&source(SENTIMENT), target.path(), &more);
    assert!(output.status.success(), "{}", stderr(&output));
    let mut errors = Vec::new();
    for dtype in ["int8", "q4"] {
        let report = report(target.path(), dtype);
        assert_eq!(report["format_version"], 1);
        assert_eq!(report["dtype"], dtype);
        assert_eq!(report["reference"], "fp32");
        assert_eq!(report["calibration"], "none");
        assert_eq!(report["questions"]["count"], 8, "{report}");
        let [logits] = report["outputs"].as_array().unwrap().as_slice() else {
            panic!("{report}");
        };
        assert_eq!(logits["name"], "logits");
        assert_eq!(logits["elements"], 16, "two labels of each text");
        assert_eq!(logits["argmax_agreement"], 1.0, "{logits}");
        let number = |field: &str| logits[field].as_f64().unwrap();
        assert!(number("cosine_similarity") > 0.98, "{logits}");
        let (worst, mean) = (number("worst_error"), number("mean_error"));
        assert!(0.0 < mean && mean < worst && worst < 1.0, "{logits}");
        assert!(number("worst_relative_error") < worst, "{logits}");
        errors.push(mean);
        let title = format!("model_{dtype}.onnx: {dtype} beside fp32 in ");
        assert!(stdout(&output).contains(&title), "{}", stdout(&output));
    }
    assert!(
        errors[0] < errors[1],
        "int8 {}, q4 {}",
        errors[0],
        errors[1]
    );
    assert!(!target.path().join("agreement.json").exists());

    let output = export(
        &source(SENTIMENT),
        target.path(),
        &["--dtype", "int8", "--force"],
    );
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(
        stderr(&output).contains("--agreement="),
        "{}",
        stderr(&output)
    );
    let left = target.path().join("model_int8.agreement.json");
    assert!(!left.exists(), "it speaks of the file that was replaced");
}

#[test]
fn without_texts_token_ids_at_random_are_asked_and_every_output_is_compared() {
    let target = TempDir::new().unwrap();
    let checkpoint = source("tests/fixtures/reach-4/base");
    let more = ["--dtype", "q8", "--outputs", "hidden-states", "--agreement"];
    let output = export(&checkpoint, target.path(), &more);
    assert!(output.status.success(), "{}", stderr(&output));
    let report = report(target.path(), "q8");
    assert_eq!(report["questions"]["texts"], Value::Null);
    let outputs = report["outputs"].as_array().unwrap();
    let names: Vec<&str> = outputs
        .iter()
        .map(|it| it["name"].as_str().unwrap())
        .collect();
    assert_eq!(
        names,
        [
            "last_hidden_state",
            "pooler_output",
            "hidden_states.0",
            "hidden_states.1",
            "hidden_states.2",
        ]
    );
    for output in outputs {
        let cosine = output["cosine_similarity"].as_f64().unwrap();
        assert!(cosine > 0.999, "{output}");
    }
}

/// The checkpoint of a fixture with a layer whose products no number of half precision holds.
fn too_large_for_half(folder: &Path) {
    const TENSOR: &str = "nezha.encoder.layer.0.intermediate.dense.weight";
    let source = source("tests/fixtures/reach-4/masked-lm");
    fs::copy(source.join("config.json"), folder.join("config.json")).unwrap();
    let mut bytes = fs::read(source.join("model.safetensors")).unwrap();
    let (start, end) = {
        let tensors = SafeTensors::deserialize(&bytes).unwrap();
        let data = tensors.tensor(TENSOR).unwrap().data();
        let start = data.as_ptr() as usize - bytes.as_ptr() as usize;
        (start, start + data.len())
    };
    for (i, weight) in bytes[start..end].chunks_mut(4).enumerate() {
        let large = if i % 2 == 0 { 60_000.0_f32 } else { -60_000.0 };
        weight.copy_from_slice(&large.to_le_bytes());
    }
    fs::write(folder.join("model.safetensors"), bytes).unwrap();
}

#[test]
fn answers_that_are_nan_are_a_failure_that_the_report_keeps() {
    let (checkpoint, target) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    too_large_for_half(checkpoint.path());
    // ONNX Runtime has few kernels of half precision on a CPU and computes in single in between.
    let more = ["--dtype", "fp16", "--agreement", "--engines", "tract"];
    let output = export(checkpoint.path(), target.path(), &more);
    assert_eq!(output.status.code(), Some(1), "{}", stdout(&output));
    assert!(
        stderr(&output).contains("some answers are NaN"),
        "{}",
        stderr(&output)
    );
    let report = report(target.path(), "fp16");
    let logits = &report["outputs"][0];
    assert_eq!(logits["worst_error"], Value::Null, "{logits}");
    let output = export(
        checkpoint.path(),
        target.path(),
        &["--dtype", "q8", "--agreement"],
    );
    assert!(output.status.success(), "{}", stderr(&output));
}

#[test]
fn what_can_not_be_compared_says_why() {
    let target = TempDir::new().unwrap();
    let no_text = target.path().join("empty.txt");
    fs::write(&no_text, "\n \n").unwrap();
    let empty = format!("--agreement={}", no_text.display());
    for (more, code, expected) in [
        (&["--agreement"][..], 2, "precisions other than fp32"),
        (
            &["--dtype", "int8", "--agreement=not/there"],
            1,
            "not/there",
        ),
        (
            &["--dtype", "int8", "--force", &empty],
            1,
            "no line has text",
        ),
    ] {
        let output = export(&source(SENTIMENT), &target.path().join("out"), more);
        assert_eq!(output.status.code(), Some(code), "{more:?}");
        assert!(stderr(&output).contains(expected), "{}", stderr(&output));
    }
}

#[test]
fn a_temporary_folder_that_can_not_be_made_is_named_with_the_reason() {
    let target = TempDir::new().unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_nezha"))
        .arg("export")
        .arg(source(SENTIMENT))
        .arg("-o")
        .arg(target.path())
        .args(["--dtype", "int8", "--agreement"])
        .env("TMPDIR", "/nonexistent")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    let error = stderr(&output);
    assert!(
        error.contains("error: no temporary folder for fp32: No such file or directory"),
        "{error}"
    );
    assert!(error.contains("/nonexistent/"), "{error}");
}
