//! `--layout`: what each stack's loader looks for is there, in the place and the words it expects.
#![allow(clippy::disallowed_methods, reason = "a test writes its inputs")]

#[path = "layouts/pbtxt.rs"]
mod pbtxt;
#[path = "layouts/precisions.rs"]
mod precisions;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use nezha_exporter::checkpoint::{Checkpoint, OpenOptions};
use nezha_exporter::{ExportError, ExportOptions, Exported, Heads, Layout, Placement, export};
use nezha_graphs::{
    DType, Gather, GraphOptions, Head, Pooling, Signature, axes, error_chain, read_model,
};
use nezha_runtime::Session;
use pbtxt::Message;
use serde_json::Value;
use tempfile::TempDir;
use testkit::compare::pairs;
use testkit::{engines, repository as source};

fn open(name: &str) -> Checkpoint {
    Checkpoint::open(source(name), &OpenOptions::default()).unwrap()
}

fn options(layout: Layout, heads: &[Head]) -> ExportOptions {
    ExportOptions::default()
        .heads(Heads::Named(heads.to_vec()))
        .layout(layout)
}

/// Exports a bundled checkpoint, which has a tokenizer.
fn exported(checkpoint: &str, options: &ExportOptions) -> (TempDir, Exported) {
    let folder = tempfile::tempdir().unwrap();
    let exported = export(&open(checkpoint), folder.path(), options).unwrap();
    (folder, exported)
}

fn refused(options: &ExportOptions) -> String {
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("out");
    let checkpoint = open("models/nezha-tiny-zh");
    let error = export(&checkpoint, &target, options).unwrap_err();
    assert!(matches!(error, ExportError::Layout(_)), "{error}");
    assert!(!target.exists(), "{error}");
    error_chain(&error)
}

/// Paths of all files below a folder.
fn files(folder: &Path) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(below) = folders.pop() {
        for entry in fs::read_dir(below).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => folders.push(path),
                false => {
                    let path = path.strip_prefix(folder).unwrap();
                    found.insert(path.to_str().unwrap().replace('\\', "/"));
                }
            }
        }
    }
    found
}

fn json(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

fn session(path: &Path) -> Session {
    engines::session(path, "ort")
}

const TOKENIZER: [&str; 3] = ["tokenizer.json", "tokenizer_config.json", "vocab.txt"];

#[test]
fn optimum_finds_one_model_and_the_class_of_its_head() {
    let (folder, _) = exported(
        "models/nezha-tiny-zh",
        &options(Layout::Optimum, &[Head::MaskedLm]),
    );
    let expected = [&TOKENIZER[..], &["config.json", "model.onnx"]].concat();
    assert!(
        files(folder.path())
            .iter()
            .eq(BTreeSet::from_iter(expected))
    );
    let config = json(&folder.path().join("config.json"));
    assert_eq!(config["model_type"], "nezha");
    // The checkpoint is NezhaForPreTraining, and the graph is not.
    assert_eq!(
        config["architectures"],
        serde_json::json!(["NezhaForMaskedLM"])
    );
}

#[test]
fn openvino_has_the_form_of_the_graph_that_it_computes_fastest() {
    let options = options(Layout::OpenVino, &[Head::MaskedLm]);
    let (folder, exported) = exported("models/nezha-tiny-zh", &options);
    let expected = [&TOKENIZER[..], &["config.json", "model.onnx"]].concat();
    let expected = BTreeSet::from_iter(expected);
    assert!(files(folder.path()).iter().eq(expected));
    let path = &exported.artifacts[0].file.path;
    let session = engines::session(path, "openvino");
    assert_eq!(session.metadata().unwrap().options.gather, Gather::Flat);
    let nodes = read_model(path).unwrap().graph.unwrap().node;
    assert!(nodes.iter().all(|it| it.op_type != "GatherElements"));
}

#[test]
fn transformersjs_finds_the_model_below_onnx_and_a_type_that_it_knows() {
    let (folder, exported) = exported(
        "models/nezha-tiny-zh-ner",
        &options(Layout::TransformersJs, &[Head::TokenClassification]),
    );
    let expected = [&TOKENIZER[..], &["config.json", "onnx/model.onnx"]].concat();
    assert!(
        files(folder.path())
            .iter()
            .eq(BTreeSet::from_iter(expected))
    );
    let config = json(&folder.path().join("config.json"));
    assert_eq!(config["model_type"], "bert");
    assert_eq!(
        config["architectures"],
        serde_json::json!(["BertForTokenClassification"])
    );
    assert_eq!(config["id2label"]["0"], "O");
    let tokenizer = json(&folder.path().join("tokenizer_config.json"));
    for (field, token) in [("mask_token", "[MASK]"), ("unk_token", "[UNK]")] {
        assert_eq!(tokenizer[field], token, "{tokenizer}");
    }
    assert_eq!(tokenizer["do_lower_case"], true, "{tokenizer}");
    let session = session(&exported.artifacts[0].file.path);
    assert_eq!(session.signature().outputs[0].name, "logits");
}

#[test]
fn tei_pools_embeddings_itself_and_reads_the_labels_of_a_classifier() {
    let base = options(Layout::Tei, &[Head::Base]);
    let (folder, exported_base) = exported("models/nezha-tiny-zh", &base);
    let pooling = json(&folder.path().join("1_Pooling/config.json"));
    assert_eq!(pooling["word_embedding_dimension"], 128);
    assert_eq!(pooling["pooling_mode_mean_tokens"], true);
    assert_eq!(pooling["pooling_mode_cls_token"], false);
    let path = &exported_base.artifacts[0].file.path;
    assert_eq!(*path, folder.path().join("model.onnx"));
    // What its loader feeds, and what it reads.
    let signature = session(path).signature().clone();
    let inputs: Vec<&str> = signature.inputs.iter().map(|it| it.name.as_str()).collect();
    assert_eq!(inputs, ["input_ids", "attention_mask", "token_type_ids"]);
    assert_eq!(signature.outputs[0].name, "last_hidden_state");
    let config = json(&folder.path().join("config.json"));
    for field in [
        "hidden_size",
        "num_hidden_layers",
        "max_position_embeddings",
        "pad_token_id",
    ] {
        assert!(config[field].is_u64(), "{field} is {}", config[field]);
    }

    let head = Head::SequenceClassification;
    let (folder, _) = exported(
        "models/nezha-tiny-zh-sentiment",
        &options(Layout::Tei, &[head]),
    );
    let config = json(&folder.path().join("config.json"));
    let classes = config["architectures"].as_array().unwrap();
    assert!(classes[0].as_str().unwrap().ends_with("Classification"));
    assert_eq!(config["id2label"]["1"], "positive");
    assert!(!folder.path().join("1_Pooling").exists());
}

#[test]
fn a_triton_repository_has_one_model_for_each_head_and_a_config_that_says_its_signature() {
    let checkpoint = open("models/nezha-tiny-zh");
    let heads = [Head::Base, Head::MaskedLm, Head::NextSentence];
    for weights in [Placement::Auto, Placement::External] {
        let folder = tempfile::tempdir().unwrap();
        let options = options(Layout::Triton, &heads).weights(weights);
        let exported = export(&checkpoint, folder.path(), &options).unwrap();
        assert_eq!(exported.artifacts.len(), 3);
        let external = usize::from(weights == Placement::External);
        assert_eq!(exported.weights.len(), 3 * external);
        for head in heads {
            let model = folder.path().join(format!("nezha-{head}"));
            session(&model.join("1/model.onnx"));
            assert_eq!(fs::read_dir(model.join("1")).unwrap().count(), 1 + external);
            let text = fs::read_to_string(model.join("config.pbtxt")).unwrap();
            let graph = GraphOptions::default();
            let signature = Signature::new(checkpoint.config(), head, &graph);
            check_config(&Message::parse(&text), head, &signature);
        }
    }
}

/// The config says what the signature does, the batch left to the server.
fn check_config(config: &Message, head: Head, signature: &Signature) {
    assert_eq!(config.text("name"), format!("nezha-{head}"));
    assert_eq!(config.text("backend"), "onnxruntime");
    assert_eq!(config.number("max_batch_size"), 64);
    assert_eq!(config.messages("dynamic_batching").len(), 1);
    assert_eq!(config.messages("instance_group").len(), 1);
    for (kind, ports) in [("input", &signature.inputs), ("output", &signature.outputs)] {
        let tensors = config.messages(kind);
        for (port, tensor) in pairs(&format!("{head}: {kind}s"), ports, tensors) {
            assert_eq!(tensor.text("name"), port.name);
            let data_type = match port.dtype {
                DType::I64 => "TYPE_INT64",
                _ => "TYPE_FP32",
            };
            assert_eq!(tensor.text("data_type"), data_type, "{}", port.name);
            assert_eq!(port.shape[0].as_symbol(), Some(axes::BATCH));
            let dims = port.shape[1..].iter();
            let dims: Vec<i64> = dims
                .map(|dim| dim.as_fixed().map_or(-1, |it| it as i64))
                .collect();
            assert_eq!(tensor.numbers("dims"), dims, "{}", port.name);
        }
    }
}

#[test]
fn triton_leaves_batches_alone_where_an_axis_is_not_the_batch() {
    let with = |graph: GraphOptions, head: Head| {
        let options = options(Layout::Triton, &[head]).graph(graph);
        let (folder, _) = exported("models/nezha-tiny-zh", &options);
        let path = folder.path().join(format!("nezha-{head}/config.pbtxt"));
        Message::parse(&fs::read_to_string(path).unwrap())
    };
    let scored = with(GraphOptions::default().mask_positions(true), Head::MaskedLm);
    assert_eq!(scored.number("max_batch_size"), 0);
    assert_eq!(scored.messages("dynamic_batching").len(), 0);
    assert_eq!(scored.messages("input")[0].numbers("dims"), [-1, -1]);
    assert_eq!(scored.messages("output")[0].numbers("dims"), [-1, 21128]);
    let loss = with(GraphOptions::default().loss(true), Head::NextSentence);
    assert_eq!(loss.number("max_batch_size"), 0);
    let scalar = loss.messages("output")[0];
    assert_eq!(scalar.text("name"), "loss");
    assert_eq!(scalar.numbers("dims"), [1]);
    assert_eq!(scalar.messages("reshape")[0].numbers("shape"), [0_i64; 0]);
}

#[test]
fn what_a_stack_can_not_load_is_refused_before_anything_is_written() {
    let graph = |layout, head, graph| options(layout, &[head]).graph(graph);
    let both = [Head::MaskedLm, Head::NextSentence];
    for (options, expected) in [
        (
            options(Layout::TransformersJs, &both),
            "can't hold the next-sentence head",
        ),
        (
            options(Layout::Tei, &[Head::MaskedLm]),
            "it is for base, sequence-classification",
        ),
        (
            options(Layout::Optimum, &[Head::Base, Head::MaskedLm]),
            "holds one head, and 2",
        ),
        (
            options(Layout::Triton, &both).weights(Placement::Linked),
            "not linked",
        ),
        (
            options(Layout::TransformersJs, &[Head::Base]).weights(Placement::External),
            "embedded",
        ),
        (
            graph(
                Layout::Tei,
                Head::Base,
                GraphOptions::default().pooling(Pooling::Mean),
            ),
            "layout tei and option 'pooling' exclude each other",
        ),
        (
            graph(
                Layout::TransformersJs,
                Head::MaskedLm,
                GraphOptions::default().loss(true),
            ),
            "option 'loss'",
        ),
    ] {
        let error = refused(&options);
        assert!(error.contains(expected), "{expected:?} in {error:?}");
    }
}

#[test]
fn the_checkpoints_own_folder_keeps_its_config() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["config.json", "model.safetensors"] {
        let from = source("tests/fixtures/reach-4/base").join(name);
        fs::copy(from, folder.path().join(name)).unwrap();
    }
    let before = fs::read(folder.path().join("config.json")).unwrap();
    let checkpoint = Checkpoint::open(folder.path(), &OpenOptions::default()).unwrap();
    let options = options(Layout::TransformersJs, &[Head::Base]);
    let error = export(&checkpoint, folder.path(), &options).unwrap_err();
    assert!(error.to_string().contains("another folder"), "{error}");
    assert_eq!(fs::read(folder.path().join("config.json")).unwrap(), before);
}

/// A copy of a bundled checkpoint, some of its files left out and its config edited.
fn changed(name: &str, without: &[&str], edit: impl FnOnce(&mut Value)) -> TempDir {
    let copy = tempfile::tempdir().unwrap();
    for file in [
        "config.json",
        "model.safetensors",
        "vocab.txt",
        "tokenizer_config.json",
    ] {
        if !without.contains(&file) {
            fs::copy(source(name).join(file), copy.path().join(file)).unwrap();
        }
    }
    let path = copy.path().join("config.json");
    let mut config = json(&path);
    edit(&mut config);
    fs::write(&path, config.to_string()).unwrap();
    copy
}

#[test]
fn tei_has_labels_and_sizes_though_the_config_leaves_them_to_the_defaults() {
    let left_out = [
        "id2label",
        "label2id",
        "max_position_embeddings",
        "pad_token_id",
    ];
    let copy = changed("models/nezha-tiny-zh-sentiment", &[], |config| {
        let config = config.as_object_mut().unwrap();
        config.retain(|field, _| !left_out.contains(&field.as_str()));
    });
    let checkpoint = Checkpoint::open(copy.path(), &OpenOptions::default()).unwrap();
    for layout in [Layout::Tei, Layout::Optimum, Layout::TransformersJs] {
        let target = tempfile::tempdir().unwrap();
        let options = options(layout, &[Head::SequenceClassification]);
        export(&checkpoint, target.path(), &options).unwrap();
        let config = json(&target.path().join("config.json"));
        // TEI reads maps of strings to strings and of strings to numbers.
        let names = serde_json::json!({"0": "LABEL_0", "1": "LABEL_1"});
        assert_eq!(config["id2label"], names, "{layout}");
        let ids = serde_json::json!({"LABEL_0": 0, "LABEL_1": 1});
        assert_eq!(config["label2id"], ids, "{layout}");
        assert_eq!(config["max_position_embeddings"], 512, "{layout}");
        assert_eq!(config["pad_token_id"], 0, "{layout}");
    }
}

#[test]
fn tei_without_a_tokenizer_is_refused_and_leaves_nothing() {
    let vocabulary = "models/nezha-tiny-zh";
    let none = changed(vocabulary, &["vocab.txt", "tokenizer_config.json"], |_| ());
    let incomplete = changed(vocabulary, &["vocab.txt"], |_| ());
    fs::write(incomplete.path().join("vocab.txt"), "[PAD]\n[UNK]\n").unwrap();
    for copy in [none, incomplete] {
        let checkpoint = Checkpoint::open(copy.path(), &OpenOptions::default()).unwrap();
        let parent = tempfile::tempdir().unwrap();
        let target = parent.path().join("out");
        let options = options(Layout::Tei, &[Head::Base]);
        let error = export(&checkpoint, &target, &options).unwrap_err();
        assert!(matches!(error, ExportError::Layout(_)), "{error}");
        assert!(
            error
                .to_string()
                .contains("layout tei needs a tokenizer.json"),
            "{error}"
        );
        assert!(!target.exists());
    }
}
