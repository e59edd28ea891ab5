use super::*;

fn error(json: &str) -> String {
    match Config::from_json(json) {
        Ok(config) => panic!("accepted {json} as {config:?}"),
        Err(error) => crate::error_chain(&error),
    }
}

#[test]
fn absent_fields_have_the_defaults_of_transformers_and_so_have_nulls_that_decide_nothing() {
    for json in [
        "{}",
        r#"{"id2label": null, "pad_token_id": null, "problem_type": null, "architectures": null,
            "is_decoder": null, "pruned_heads": null}"#,
    ] {
        let config = Config::from_json(json).unwrap();
        assert_eq!(config.vocab_size, 21_128);
        assert_eq!(config.hidden_size, 768);
        assert_eq!(config.head_size(), 64);
        assert_eq!(config.max_relative_position, 64);
        assert_eq!(config.layer_norm_eps, 1e-12);
        assert_eq!(config.labels, ["LABEL_0", "LABEL_1"]);
        assert!(config.tie_word_embeddings && !config.is_decoder);
    }
}

#[test]
fn null_is_refused_in_every_field_that_decides_the_function() {
    for (field, default) in [
        ("vocab_size", "21128"),
        ("hidden_size", "768"),
        ("num_hidden_layers", "12"),
        ("num_attention_heads", "12"),
        ("intermediate_size", "3072"),
        ("hidden_act", "gelu"),
        ("max_relative_position", "64"),
        ("type_vocab_size", "2"),
        ("layer_norm_eps", "1e-12"),
        ("num_labels", "2"),
        ("tie_word_embeddings", "true"),
    ] {
        let message = error(&format!("{{\"{field}\": null}}"));
        let expected = format!("`{field}` is null");
        assert!(message.starts_with(&expected), "{field} gave: {message}");
        let expected = format!("default, {default}");
        assert!(message.ends_with(&expected), "{field} gave: {message}");
    }
}

#[test]
fn labels_that_are_numbers_are_called_by_their_digits() {
    let config = Config::from_json(r#"{"id2label": {"1": 101, "0": 100, "2": "x"}}"#).unwrap();
    assert_eq!(config.labels, ["100", "101", "x"]);
}

#[test]
fn label2id_alone_names_no_labels_as_in_transformers() {
    let config = Config::from_json(r#"{"label2id": {"a": 0, "b": 1, "c": 2}}"#).unwrap();
    assert_eq!(config.labels, ["LABEL_0", "LABEL_1"]);
    let config = Config::from_json(r#"{"label2id": {"a": 0}, "num_labels": 3}"#).unwrap();
    assert_eq!(config.labels, ["LABEL_0", "LABEL_1", "LABEL_2"]);
}

#[test]
fn labels_are_ordered_by_number_not_by_text() {
    let labels: Vec<String> = (0..11).map(|i| format!("\"{i}\": \"l{i}\"")).collect();
    let json = format!("{{\"id2label\": {{{}}}}}", labels.join(","));
    assert_eq!(Config::from_json(&json).unwrap().labels[10], "l10");
}

#[test]
fn every_bad_field_is_named_with_what_was_expected() {
    for (json, needle) in [
        ("[]", "expected a JSON object, found a list"),
        ("{", "not valid JSON"),
        (r#"{"model_type": "bert"}"#, "\"bert\", expected \"nezha\""),
        (r#"{"hidden_size": 0}"#, "`hidden_size` is 0, expected 1 to"),
        (
            r#"{"hidden_size": -8}"#,
            "`hidden_size`: expected a whole number, found -8",
        ),
        (
            r#"{"hidden_size": 10, "num_attention_heads": 3}"#,
            "not a multiple",
        ),
        (
            r#"{"hidden_size": 9, "num_attention_heads": 3}"#,
            "a head of size 3",
        ),
        (r#"{"max_relative_position": 32769}"#, "expected 0 to 32768"),
        (
            r#"{"num_labels": 16777216}"#,
            "`num_labels` is 16777216, expected 1 to 65536",
        ),
        (
            r#"{"hidden_size": 16777216, "num_attention_heads": 1}"#,
            "a table of relative positions with 2164260864 elements",
        ),
        (r#"{"hidden_act": "mish"}"#, "`hidden_act` is \"mish\""),
        (
            r#"{"hidden_act": 3}"#,
            "`hidden_act`: expected a string, found 3",
        ),
        (
            r#"{"problem_type": "ranking"}"#,
            "`problem_type` is \"ranking\"",
        ),
        (r#"{"id2label": {"1": "a"}}"#, "none for 0"),
        (
            r#"{"id2label": {"0": true}}"#,
            "strings or numbers as labels, found true",
        ),
        (
            r#"{"id2label": {"x": "a"}}"#,
            "whole numbers as keys, found \"x\"",
        ),
        (r#"{"id2label": {}}"#, "0 labels but none for 0"),
        (r#"{"pruned_heads": {"3": [1]}}"#, "heads of layer 3"),
        (r#"{"add_cross_attention": true}"#, "only a decoder"),
        (r#"{"layer_norm_eps": "x"}"#, "a number from 0 to 1"),
        (r#"{"use_relative_position": false}"#, "absolute positions"),
        (
            r#"{"architectures": "NezhaModel"}"#,
            "a list of class names",
        ),
        (
            r#"{"pad_token_id": 5, "vocab_size": 5}"#,
            "`pad_token_id` is 5, expected 0 to 4",
        ),
    ] {
        let message = error(json);
        assert!(message.contains(needle), "{json} gave: {message}");
    }
}

#[test]
fn deep_json_is_an_error_and_not_a_stack_overflow() {
    assert!(error(&"[".repeat(1_000_000)).contains("recursion limit"));
}

#[test]
fn empty_pruned_heads_are_no_pruned_heads() {
    Config::from_json(r#"{"pruned_heads": {}}"#).unwrap();
    Config::from_json(r#"{"pruned_heads": {"0": []}}"#).unwrap();
}
