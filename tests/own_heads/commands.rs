//! The command line with a head of the user's own.

use std::fs;

use serde_json::Value;
use testkit::command::{stderr, stdout, succeeded};
use testkit::{nezha, repository};

use super::text;

#[test]
fn an_export_with_a_spec_is_one_head_whose_name_every_command_knows() {
    let folder = repository("tests/fixtures/own-heads/mean-and-pooler");
    let target = tempfile::tempdir().unwrap();
    let spec = folder.join("head.toml");
    let exported = succeeded(nezha!([
        "export",
        text(&folder),
        "-o",
        text(target.path()),
        "--head-spec",
        text(&spec),
        "--verify",
    ]));
    assert!(
        stdout(&exported).contains("mean-and-pooler"),
        "{}",
        stdout(&exported)
    );
    let model = target.path().join("model.onnx");
    let inspected = succeeded(nezha!(["inspect", text(&model), "--json"]));
    let facts: Value = serde_json::from_str(stdout(&inspected)).unwrap();
    assert_eq!(
        facts["metadata"]["nezha.head"], "mean-and-pooler",
        "{facts:#}"
    );
    let spec = facts["metadata"]["nezha.head_spec"].as_str().unwrap();
    assert!(spec.contains("classifier.weight"), "{spec}");
    succeeded(nezha!(["verify", text(&model), text(&folder)]));
}

#[test]
fn a_fault_in_a_spec_names_file_line_and_field() {
    let folder = repository("tests/fixtures/own-heads/mean-and-pooler");
    let scratch = tempfile::tempdir().unwrap();
    for (spec, expected) in [
        (
            "name = \"mine\"\n[[outputs]]\nread = \"pooler\"\nsteps = [{ linear = { modul = \"fc\" } }]",
            "line 4, column 23: unknown field `modul`",
        ),
        (
            "name = \"mine\"\n[[outputs]]\nread = \"pooler\"\nsteps = [{ linear = { module = \"fc\" } }]",
            "line 4: outputs[0].steps[0].linear: the checkpoint has no tensor 'fc.weight'",
        ),
    ] {
        let path = scratch.path().join("head.toml");
        fs::write(&path, spec).unwrap();
        let target = scratch.path().join("out");
        let output = nezha!([
            "export",
            text(&folder),
            "-o",
            text(&target),
            "--head-spec",
            text(&path),
        ]);
        assert_eq!(output.status.code(), Some(1), "{spec}");
        let told = stderr(&output);
        assert!(told.contains(expected), "{spec} gave: {told}");
        assert!(told.contains("head.toml"), "{told}");
        assert!(!target.exists(), "{spec}: something was written");
    }
}
