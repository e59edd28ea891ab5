//! A checkpoint of base size, made on the spot from a seed.

use std::fs;
use std::path::Path;

use anyhow::Result;
use safetensors::tensor::{Dtype, TensorView};

const VOCAB_SIZE: usize = 21128;
const HIDDEN: usize = 768;
const LAYERS: usize = 12;
const INTERMEDIATE: usize = 3072;
const LABELS: usize = 2;

/// A NEZHA of base size that classifies sequences; a config with `max_relative_position` 0 is the plain
/// BERT of the same size.
pub(super) fn write(folder: &Path) -> Result<()> {
    fs::create_dir_all(folder)?;
    let weights = weights();
    let count = |shape: &[usize]| shape.iter().product::<usize>();
    let total: usize = weights.iter().map(|(_, shape)| count(shape)).sum();
    let mut state = 1_u32;
    let numbers = (0..total).map(|_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / 2f32.powi(24) * 0.08 - 0.04
    });
    let bytes: Vec<u8> = numbers.flat_map(f32::to_le_bytes).collect();
    let mut rest = bytes.as_slice();
    let mut views = Vec::new();
    for (name, shape) in &weights {
        let (own, others) = rest.split_at(4 * count(shape));
        rest = others;
        views.push((
            name.as_str(),
            TensorView::new(Dtype::F32, shape.clone(), own)?,
        ));
    }
    safetensors::serialize_to_file(views, None, &folder.join("model.safetensors"))?;
    write_config(&folder.join("config.json"))
}

#[expect(clippy::disallowed_methods, reason = "the folder is this run's own")]
fn write_config(path: &Path) -> Result<()> {
    let config = serde_json::json!({
        "model_type": "nezha",
        "architectures": ["NezhaForSequenceClassification"],
        "vocab_size": VOCAB_SIZE,
        "hidden_size": HIDDEN,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": 12,
        "intermediate_size": INTERMEDIATE,
        "hidden_act": "gelu",
        "max_relative_position": 64,
        "type_vocab_size": 2,
        "num_labels": LABELS,
    });
    fs::write(path, format!("{config:#}\n"))?;
    Ok(())
}

fn weights() -> Vec<(String, Vec<usize>)> {
    let mut weights = Vec::new();
    let mut module = |name: String, shape: &[usize]| {
        weights.push((format!("{name}.weight"), shape.to_vec()));
        weights.push((format!("{name}.bias"), shape[..1].to_vec()));
    };
    module("nezha.embeddings.LayerNorm".to_owned(), &[HIDDEN]);
    for layer in 0..LAYERS {
        for (name, shape) in [
            ("attention.self.query", &[HIDDEN, HIDDEN][..]),
            ("attention.self.key", &[HIDDEN, HIDDEN]),
            ("attention.self.value", &[HIDDEN, HIDDEN]),
            ("attention.output.dense", &[HIDDEN, HIDDEN]),
            ("attention.output.LayerNorm", &[HIDDEN]),
            ("intermediate.dense", &[INTERMEDIATE, HIDDEN]),
            ("output.dense", &[HIDDEN, INTERMEDIATE]),
            ("output.LayerNorm", &[HIDDEN]),
        ] {
            module(format!("nezha.encoder.layer.{layer}.{name}"), shape);
        }
    }
    module("nezha.pooler.dense".to_owned(), &[HIDDEN, HIDDEN]);
    module("classifier".to_owned(), &[LABELS, HIDDEN]);
    for (table, rows) in [("word", VOCAB_SIZE), ("token_type", 2)] {
        let name = format!("nezha.embeddings.{table}_embeddings.weight");
        weights.push((name, vec![rows, HIDDEN]));
    }
    weights
}
