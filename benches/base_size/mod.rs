//! A checkpoint of base size with random weights: of benchmarks, and of `cargo xtask gpu`.
#![allow(
    dead_code,
    clippy::disallowed_methods,
    reason = "each program compiles this file for itself, takes the heads that it needs and writes its inputs"
)]

use std::fs;
use std::path::Path;

use safetensors::tensor::{Dtype, TensorView};

pub(crate) const VOCAB_SIZE: usize = 21128;
pub(crate) const HIDDEN: usize = 768;
pub(crate) const LAYERS: usize = 12;
pub(crate) const INTERMEDIATE: usize = 3072;

/// The name and the shape of a weight.
type Weight = (String, Vec<usize>);

/// Weight and bias of a module; the bias is as long as the weight's first axis.
fn module(name: &str, shape: &[usize]) -> [Weight; 2] {
    [
        (format!("{name}.weight"), shape.to_vec()),
        (format!("{name}.bias"), shape[..1].to_vec()),
    ]
}

fn encoder() -> Vec<Weight> {
    let mut weights = Vec::from(module("nezha.embeddings.LayerNorm", &[HIDDEN]));
    for (table, rows) in [("word", VOCAB_SIZE), ("token_type", 2)] {
        let name = format!("nezha.embeddings.{table}_embeddings.weight");
        weights.push((name, vec![rows, HIDDEN]));
    }
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
            weights.extend(module(
                &format!("nezha.encoder.layer.{layer}.{name}"),
                shape,
            ));
        }
    }
    weights
}

/// The weights that make a masked language model of the encoder.
pub(crate) fn masked_lm() -> Vec<Weight> {
    let transform = "cls.predictions.transform";
    let mut weights = vec![("cls.predictions.bias".to_owned(), vec![VOCAB_SIZE])];
    weights.extend(module(&format!("{transform}.dense"), &[HIDDEN, HIDDEN]));
    weights.extend(module(&format!("{transform}.LayerNorm"), &[HIDDEN]));
    weights
}

/// The weights that classify sequences: a pooler and a classifier.
pub(crate) fn classifier(labels: usize) -> Vec<Weight> {
    let mut weights = Vec::from(module("nezha.pooler.dense", &[HIDDEN, HIDDEN]));
    weights.extend(module("classifier", &[labels, HIDDEN]));
    weights
}

/// Writes a checkpoint of small numbers; which ones makes no difference to the time.
pub(crate) fn write_checkpoint(folder: &Path, head: Vec<Weight>, config: &str) {
    let weights = [encoder(), head].concat();
    let count = |shape: &[usize]| shape.iter().product::<usize>();
    let total: usize = weights.iter().map(|(_, shape)| count(shape)).sum();
    let mut state = 1_u32;
    let numbers = (0..total).map(|_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / 2f32.powi(24) * 0.08 - 0.04
    });
    let bytes: Vec<u8> = numbers.flat_map(f32::to_le_bytes).collect();
    let mut rest = bytes.as_slice();
    let views = weights.iter().map(|(name, shape)| {
        let (own, others) = rest.split_at(4 * count(shape));
        rest = others;
        let view = TensorView::new(Dtype::F32, shape.clone(), own).unwrap();
        (name.as_str(), view)
    });
    safetensors::serialize_to_file(views, None, &folder.join("model.safetensors")).unwrap();
    fs::write(folder.join("config.json"), config).unwrap();
}
