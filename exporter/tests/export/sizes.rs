//! Sizes and labels: the weights have the last word, and what was taken from them is said.

use std::fs;

use nezha_exporter::checkpoint::{Checkpoint, Note, OpenOptions};
use nezha_exporter::{ExportOptions, Heads, export};
use nezha_graphs::{Activation, Config, Head, error_chain};
use serde_json::{Value, json};

use crate::support::{edited, exported, open, refusal, zeros};

const WORDS: &str = "nezha.embeddings.word_embeddings.weight";
const TOKEN_TYPES: &str = "nezha.embeddings.token_type_embeddings.weight";
const INTERMEDIATE: &str = "nezha.encoder.layer.0.intermediate.dense.weight";

fn error(checkpoint: &std::path::Path, options: &OpenOptions) -> String {
    match Checkpoint::open(checkpoint, options) {
        Ok(opened) => panic!("opened with {:?}", opened.config()),
        Err(error) => error_chain(&error),
    }
}

fn unnamed(count: usize, named: Option<u64>, label2id: bool) -> Note {
    Note::UnnamedLabels {
        count,
        named,
        label2id,
    }
}

#[test]
fn the_rows_of_the_embeddings_decide_over_the_config() {
    for change in [-3_i64, 2] {
        let mut rows = 0;
        let checkpoint = edited("reach-4/base", |config, tensors| {
            let vocabulary = config["vocab_size"].as_i64().unwrap();
            rows = (vocabulary + change) as usize;
            let hidden = config["hidden_size"].as_u64().unwrap() as usize;
            tensors.insert(
                WORDS.strip_prefix("nezha.").unwrap().to_owned(),
                zeros(&[rows, hidden]),
            );
            let types = zeros(&[5, hidden]);
            tensors.insert(
                TOKEN_TYPES.strip_prefix("nezha.").unwrap().to_owned(),
                types,
            );
        });
        let opened = open(checkpoint.path());
        assert_eq!(opened.config().vocab_size, rows);
        assert_eq!(opened.config().type_vocab_size, 5);
        let said: Vec<String> = opened.notes().iter().map(ToString::to_string).collect();
        let expected = format!("'{WORDS}' has {rows} rows: taken as {rows}");
        assert!(said.iter().any(|it| it.ends_with(&expected)), "{said:#?}");

        let target = tempfile::tempdir().unwrap();
        exported(checkpoint.path(), target.path(), &ExportOptions::default());
        let written = fs::read_to_string(target.path().join("config.json")).unwrap();
        assert_eq!(Config::from_json(&written).unwrap().vocab_size, rows);
        assert_eq!(written, opened.config_json());
    }
}

#[test]
fn a_bias_that_was_not_resized_with_the_embeddings_leaves_the_heads_without_it() {
    let checkpoint = edited("reach-4/pretraining", |config, tensors| {
        let vocabulary = config["vocab_size"].as_u64().unwrap() as usize;
        let hidden = config["hidden_size"].as_u64().unwrap() as usize;
        tensors.insert(WORDS.to_owned(), zeros(&[vocabulary + 2, hidden]));
    });
    let target = tempfile::tempdir().unwrap();
    let message = refusal(checkpoint.path(), target.path(), &ExportOptions::default());
    for part in ["cls.predictions.bias", "base, next-sentence"] {
        assert!(message.contains(part), "no \"{part}\" in: {message}");
    }
    let options = ExportOptions::default().heads(Heads::Named(vec![Head::Base]));
    exported(checkpoint.path(), target.path(), &options);
}

#[test]
fn sizes_that_the_config_lacks_are_read_from_the_weights_and_the_rest_is_said_to_be_assumed() {
    let whole = open(edited("reach-4/masked-lm", |_, _| ()).path())
        .config()
        .clone();
    let checkpoint = edited("reach-4/masked-lm", |config, _| {
        let fields = config.as_object_mut().unwrap();
        for field in [
            "vocab_size",
            "type_vocab_size",
            "hidden_size",
            "intermediate_size",
            "num_hidden_layers",
            "hidden_act",
        ] {
            assert!(fields.remove(field).is_some(), "no {field}");
        }
    });
    let opened = open(checkpoint.path());
    let config = opened.config();
    assert_eq!(config.vocab_size, whole.vocab_size);
    assert_eq!(config.type_vocab_size, whole.type_vocab_size);
    assert_eq!(config.hidden_size, whole.hidden_size);
    assert_eq!(config.intermediate_size, whole.intermediate_size);
    assert_eq!(config.num_hidden_layers, whole.num_hidden_layers);
    let intermediate = Note::SizeFromWeights {
        field: "intermediate_size",
        config: None,
        weights: whole.intermediate_size,
        evidence: format!("'{INTERMEDIATE}' has {} rows", whole.intermediate_size),
    };
    let activation = Note::AssumedDefault {
        field: "hidden_act",
        value: "gelu".to_owned(),
    };
    for note in [intermediate, activation] {
        assert!(opened.notes().contains(&note), "{:#?}", opened.notes());
    }
    assert_eq!(opened.notes().len(), 6, "{:#?}", opened.notes());

    let options = OpenOptions::default().hidden_act(Activation::GeluTanh);
    let told = Checkpoint::open(checkpoint.path(), &options).unwrap();
    assert_eq!(told.notes().len(), 5, "{:#?}", told.notes());
}

#[test]
fn a_null_is_refused_by_name_and_not_filled_from_the_weights() {
    for field in [
        "vocab_size",
        "hidden_size",
        "intermediate_size",
        "num_attention_heads",
        "max_relative_position",
    ] {
        for dialect in ["nezha", ""] {
            let checkpoint = edited("reach-4/masked-lm", |config, _| {
                config[field] = Value::Null;
                if dialect.is_empty() {
                    config.as_object_mut().unwrap().remove("model_type");
                    config.as_object_mut().unwrap().remove("architectures");
                    config["use_relative_position"] = json!(true);
                }
            });
            let message = error(checkpoint.path(), &OpenOptions::default());
            let expected = format!("`{field}` is null");
            assert!(
                message.contains(&expected),
                "no \"{expected}\" in: {message}"
            );
        }
    }
}

#[test]
fn a_classifier_without_named_labels_has_as_many_as_rows_and_it_is_said() {
    for (labels, note) in [
        (json!({}), unnamed(5, None, false)),
        (json!({"num_labels": 5}), unnamed(5, None, false)),
        (json!({"num_labels": 7}), unnamed(5, None, false)),
        (
            json!({"label2id": {"a": 0, "b": 1}}),
            unnamed(5, None, true),
        ),
        (
            json!({"id2label": {"0": "a", "1": "b"}}),
            unnamed(5, Some(2), false),
        ),
    ] {
        let checkpoint = edited("reach-4/sequence-classification", |config, tensors| {
            let hidden = config["hidden_size"].as_u64().unwrap() as usize;
            let fields = config.as_object_mut().unwrap();
            for field in ["id2label", "label2id", "num_labels"] {
                fields.remove(field);
            }
            fields.extend(labels.as_object().unwrap().clone());
            tensors.insert("classifier.weight".to_owned(), zeros(&[5, hidden]));
            tensors.insert("classifier.bias".to_owned(), zeros(&[5]));
        });
        let opened = open(checkpoint.path());
        assert_eq!(opened.notes(), [note], "{labels}");
        let expected = Config::unnamed_labels(5);
        assert_eq!(opened.config().labels, expected, "{labels}");
        assert_eq!(expected[4], "LABEL_4");
        let carried = Config::from_json(opened.config_json()).unwrap();
        assert_eq!(carried.labels, expected, "{labels}");
    }
}

#[test]
fn the_callers_labels_replace_the_configs_and_have_to_be_as_many_as_the_rows() {
    let checkpoint = edited("reach-4/token-classification", |_, _| ());
    let count = open(checkpoint.path()).config().num_labels();
    let names: Vec<String> = (0..count).map(|i| format!("类{i}")).collect();
    let options = OpenOptions::default().labels(names.clone());
    let opened = Checkpoint::open(checkpoint.path(), &options).unwrap();
    assert_eq!(opened.config().labels, names);
    assert_eq!(opened.notes(), []);
    let json: Value = serde_json::from_str(opened.config_json()).unwrap();
    assert_eq!(json["label2id"][&names[1]], 1);

    let target = tempfile::tempdir().unwrap();
    export(&opened, target.path(), &ExportOptions::default()).unwrap();

    for options in [
        OpenOptions::default().labels(["one"]),
        OpenOptions::default().num_labels(1),
    ] {
        let message = error(checkpoint.path(), &options);
        let expected =
            format!("1 labels were asked for, but the classifier of this checkpoint has {count}");
        assert!(
            message.contains(&expected),
            "no \"{expected}\" in: {message}"
        );
    }
    let same = OpenOptions::default().num_labels(count);
    let same = Checkpoint::open(checkpoint.path(), &same).unwrap();
    assert_eq!(same.config(), open(checkpoint.path()).config());
}

#[test]
fn the_one_score_of_a_multiple_choice_model_is_no_label() {
    let checkpoint = edited("reach-4/multiple-choice", |config, _| {
        config.as_object_mut().unwrap().remove("id2label");
    });
    let opened = open(checkpoint.path());
    assert_eq!(opened.notes(), []);
    assert_eq!(opened.config().num_labels(), 2);
}

#[test]
fn labels_that_are_numbers_are_written_as_text() {
    let checkpoint = edited("reach-1/sequence-classification", |config, _| {
        config["id2label"] = json!({"0": 100, "1": 101});
    });
    let opened = open(checkpoint.path());
    assert_eq!(opened.config().labels, ["100", "101"]);
    let json: Value = serde_json::from_str(opened.config_json()).unwrap();
    assert_eq!(json["id2label"], json!({"0": "100", "1": "101"}));
}

#[test]
fn a_classifier_of_rows_without_columns_does_not_name_trillions_of_labels() {
    let checkpoint = edited("reach-4/sequence-classification", |_, tensors| {
        tensors.insert("classifier.weight".to_owned(), zeros(&[1 << 40, 0]));
    });
    let message = error(checkpoint.path(), &OpenOptions::default());
    assert!(
        message.contains("`num_labels` is 1099511627776"),
        "{message}"
    );
}

#[test]
fn a_config_may_be_anywhere_and_have_any_name() {
    let checkpoint = edited("reach-4/masked-lm", |_, _| ());
    let expected = open(checkpoint.path()).config().clone();
    let elsewhere = tempfile::tempdir().unwrap();
    let config = elsewhere.path().join("nezha.json");
    fs::rename(checkpoint.path().join("config.json"), &config).unwrap();
    for path in [
        checkpoint.path(),
        &checkpoint.path().join("model.safetensors"),
    ] {
        let options = OpenOptions::default().config(&config);
        let opened = Checkpoint::open(path, &options).unwrap();
        assert_eq!(opened.config(), &expected, "{}", path.display());
    }
    let nowhere = OpenOptions::default().config("not-there.json");
    let message = error(checkpoint.path(), &nowhere);
    assert!(message.starts_with("not-there.json"), "{message}");
}
