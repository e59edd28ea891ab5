//! Translates configs whose fields have other names than transformers' and Huawei's.

use serde_json::{Map, Value};

/// The deepest nesting of configs; PaddleNLP's are nested twice.
const DEEPEST: usize = 8;

/// bert4torch's names of fields, and transformers'.
const BERT4TORCH: [(&str, &str); 2] = [
    ("segment_vocab_size", "type_vocab_size"),
    ("max_position", "max_position_embeddings"),
];

/// The config with transformers' names; a config that has them already is returned unchanged.
pub(super) fn translated(fields: Map<String, Value>) -> Map<String, Value> {
    if fields.contains_key("init_class") {
        return of_paddle(fields);
    }
    if fields.get("model").is_some_and(|it| it == "nezha") && !fields.contains_key("model_type") {
        return of_bert4torch(fields);
    }
    fields
}

fn of_bert4torch(mut fields: Map<String, Value>) -> Map<String, Value> {
    for (theirs, ours) in BERT4TORCH {
        if let Some(value) = fields.get(theirs).cloned() {
            fields.entry(ours).or_insert(value);
        }
    }
    fields.insert("model_type".to_owned(), "nezha".into());
    fields
}

/// PaddleNLP before 2.5 wraps a model's config in its head's config. The sizes are in the
/// `init_args` of the `init_args`, and the class is outside.
fn of_paddle(fields: Map<String, Value>) -> Map<String, Value> {
    let class = fields.get("init_class").cloned();
    let mut levels = vec![fields];
    while levels.len() < DEEPEST
        && let Some(inner) = levels.last().and_then(inner)
    {
        levels.push(inner);
    }
    let mut flat = Map::new();
    for mut level in levels.into_iter().rev() {
        level.remove("init_args");
        level.remove("init_class");
        flat.extend(level);
    }
    if let Some(count) = flat.remove("num_classes") {
        flat.entry("num_labels").or_insert(count);
    }
    if class
        .as_ref()
        .and_then(Value::as_str)
        .is_some_and(|it| it.to_ascii_lowercase().contains("nezha"))
    {
        flat.entry("model_type").or_insert("nezha".into());
    }
    if let Some(class) = class {
        flat.entry("architectures")
            .or_insert(Value::Array(vec![class]));
    }
    flat
}

/// The model's config inside of a head's config.
fn inner(fields: &Map<String, Value>) -> Option<Map<String, Value>> {
    match fields.get("init_args")? {
        Value::Array(arguments) => arguments.iter().find_map(|it| it.as_object().cloned()),
        Value::Object(arguments) => Some(arguments.clone()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn fields(value: Value) -> Map<String, Value> {
        value.as_object().cloned().unwrap()
    }

    #[test]
    fn a_nested_config_of_paddles_is_flattened() {
        let nested = json!({
            "init_args": [{"hidden_size": 32, "vocab_size": 200, "init_class": "NeZhaModel"}],
            "init_class": "NeZhaForSequenceClassification",
            "num_classes": 3
        });
        let flat = translated(fields(nested));
        assert_eq!(
            Value::Object(flat),
            json!({
                "hidden_size": 32, "vocab_size": 200, "num_labels": 3, "model_type": "nezha",
                "architectures": ["NeZhaForSequenceClassification"]
            })
        );
    }

    #[test]
    fn a_config_of_bert4torchs_has_transformers_names_too() {
        let theirs = json!({"model": "nezha", "segment_vocab_size": 2, "max_position": 96});
        let ours = translated(fields(theirs));
        assert_eq!(ours.get("type_vocab_size"), Some(&json!(2)));
        assert_eq!(ours.get("model_type"), Some(&json!("nezha")));
    }

    #[test]
    fn a_config_of_transformers_stays_as_it_is() {
        let own = fields(json!({"model_type": "nezha", "model": "nezha", "hidden_size": 8}));
        assert_eq!(translated(own.clone()), own);
    }
}
