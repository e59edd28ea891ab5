//! Checkpoints whose config does not say what their weights are, from the command line: what is
//! recognized is said, and the answer is the model's.
#![allow(clippy::disallowed_methods, reason = "a test writes its inputs")]

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use safetensors::tensor::{Dtype, TensorView};
use safetensors::{SafeTensors, serialize_to_file};
use serde_json::{Value, json};
use tempfile::TempDir;

const MODEL: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/models/nezha-tiny-zh-sentiment"
);
const TEXT: &str = "房间很干净，服务热情，下次还会住。";
/// What the model answers, to four digits: it is positive.
const SCORE: f64 = 0.9959;
const WORDS: &str = "nezha.embeddings.word_embeddings.weight";

/// Shape and bytes of half precision.
type Tensors = BTreeMap<String, (Vec<usize>, Vec<u8>)>;

/// A copy of the model whose config and tensors are edited.
fn edited(edit: impl FnOnce(&mut Value, &mut Tensors)) -> TempDir {
    let bytes = fs::read(Path::new(MODEL).join("model.safetensors")).unwrap();
    let stored = SafeTensors::deserialize(&bytes).unwrap();
    let mut tensors: Tensors = stored
        .iter()
        .map(|(name, view)| {
            assert_eq!(view.dtype(), Dtype::F16, "{name}");
            (
                name.to_owned(),
                (view.shape().to_vec(), view.data().to_vec()),
            )
        })
        .collect();
    let config = fs::read(Path::new(MODEL).join("config.json")).unwrap();
    let mut config = serde_json::from_slice(&config).unwrap();
    edit(&mut config, &mut tensors);
    let folder = tempfile::tempdir().unwrap();
    let views = tensors.iter().map(|(name, (shape, bytes))| {
        let view = TensorView::new(Dtype::F16, shape.clone(), bytes).unwrap();
        (name.as_str(), view)
    });
    serialize_to_file(views, None, &folder.path().join("model.safetensors")).unwrap();
    fs::write(folder.path().join("config.json"), config.to_string()).unwrap();
    for name in ["vocab.txt", "tokenizer_config.json"] {
        fs::copy(Path::new(MODEL).join(name), folder.path().join(name)).unwrap();
    }
    folder
}

/// Huawei's config of the model, which knows nothing of labels and classes.
fn huaweis(config: &Value) -> Value {
    let mut huaweis = json!({"use_relative_position": true});
    for field in [
        "hidden_act",
        "hidden_size",
        "intermediate_size",
        "max_relative_position",
        "num_attention_heads",
        "num_hidden_layers",
        "type_vocab_size",
        "vocab_size",
    ] {
        huaweis[field] = config[field].clone();
    }
    huaweis
}

/// Five copies of the second row of the classifier, whose label is "positive".
fn five_labels(tensors: &mut Tensors) {
    for name in ["classifier.weight", "classifier.bias"] {
        let (shape, bytes) = tensors.get_mut(name).unwrap();
        let second = bytes[bytes.len() / 2..].to_vec();
        shape[0] = 5;
        *bytes = second.repeat(5);
    }
}

fn nezha(arguments: &[&OsStr]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_nezha"))
        .args(arguments)
        .output()
        .unwrap()
}

fn err(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

fn export(checkpoint: &Path, target: &Path, more: &[&str]) -> Output {
    let mut arguments: Vec<&OsStr> = ["export".as_ref(), checkpoint.as_os_str()].to_vec();
    arguments.extend([OsStr::new("-o"), target.as_os_str()]);
    arguments.extend(more.iter().map(OsStr::new));
    nezha(&arguments)
}

/// Exports what has to succeed, and gives what is said.
#[track_caller]
fn exported(checkpoint: &Path, target: &Path, more: &[&str]) -> String {
    let output = export(checkpoint, target, more);
    assert!(output.status.success(), "{}", err(&output));
    err(&output)
}

/// The best label of [`TEXT`] and its score.
#[track_caller]
fn answer(model: &Path) -> (String, f64) {
    let task = ["text-classification".as_ref(), model.as_os_str()];
    let more = [TEXT, "--json", "--engine", "tract"].map(OsStr::new);
    let output = nezha(&[&task[..], &more].concat());
    assert!(output.status.success(), "{}", err(&output));
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    let best = &document[0]["answer"][0];
    let label = best["label"]
        .as_str()
        .unwrap_or_else(|| panic!("{document}"));
    (label.to_owned(), best["score"].as_f64().unwrap())
}

#[track_caller]
fn assert_answers(model: &Path, label: &str) {
    let (found, score) = answer(model);
    assert_eq!(found, label);
    assert!((score - SCORE).abs() < 1e-4, "{score}, expected {SCORE}");
}

#[test]
fn rows_beyond_the_vocabulary_size_are_part_of_the_model() {
    let checkpoint = edited(|_, tensors| {
        let (shape, bytes) = tensors.get_mut(WORDS).unwrap();
        shape[0] += 2;
        bytes.extend(vec![0; 2 * 2 * shape[1]]);
    });
    let target = tempfile::tempdir().unwrap();
    let said = exported(checkpoint.path(), target.path(), &[]);
    let note = format!("vocab_size is 21128, but '{WORDS}' has 21130 rows: taken as 21130");
    assert!(said.contains(&note), "{said}");
    assert_answers(target.path(), "positive");

    let model = target.path().join("model.onnx");
    let verify = [
        "verify".as_ref(),
        model.as_os_str(),
        checkpoint.path().as_os_str(),
    ];
    let output = nezha(&[&verify[..], &["--engines", "tract"].map(OsStr::new)].concat());
    assert!(output.status.success(), "{}", err(&output));
}

#[test]
fn labels_that_are_numbers_are_answered_by_their_digits() {
    let checkpoint = edited(|config, _| {
        config["id2label"] = json!({"0": 100, "1": 101});
        config["label2id"] = json!({"100": 0, "101": 1});
    });
    let target = tempfile::tempdir().unwrap();
    exported(checkpoint.path(), target.path(), &[]);
    assert_answers(target.path(), "101");
}

#[test]
fn a_classifier_that_huaweis_config_knows_nothing_of_has_the_labels_of_its_rows_or_of_a_file() {
    let checkpoint = edited(|config, tensors| {
        *config = huaweis(config);
        five_labels(tensors);
    });
    let target = tempfile::tempdir().unwrap();
    let output = export(checkpoint.path(), target.path(), &[]);
    assert_eq!(output.status.code(), Some(1));
    let said = err(&output);
    let heads = "can give base, sequence-classification, token-classification";
    assert!(said.contains(heads), "{said}");

    let head = ["--head", "sequence-classification"];
    let said = exported(checkpoint.path(), target.path(), &head);
    let note =
        "no labels, the classifier has 5: called LABEL_0 to LABEL_4; --labels FILE names them";
    assert!(said.contains(note), "{said}");
    let (label, score) = answer(target.path());
    assert!(label.starts_with("LABEL_"), "{label}");
    assert!(
        (score - 0.2).abs() < 1e-5,
        "five equal scores are {score} each"
    );

    let labels = target.path().join("labels.txt");
    fs::write(&labels, "差\n一般\n好\n很好\n极好\n").unwrap();
    let labels = labels.to_str().unwrap();
    let more = ["--force", "--labels", labels];
    let said = exported(
        checkpoint.path(),
        target.path(),
        &[&head[..], &more].concat(),
    );
    assert!(!said.contains("LABEL_"), "{said}");
    let config = fs::read(target.path().join("config.json")).unwrap();
    let config: Value = serde_json::from_slice(&config).unwrap();
    assert_eq!(config["id2label"]["4"], "极好");

    let model = target.path().join("model.onnx");
    let verify = [
        "verify".as_ref(),
        model.as_os_str(),
        checkpoint.path().as_os_str(),
    ];
    let more = ["--engines", "tract", "--labels", labels].map(OsStr::new);
    let output = nezha(&[&verify[..], &more].concat());
    assert!(output.status.success(), "{}", err(&output));

    let more = ["--force", "--num-labels", "4"];
    let output = export(
        checkpoint.path(),
        target.path(),
        &[&head[..], &more].concat(),
    );
    assert_eq!(output.status.code(), Some(1));
    assert!(
        err(&output).contains("4 labels were asked for"),
        "{}",
        err(&output)
    );
    let more = ["--num-labels", "5", "--labels", labels];
    let output = export(checkpoint.path(), target.path(), &more);
    assert_eq!(output.status.code(), Some(2), "{}", err(&output));
}

#[test]
fn a_config_elsewhere_is_read_for_export_inspect_and_verify() {
    let checkpoint = edited(|_, _| ());
    let elsewhere = tempfile::tempdir().unwrap();
    let config = elsewhere.path().join("sentiment.json");
    fs::rename(checkpoint.path().join("config.json"), &config).unwrap();
    let named = ["--config", config.to_str().unwrap()];
    let target = tempfile::tempdir().unwrap();
    let output = export(checkpoint.path(), target.path(), &[]);
    assert!(err(&output).contains("config.json"), "{}", err(&output));
    exported(checkpoint.path(), target.path(), &named);
    assert_answers(target.path(), "positive");

    let named = named.map(OsStr::new);
    let inspect = ["inspect".as_ref(), checkpoint.path().as_os_str()];
    let output = nezha(&[&inspect[..], &named].concat());
    assert!(output.status.success(), "{}", err(&output));
    let model = target.path().join("model.onnx");
    let verify = [
        "verify".as_ref(),
        model.as_os_str(),
        checkpoint.path().as_os_str(),
    ];
    let engines = ["--engines", "tract"].map(OsStr::new);
    let output = nezha(&[&verify[..], &engines, &named].concat());
    assert!(output.status.success(), "{}", err(&output));
}

#[test]
fn attention_heads_that_are_null_are_refused_by_every_command() {
    let checkpoint = edited(|config, _| config["num_attention_heads"] = Value::Null);
    let target = tempfile::tempdir().unwrap();
    let export = export(checkpoint.path(), target.path(), &[]);
    let inspect = nezha(&["inspect".as_ref(), checkpoint.path().as_os_str()]);
    for output in [export, inspect] {
        assert_eq!(output.status.code(), Some(1));
        let said = err(&output);
        assert!(said.contains("`num_attention_heads` is null"), "{said}");
        assert!(said.contains("default, 12"), "{said}");
    }
    assert_eq!(fs::read_dir(target.path()).unwrap().count(), 0);
}
