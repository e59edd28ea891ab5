use nezha_graphs::Config;
use serde_json::{Map, Value, json};

/// The value that transformers assumes if a config has none. A NEZHA graph has no limit.
const MAX_POSITION_EMBEDDINGS: usize = 512;

/// The text of `config.json` for a stack that looks for a class of its own.
///
/// No stack knows NEZHA's defaults, so labels and sizes are written even if the checkpoint's config
/// leaves them out. Only heads for which the stack has a class are exported for it.
pub(super) fn of_class(text: &str, known: &Config, model_type: &str, class: &str) -> String {
    let Ok(Value::Object(mut config)) = serde_json::from_str(text) else {
        return text.to_owned();
    };
    config.insert("model_type".to_owned(), model_type.into());
    config.insert("architectures".to_owned(), json!([class]));
    name_labels(&mut config, &known.labels);
    for (field, value) in [
        ("hidden_size", known.hidden_size),
        ("num_hidden_layers", known.num_hidden_layers),
        ("num_attention_heads", known.num_attention_heads),
        ("vocab_size", known.vocab_size),
        ("pad_token_id", known.pad_token_id),
        ("max_position_embeddings", MAX_POSITION_EMBEDDINGS),
    ] {
        let slot = config.entry(field).or_insert(Value::Null);
        if slot.is_null() {
            *slot = value.into();
        }
    }
    serde_json::to_string_pretty(&config).unwrap_or_else(|_| text.to_owned()) + "\n"
}

/// Writes the labels in both directions. transformers leaves them out if they are its two default
/// labels.
fn name_labels(config: &mut Map<String, Value>, labels: &[String]) {
    let names = labels.iter().zip(0..);
    let names: Map<String, Value> = names
        .map(|(label, id): (_, usize)| (id.to_string(), label.as_str().into()))
        .collect();
    let ids = labels.iter().zip(0..);
    let ids: Map<String, Value> = ids
        .map(|(label, id): (_, usize)| (label.clone(), id.into()))
        .collect();
    config.insert("id2label".to_owned(), names.into());
    config.insert("label2id".to_owned(), ids.into());
}
