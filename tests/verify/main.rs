//! `nezha verify` and `nezha export --verify` from outside: what passes, and that whatever is changed
//! in an artifact fails by name.
#![allow(clippy::disallowed_methods, reason = "a test writes its inputs")]

mod changes;
mod engines;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

use nezha_graphs::decode_model;
use nezha_graphs::proto::ModelProto;
use prost::Message;
use serde_json::Value;
use tempfile::TempDir;
use testkit::command::{stderr, stdout, succeeded as passed};
use testkit::{fixture_folder as fixture, nezha};

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// An artifact of a fixture in a folder of its own.
struct Artifact {
    checkpoint: PathBuf,
    folder: TempDir,
}

impl Artifact {
    fn new(name: &str, more: &[&str]) -> Self {
        let (checkpoint, folder) = (fixture(name), tempfile::tempdir().unwrap());
        let arguments = ["export", text(&checkpoint), "-o", text(folder.path())];
        let output = nezha!([&arguments, more].concat());
        assert!(output.status.success(), "{name}: {}", stderr(&output));
        Self { checkpoint, folder }
    }

    fn model(&self) -> PathBuf {
        self.folder.path().join("model.onnx")
    }

    fn weights(&self) -> PathBuf {
        let mut files = fs::read_dir(self.folder.path()).unwrap();
        let is_weights = |path: &PathBuf| path.extension().is_some_and(|it| it == "onnx_data");
        let file = files.find_map(|it| Some(it.unwrap().path()).filter(is_weights));
        file.expect("a file of external weights")
    }

    /// Verifies against the checkpoint it was exported from.
    fn verify(&self, more: &[&str]) -> Output {
        self.verify_against(&self.checkpoint, more)
    }

    fn verify_against(&self, checkpoint: &Path, more: &[&str]) -> Output {
        let model = self.model();
        nezha!([&["verify", text(&model), text(checkpoint)], more].concat())
    }

    fn certificate(&self) -> Value {
        let path = self.folder.path().join("verification.json");
        serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
    }

    fn proto(&self) -> ModelProto {
        // From memory: the file may be written to while the model lives.
        decode_model(fs::read(self.model()).unwrap().into()).unwrap()
    }

    fn edit(&self, edit: impl FnOnce(&mut ModelProto)) {
        let mut model = self.proto();
        edit(&mut model);
        fs::write(self.model(), model.encode_to_vec()).unwrap();
    }

    /// What the artifact carries of the last verification.
    fn summary(&self) -> Option<Value> {
        let props = self.proto().metadata_props;
        let mut found = props.iter().filter(|it| it.key == "nezha.verification");
        let summary = found
            .next()
            .map(|it| serde_json::from_str(&it.value).unwrap());
        assert!(found.next().is_none(), "two summaries");
        summary
    }
}

/// It exits with 1 and says this.
fn failed(output: &Output, expected: &str) {
    assert_eq!(output.status.code(), Some(1), "{}", stdout(output));
    let said = format!("{}{}", stdout(output), stderr(output));
    assert!(said.contains(expected), "no {expected:?} in:\n{said}");
}

#[test]
fn every_head_and_option_is_compared_in_both_engines() {
    let outputs = ["--outputs", "hidden-states,attentions"];
    for (name, more) in [
        ("reach-4/base", &outputs[..]),
        ("reach-4/base", &["--pooling", "mean", "--normalize"]),
        ("reach-4/base", &["--inputs", "inputs-embeds,head-mask"]),
        ("reach-4/pretraining", &["--loss"]),
        (
            "reach-4/masked-lm",
            &["--mask-positions", "--probabilities", "--top-k", "3"],
        ),
        ("reach-4/next-sentence", &["--probabilities"]),
        ("reach-4/sequence-classification", &["--loss"]),
        (
            "reach-4/sequence-classification",
            &[
                "--loss",
                "--problem-type",
                "multi_label_classification",
                "--probabilities",
            ],
        ),
        (
            "reach-4/multiple-choice",
            &["--loss", "--outputs", "attentions"],
        ),
        ("reach-4/token-classification", &["--loss"]),
        (
            "reach-4/question-answering",
            &["--loss", "--weights", "external"],
        ),
        (
            "untied-regression/sequence-classification",
            &["--loss", "--opset", "23"],
        ),
        ("reach-0/masked-lm", &outputs),
        (
            "decoder-causal/masked-lm",
            &["--kv-cache", "--outputs", "attentions"],
        ),
        (
            "decoder-cross-attention/masked-lm",
            &["--kv-cache", "--outputs", "hidden-states,attentions"],
        ),
        ("decoder-cross-attention/base", &outputs),
        (
            "reach-4/multiple-choice",
            &["--static", "batch=2,sequence=9,choices=2"],
        ),
        (
            "decoder-cross-attention/masked-lm",
            &["--static", "batch=1,sequence=12,encoder=5"],
        ),
    ] {
        let artifact = Artifact::new(name, more);
        let output = artifact.verify(&["--engines", "ort,tract"]);
        assert!(
            output.status.success(),
            "{name} {more:?}\n{}{}",
            stdout(&output),
            stderr(&output)
        );
        let certificate = artifact.certificate();
        assert_eq!(certificate["passed"], true, "{name} {more:?}");
        let engines = certificate["engines"].as_array().unwrap();
        assert_eq!(engines.len(), 2, "{name} {more:?}");
        for engine in engines {
            let cases = engine["cases"].as_array().unwrap();
            assert_eq!(cases.len(), 6, "{name} {more:?}: {engine}");
            for case in cases {
                let (error, tolerance) = (&case["error"], engine["tolerance"].as_f64().unwrap());
                let error = error.as_f64().unwrap_or_else(|| panic!("{name}: {case}"));
                assert!(error <= tolerance, "{name} {more:?}: {case}");
            }
        }
    }
}

#[test]
fn export_can_verify_and_the_artifact_carries_the_result() {
    let artifact = Artifact::new("reach-4/masked-lm", &["--verify"]);
    let summary = artifact.summary().expect("a summary");
    assert_eq!(summary["passed"], true, "{summary}");
    for engine in ["ort:cpu", "openvino:cpu", "tract"] {
        assert!(summary["worst_errors"][engine].is_f64(), "{summary}");
    }
    let certificate = artifact.certificate();
    assert_eq!(certificate["format_version"], 1);
    assert_eq!(
        certificate["initializers"]["count"],
        summary["initializers"]
    );
    let bytes = fs::metadata(artifact.model()).unwrap().len();
    assert_eq!(certificate["files"][0]["name"], "model.onnx");
    assert_eq!(
        certificate["files"][0]["bytes"], bytes,
        "as it is with its summary"
    );
}

#[test]
fn fewer_bits_are_verified_with_the_tolerance_that_computing_needs() {
    let classifier = "reach-4/sequence-classification";
    let words = "reach-4/masked-lm";
    // As in single precision: only weights are rounded, and the reference has the same ones.
    let fp32 = [1e-5, 1e-5, 1e-4];
    // OpenVINO rounds activations for weights of 4 bits, too.
    let q4 = [1e-5, 0.15, 1e-4];
    for (name, options, stem, tolerances) in [
        (classifier, ["--storage", "fp16"], "", fp32),
        (classifier, ["--dtype", "fp16"], "model_fp16.", [0.02; 3]),
        (classifier, ["--dtype", "int8"], "model_int8.", [0.2; 3]),
        (classifier, ["--dtype", "w8"], "model_w8.", [0.2; 3]),
        (classifier, ["--dtype", "q8"], "model_q8.", [0.15; 3]),
        (classifier, ["--dtype", "q4"], "model_q4.", q4),
        (words, ["--dtype", "int8"], "model_int8.", [0.2; 3]),
        (words, ["--dtype", "w8"], "model_w8.", [0.2; 3]),
        (words, ["--dtype", "q8"], "model_q8.", [0.15; 3]),
        (words, ["--dtype", "q4"], "model_q4.", [0.03, 0.15, 0.03]),
    ] {
        let artifact = Artifact::new(name, &[&options[..], &["--verify"]].concat());
        let file = artifact
            .folder
            .path()
            .join(format!("{stem}verification.json"));
        let certificate: Value = serde_json::from_slice(&fs::read(file).unwrap()).unwrap();
        assert_eq!(certificate["passed"], true, "{options:?}: {certificate}");
        let engines = certificate["engines"].as_array().unwrap();
        let names: Vec<&str> = engines
            .iter()
            .map(|it| it["engine"].as_str().unwrap())
            .collect();
        assert_eq!(names, ["ort:cpu", "openvino:cpu", "tract"], "{options:?}");
        for (engine, tolerance) in engines.iter().zip(tolerances) {
            assert_eq!(
                engine["tolerance"], tolerance,
                "{name} {options:?}: {engine}"
            );
        }
    }
}

#[test]
fn verifying_again_changes_nothing_and_exporting_again_takes_the_certificate_away() {
    let artifact = Artifact::new("reach-4/masked-lm", &["--weights", "external"]);
    let contents = || {
        let certificate = fs::read(artifact.folder.path().join("verification.json")).unwrap();
        (fs::read(artifact.model()).unwrap(), certificate)
    };
    passed(artifact.verify(&[]));
    let once = contents();
    passed(artifact.verify(&[]));
    assert!(
        contents() == once,
        "a second verification wrote other bytes"
    );
    let [checkpoint, target] = [&artifact.checkpoint, artifact.folder.path()].map(text);
    passed(nezha!(&["export", checkpoint, "-o", target, "--force"]));
    assert!(!artifact.folder.path().join("verification.json").exists());
    assert_eq!(artifact.summary(), None);
}

#[test]
fn every_head_of_a_shared_export_has_its_own_certificate() {
    let artifact = Artifact::new(
        "reach-4/pretraining",
        &["--head", "all", "--verify", "--engines", "tract"],
    );
    for head in ["base", "pretraining", "masked-lm", "next-sentence"] {
        let path = artifact
            .folder
            .path()
            .join(format!("{head}.verification.json"));
        let certificate: Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
        assert_eq!(certificate["head"], head);
        assert_eq!(
            certificate["files"].as_array().unwrap().len(),
            2,
            "{certificate}"
        );
        assert_eq!(certificate["engines"].as_array().unwrap().len(), 1);
    }
}

#[test]
fn json_is_the_certificate_and_nothing_else() {
    let artifact = Artifact::new("reach-4/next-sentence", &[]);
    let output = passed(artifact.verify(&["--json", "--engines", "tract"]));
    let printed: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(printed, artifact.certificate());
}

#[test]
fn linked_weights_are_verified_where_they_are() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["config.json", "model.safetensors"] {
        fs::copy(fixture("reach-4/base").join(name), folder.path().join(name)).unwrap();
    }
    let path = text(folder.path());
    let output = nezha!(&[
        "export",
        path,
        "-o",
        path,
        "--weights",
        "linked",
        "--verify",
    ]);
    let output = passed(output);
    assert!(
        stdout(&output).contains("each as the checkpoint has it"),
        "{}",
        stdout(&output)
    );
}

#[test]
fn an_engine_that_is_named_has_to_be_there() {
    let artifact = Artifact::new("reach-4/base", &[]);
    let output = artifact.verify(&["--engines", "onnx"]);
    assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
    let output = artifact.verify(&["--engines", "ort", "--ort-library", "/not/there"]);
    failed(&output, "/not/there");
    let output = passed(artifact.verify(&["--ort-library", "/not/there"]));
    assert!(stdout(&output).contains("not asked"), "{}", stdout(&output));
}
