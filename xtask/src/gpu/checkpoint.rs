//! A checkpoint of base size, made on the spot from a seed.

use std::fs;
use std::path::Path;

use anyhow::Result;

#[path = "../../../benches/base_size/mod.rs"]
mod base_size;

const LABELS: usize = 2;

/// A NEZHA of base size that classifies sequences; a config with `max_relative_position` 0 is the plain
/// BERT of the same size.
pub(super) fn write(folder: &Path) -> Result<()> {
    fs::create_dir_all(folder)?;
    let config = serde_json::json!({
        "model_type": "nezha",
        "architectures": ["NezhaForSequenceClassification"],
        "vocab_size": base_size::VOCAB_SIZE,
        "hidden_size": base_size::HIDDEN,
        "num_hidden_layers": base_size::LAYERS,
        "num_attention_heads": 12,
        "intermediate_size": base_size::INTERMEDIATE,
        "hidden_act": "gelu",
        "max_relative_position": 64,
        "type_vocab_size": 2,
        "num_labels": LABELS,
    });
    let config = format!("{config:#}\n");
    base_size::write_checkpoint(folder, base_size::classifier(LABELS), &config);
    Ok(())
}
