//! The command line with a head of the user's own.

use std::fs;

use nezha_graphs::decode_model;
use prost::Message;
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

/// What `inspect` proposes for a fixture.
fn proposed(name: &str) -> Option<String> {
    let folder = repository("tests/fixtures/own-heads").join(name);
    let inspected = succeeded(nezha!(["inspect", text(&folder), "--json"]));
    let facts: Value = serde_json::from_str(stdout(&inspected)).unwrap();
    facts["proposed_head"].as_str().map(str::to_owned)
}

#[test]
fn inspect_proposes_a_spec_that_can_be_exported() {
    for (name, expected) in [
        (
            "mean-and-pooler",
            "task = \"text-classification\"\nread = [\"mean\", \"pooler\"]\nsteps = [\n    { linear = { module = \"classifier\" } },\n]\n",
        ),
        (
            "last-four-cls",
            "task = \"text-classification\"\nread = [\"pooler\", \"cls\"]\nlayers = [-1, -2, -3, -4]\nsteps = [\n    \
             { linear = { module = \"dence\" } },\n    { layer_norm = { module = \"norm\" } },\n    \
             { linear = { module = \"fc.0\" } },\n]\n",
        ),
        (
            "lstm-mean",
            "task = \"token-classification\"\nread = \"tokens\"\nsteps = [\n    { lstm = { module = \"lstm\" } },\n    \
             { linear = { module = \"fc\" } },\n]\n",
        ),
        (
            "linear-crf",
            "task = \"token-classification\"\nread = \"tokens\"\nsteps = [\n    { linear = { module = \"fc\" } },\n]\n\
             crf = { module = \"crf\" }\n",
        ),
        (
            "global-pointer",
            "task = \"span-classification\"\nread = \"tokens\"\nsteps = [\n    \
             { global_pointer = { module = \"global_pointer.dense\", size = 8 } },\n]\n",
        ),
        (
            "efficient-pointer",
            "task = \"span-classification\"\nread = \"tokens\"\nsteps = [\n    \
             { efficient_global_pointer = { module = \"pointer\" } },\n]\n",
        ),
    ] {
        let expected = format!("name = \"own\"\n\n[[outputs]]\n{expected}");
        let found = proposed(name).unwrap_or_else(|| panic!("{name}: nothing is proposed"));
        assert_eq!(found, expected, "{name}");
        let scratch = tempfile::tempdir().unwrap();
        let (spec, target) = (scratch.path().join("own.toml"), scratch.path().join("out"));
        fs::write(&spec, found).unwrap();
        let folder = repository("tests/fixtures/own-heads").join(name);
        let (folder, spec, target) = (text(&folder), text(&spec), text(&target));
        succeeded(nezha!([
            "export",
            folder,
            "--head-spec",
            spec,
            "-o",
            target
        ]));
    }
}

#[test]
fn inspect_proposes_nothing_where_heads_read_all_tensors() {
    for model in ["models/nezha-tiny-zh", "models/nezha-tiny-zh-ner"] {
        let folder = repository(model);
        let inspected = succeeded(nezha!(["inspect", text(&folder), "--json"]));
        let facts: Value = serde_json::from_str(stdout(&inspected)).unwrap();
        assert_eq!(facts["proposed_head"], Value::Null, "{model}");
    }
}

#[test]
fn the_specs_of_the_guide_are_specs() {
    let guide = fs::read_to_string(repository("docs/guide/own-heads.md")).unwrap();
    let blocks = guide.split("```toml\n").skip(1);
    let blocks: Vec<&str> = blocks.map(|it| it.split("```").next().unwrap()).collect();
    assert_eq!(blocks.len(), 4);
    for block in blocks {
        if let Err(error) = nezha_graphs::HeadSpec::from_toml(block) {
            panic!("{error}\n{block}");
        }
    }
}

#[test]
fn verify_sees_a_transition_that_was_changed() {
    let folder = repository("tests/fixtures/own-heads/linear-crf");
    let target = tempfile::tempdir().unwrap();
    let spec = folder.join("head.toml");
    let (spec, out) = (text(&spec), text(target.path()));
    succeeded(nezha!([
        "export",
        text(&folder),
        "--head-spec",
        spec,
        "-o",
        out
    ]));
    let path = target.path().join("model.onnx");
    let mut model = decode_model(fs::read(&path).unwrap().into()).unwrap();
    let mut props = model.metadata_props.iter_mut();
    let prop = props.find(|it| it.key == "nezha.head_spec").unwrap();
    let mut value: Value = serde_json::from_str(&prop.value).unwrap();
    value["outputs"][0]["crf"]["scores"]["transitions"][1][2] = 7.5.into();
    prop.value = value.to_string();
    fs::write(&path, model.encode_to_vec()).unwrap();
    let verified = nezha!(["verify", text(&path), text(&folder), "--engines", "ort"]);
    assert_eq!(verified.status.code(), Some(1), "{}", stdout(&verified));
    let told = stdout(&verified);
    assert!(
        told.contains("the CRF of output 'logits'"),
        "{told}{}",
        stderr(&verified)
    );
}
