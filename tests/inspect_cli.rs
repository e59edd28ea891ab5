//! `nezha inspect` from outside: facts of checkpoints and models, pictures, and errors.
#![allow(clippy::disallowed_methods, reason = "a test writes its inputs")]

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use nezha_graphs::Head;
use nezha_graphs::proto::{
    GraphProto, ModelProto, NodeProto, OperatorSetIdProto, TensorProto, TensorShapeProto,
    TensorTypeProto, TypeProto, ValueInfoProto,
};
use prost::Message;
use serde_json::{Value, json};
use tempfile::TempDir;
use testkit::command::{stderr, stdout, succeeded};
use testkit::repository;

fn inspect(path: &Path, more: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_nezha"))
        .arg("inspect")
        .arg(path)
        .args(more)
        .output()
        .unwrap()
}

fn text(output: Output) -> String {
    stdout(&succeeded(output)).to_owned()
}

fn json_of(path: &Path) -> Value {
    let output = inspect(path, &["--json"]);
    serde_json::from_str(&text(output)).expect("one JSON document and nothing else")
}

fn failure(path: &Path, more: &[&str]) -> String {
    let output = inspect(path, more);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert_eq!(stdout(&output), "");
    stderr(&output).to_owned()
}

/// A folder with the fixture exported into it.
fn exported(fixture: &str, more: &[&str]) -> TempDir {
    let folder = TempDir::new().unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_nezha"))
        .arg("export")
        .arg(repository("tests/fixtures").join(fixture))
        .arg("-o")
        .arg(folder.path())
        .args(more)
        .output()
        .unwrap();
    succeeded(output);
    folder
}

/// Whether some line of `report` is `name`, spaces, `value`.
fn has_row(report: &str, name: &str, value: &str) -> bool {
    report.lines().any(|line| {
        let rest = line.trim_start().strip_prefix(name);
        rest.is_some_and(|it| it.starts_with("  ") && it.trim() == value)
    })
}

#[test]
fn a_checkpoint_tells_its_format_and_where_its_encoder_was_found() {
    let wrapped = "exporter/tests/checkpoints/wrapped";
    for (path, format, key, prefix, dialect) in [
        (
            "models/nezha-tiny-zh",
            "safetensors",
            "",
            "nezha.",
            "transformers",
        ),
        (
            &format!("{wrapped}/lightning"),
            "PyTorch",
            "state_dict",
            "model.nezha.",
            "transformers",
        ),
        (
            &format!("{wrapped}/module"),
            "PyTorch",
            "",
            "bert_model.",
            "transformers",
        ),
        (
            "tests/fixtures/families/bert4torch/classifier.pt",
            "PyTorch",
            "",
            "bert.",
            "bert4torch",
        ),
        (
            "tests/fixtures/families/tensorflow-finetuned",
            "TensorFlow",
            "",
            "bert.",
            "TensorFlow",
        ),
        (
            "tests/fixtures/families/bert4keras/best_model.h5",
            "Keras HDF5",
            "",
            "",
            "Keras",
        ),
        (
            "tests/fixtures/families/paddlenlp/pretraining",
            "Paddle",
            "",
            "nezha.",
            "PaddleNLP",
        ),
    ] {
        let facts = json_of(&repository(path));
        assert_eq!(facts["format"], format, "{path}");
        let origin = json!({"key": key, "prefix": prefix, "dialect": dialect});
        assert_eq!(facts["origin"], origin, "{path}");
        let report = text(inspect(&repository(path), &[]));
        assert!(has_row(&report, "format", format), "{path}: {report}");
        assert!(has_row(&report, "names", dialect), "{path}: {report}");
        let found = has_row(&report, "state dict", &format!("under '{key}'"));
        assert_eq!(found, !key.is_empty(), "{path}: {report}");
    }
    let report = text(inspect(
        &repository("tests/fixtures/families/tensorflow-finetuned"),
        &[],
    ));
    for note in [
        "84 tensors of an optimizer's state",
        "[in, out] matrices as [out, in]",
    ] {
        assert!(report.contains(note), "expected '{note}' in: {report}");
    }
}

#[test]
fn a_checkpoint_is_counted_part_by_part() {
    let facts = json_of(&repository("models/nezha-tiny-zh"));
    assert_eq!(facts["kind"], "checkpoint");
    assert_eq!(facts["format"], "safetensors");
    assert_eq!(facts["storage"][0]["storage"], "F16");
    assert_eq!(facts["config"]["hidden_act"], "gelu");
    assert_eq!(facts["config"]["max_relative_position"], 64);
    assert_eq!(facts["head_size"], 64);
    let count = |of: &Value| of["parameters"].as_u64().unwrap();
    let parts = facts["parts"].as_array().unwrap();
    assert_eq!(parts.iter().map(count).sum::<u64>(), count(&facts));
    // Word and type embeddings and a LayerNorm, 128 wide.
    assert_eq!(count(&parts[0]), (21_128 + 2 + 2) * 128);
}

#[test]
fn heads_that_a_checkpoint_lacks_say_what_is_missing() {
    let folder = repository("tests/fixtures/reach-4/question-answering");
    let facts = json_of(&folder);
    let heads = facts["heads"].as_array().unwrap();
    assert_eq!(heads.len(), Head::ALL.len(), "{facts}");
    for head in heads {
        let name = head["head"].as_str().unwrap();
        let can = ["base", "question-answering"].contains(&name);
        assert_eq!(head["unavailable"].is_null(), can, "{head}");
        assert_eq!(head["named"], name == "question-answering", "{head}");
    }
    let report = text(inspect(&folder, &[]));
    let named = "yes, named by `architectures`";
    assert!(has_row(&report, "question-answering", named), "{report}");
    assert!(
        report.contains("'classifier.weight' [2, 16]"),
        "missing tensors are named: {report}"
    );
}

#[test]
fn a_model_shows_its_signature_sizes_and_operators() {
    let folder = exported("reach-4/masked-lm", &[]);
    let facts = json_of(&folder.path().join("model.onnx"));
    assert_eq!(facts["kind"], "model");
    assert_eq!(
        facts["opsets"],
        json!([{"domain": "ai.onnx", "version": 17}])
    );
    assert_eq!(facts["ir_version"], 8);
    assert_eq!(facts["inputs"][0]["name"], "input_ids");
    assert_eq!(facts["outputs"][0]["shape"][0], "batch_size");
    assert!(
        facts["outputs"][0]["shape"][2].is_u64(),
        "{}",
        facts["outputs"]
    );
    assert_eq!(facts["metadata"]["nezha.head"], "masked-lm");
    let operators = facts["operators"].as_object().unwrap();
    let nodes: u64 = operators.values().map(|it| it.as_u64().unwrap()).sum();
    assert_eq!(facts["nodes"], nodes);
    assert!(nodes > 0);

    let report = text(inspect(folder.path(), &[]));
    let mask = "int64[batch_size, sequence_length]";
    assert!(has_row(&report, "attention_mask", mask), "{report}");
    assert!(
        has_row(&report, "head", "masked-lm, signature version 1"),
        "{report}"
    );
}

#[test]
fn a_model_says_in_which_form_it_picks_relative_positions() {
    for (more, picked) in [
        (&[][..], "picked by GatherElements"),
        (&["--gather", "elements"], "picked by GatherElements"),
        (&["--gather", "flat"], "picked by Gather from flat rows"),
        (&["--layout", "openvino"], "picked by Gather from flat rows"),
    ] {
        let folder = exported("reach-4/base", more);
        let report = text(inspect(folder.path(), &[]));
        assert!(has_row(&report, "relative positions", picked), "{report}");
        let flat = picked.contains("flat").then(|| json!({"gather": "flat"}));
        let options = json_of(folder.path())["metadata"]["nezha.graph_options"].clone();
        let options: Value = serde_json::from_str(options.as_str().unwrap()).unwrap();
        assert_eq!(options, flat.unwrap_or(json!({})));
    }
}

#[test]
fn weights_beside_a_model_are_counted_and_missed() {
    let folder = exported("reach-4/base", &["--weights", "external"]);
    let facts = json_of(folder.path());
    let [file] = facts["external_files"].as_array().unwrap().as_slice() else {
        panic!("one file of weights: {}", facts["external_files"]);
    };
    let path = folder.path().join(file["location"].as_str().unwrap());
    assert_eq!(facts["missing_files"], json!([]));
    assert!(file["bytes"].as_u64().unwrap() <= fs::metadata(&path).unwrap().len());

    fs::write(&path, b"too short").unwrap();
    assert_eq!(
        json_of(folder.path())["missing_files"],
        json!([file["location"]])
    );
    let report = text(inspect(folder.path(), &[]));
    assert!(report.contains("MISSING or too short"), "{report}");
}

#[test]
fn another_tools_model_is_described_too() {
    let value = |name: &str, elem_type| ValueInfoProto {
        name: name.into(),
        r#type: Some(TypeProto {
            tensor_type: Some(TensorTypeProto {
                elem_type,
                shape: Some(TensorShapeProto::default()),
            }),
        }),
        ..ValueInfoProto::default()
    };
    let weight = TensorProto {
        name: "w".into(),
        dims: vec![3, 4],
        data_type: 11,
        ..TensorProto::default()
    };
    let node = NodeProto {
        op_type: "Tokenize".into(),
        domain: "com.example".into(),
        input: vec!["text".into(), "w".into()],
        output: vec!["y".into()],
        ..NodeProto::default()
    };
    let model = ModelProto {
        ir_version: 7,
        producer_name: "somebody".into(),
        opset_import: vec![OperatorSetIdProto {
            domain: Some("com.example".into()),
            version: 3,
        }],
        graph: Some(GraphProto {
            name: "g".into(),
            node: vec![node],
            // As old exporters do, the weight is listed among the inputs.
            input: vec![value("text", 8), value("w", 11)],
            output: vec![value("y", 99)],
            initializer: vec![weight],
            ..GraphProto::default()
        }),
        ..ModelProto::default()
    };
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("other.onnx");
    fs::write(&path, model.encode_to_vec()).unwrap();

    let facts = json_of(&path);
    assert_eq!(facts["producer"], "somebody");
    assert_eq!(facts["parameters"], 12);
    assert_eq!(facts["operators"], json!({"com.example.Tokenize": 1}));
    let inputs = facts["inputs"].as_array().unwrap();
    assert_eq!(inputs.len(), 1, "{inputs:?}");
    let report = text(inspect(&path, &[]));
    assert!(has_row(&report, "text", "string[]"), "{report}");
    assert!(
        has_row(&report, "float64", "1 tensor, 0.1 kB inside"),
        "{report}"
    );
    assert!(has_row(&report, "y", "type 99[]"), "{report}");
    let listing = text(inspect(&path, &["--listing"]));
    assert!(
        listing.contains("\n  y = com.example.Tokenize(text, w) : type 99[]  # \n"),
        "{listing}"
    );
}

#[test]
fn a_layer_is_drawn_with_its_operators_shapes_and_modules() {
    let folder = exported("reach-4/base", &[]);
    let file = folder.path().join("layer.svg");
    let path = file.to_str().unwrap();
    assert_eq!(text(inspect(folder.path(), &["--svg", path])), "");
    let svg = fs::read_to_string(&file).unwrap();
    assert!(svg.starts_with("<svg ") && svg.trim_end().ends_with("</svg>"));
    for expected in [
        ">nezha.encoder.layer.0.attention.self.query</text>",
        ">Softmax</text>",
        ">b = batch_size · s = sequence_length · float32 where no type is named</text>",
        "<title>nezha.encoder.layer.0.output.LayerNorm/LayerNormalization</title>",
    ] {
        assert!(svg.contains(expected), "{expected} is not in {svg}");
    }
    assert!(
        !svg.contains("<title>nezha.encoder.layer.1.output"),
        "a node of another layer was drawn"
    );

    let pooler = ["--svg", path, "--scope", "nezha.pooler"];
    text(inspect(folder.path(), &pooler));
    let svg = fs::read_to_string(&file).unwrap();
    assert!(svg.contains(">Tanh</text>") && !svg.contains(">Softmax</text>"));
}

#[test]
fn a_layer_that_is_not_there_leaves_no_picture() {
    let folder = exported("reach-4/base", &[]);
    let file = folder.path().join("layer.svg");
    let arguments = ["--svg", file.to_str().unwrap(), "--layer", "99"];
    let error = failure(folder.path(), &arguments);
    assert!(
        error.contains("no node's name starts with 'nezha.encoder.layer.99'")
            && error.contains("'nezha.embeddings"),
        "{error}"
    );
    assert!(!file.exists());
}

#[test]
fn what_is_neither_a_checkpoint_nor_a_model_is_refused_by_name() {
    let folder = TempDir::new().unwrap();
    let write = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        fs::write(&path, bytes).unwrap();
        path
    };
    let model = exported("reach-4/base", &[]);
    let model = fs::read(model.path().join("model.onnx")).unwrap();
    let cut_short = &model[..model.len() / 2];
    for (path, expected) in [
        (folder.path().join("nothing"), "no such file or folder"),
        (folder.path().join("nothing.onnx"), "no such file or folder"),
        (write("notes.md", b"hello"), "found another kind of file"),
        (write("empty.onnx", b""), "it holds no graph"),
        (write("text.onnx", b"<html>"), "not a complete ONNX model"),
        (write("short.onnx", cut_short), "not a complete ONNX model"),
        (write("w.safetensors", b"{}"), "config.json"),
    ] {
        let error = failure(&path, &[]);
        assert!(error.contains(expected), "{}: {error}", path.display());
        let name = path.file_name().unwrap().to_str().unwrap();
        let named = error.contains(name) || expected == "config.json";
        assert!(named, "the error names {name}: {error}");
    }
}

#[test]
fn a_folder_of_several_models_asks_for_one_of_them() {
    let folder = exported("reach-4/pretraining", &["--head", "all"]);
    let error = failure(folder.path(), &[]);
    assert!(
        error.contains("name one of them: base.onnx, masked-lm.onnx"),
        "{error}"
    );
    assert_eq!(json_of(&folder.path().join("base.onnx"))["name"], "base");
}
