//! One token of a decoder at base size, random weights, ONNX Runtime on the CPU: what it costs after
//! a short past and after a long one.
//!
//! `cargo bench --bench decoder`. A step at past 256 should cost at most 1.5 times one at past 16.

use std::fs;
use std::path::Path;

use criterion::{BatchSize, BenchmarkId, Criterion, criterion_group, criterion_main};
use ndarray::Array2;
use nezha_exporter::checkpoint::{Checkpoint, OpenOptions};
use nezha_exporter::{ExportOptions, Heads, export};
use nezha_graphs::{GraphOptions, Head};
use nezha_runtime::{Decoder, EngineChoice, EngineOptions, Session};
use safetensors::tensor::{Dtype, TensorView};

const VOCAB_SIZE: usize = 21128;
const HIDDEN: usize = 768;
const LAYERS: usize = 12;
const INTERMEDIATE: usize = 3072;

const CONFIG: &str = r#"{"is_decoder": true, "architectures": ["NezhaForMaskedLM"]}"#;

/// The names and shapes of a masked language model's weights.
fn weights() -> Vec<(String, Vec<usize>)> {
    let mut weights = Vec::new();
    let mut module = |name: String, shape: &[usize]| {
        weights.push((format!("{name}.weight"), shape.to_vec()));
        weights.push((format!("{name}.bias"), shape[..1].to_vec()));
    };
    module("nezha.embeddings.LayerNorm".into(), &[HIDDEN]);
    module("cls.predictions.transform.dense".into(), &[HIDDEN, HIDDEN]);
    module("cls.predictions.transform.LayerNorm".into(), &[HIDDEN]);
    for i in 0..LAYERS {
        let layer = format!("nezha.encoder.layer.{i}");
        for name in ["query", "key", "value"] {
            module(format!("{layer}.attention.self.{name}"), &[HIDDEN, HIDDEN]);
        }
        module(format!("{layer}.attention.output.dense"), &[HIDDEN, HIDDEN]);
        module(format!("{layer}.attention.output.LayerNorm"), &[HIDDEN]);
        module(
            format!("{layer}.intermediate.dense"),
            &[INTERMEDIATE, HIDDEN],
        );
        module(format!("{layer}.output.dense"), &[HIDDEN, INTERMEDIATE]);
        module(format!("{layer}.output.LayerNorm"), &[HIDDEN]);
    }
    let embeddings = "nezha.embeddings";
    weights.extend([
        (
            format!("{embeddings}.word_embeddings.weight"),
            vec![VOCAB_SIZE, HIDDEN],
        ),
        (
            format!("{embeddings}.token_type_embeddings.weight"),
            vec![2, HIDDEN],
        ),
        ("cls.predictions.bias".to_owned(), vec![VOCAB_SIZE]),
    ]);
    weights
}

/// Writes a checkpoint of small numbers; which ones makes no difference to the time.
fn checkpoint(folder: &Path) {
    let weights = weights();
    let count = |shape: &[usize]| shape.iter().product::<usize>();
    let longest = weights.iter().map(|(_, shape)| count(shape)).max().unwrap();
    let mut state = 1_u32;
    let numbers = (0..longest).map(|_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / 2f32.powi(24) * 0.08 - 0.04
    });
    let bytes: Vec<u8> = numbers.flat_map(f32::to_le_bytes).collect();
    let views = weights.iter().map(|(name, shape)| {
        let bytes = &bytes[..4 * count(shape)];
        let view = TensorView::new(Dtype::F32, shape.clone(), bytes).unwrap();
        (name.as_str(), view)
    });
    safetensors::serialize_to_file(views, None, &folder.join("model.safetensors")).unwrap();
    fs::write(folder.join("config.json"), CONFIG).unwrap();
}

fn session(folder: &Path) -> Session {
    checkpoint(folder);
    let checkpoint = Checkpoint::open(folder, &OpenOptions::default()).unwrap();
    let options = ExportOptions {
        heads: Heads::Named(vec![Head::MaskedLm]),
        graph: GraphOptions {
            kv_cache: true,
            ..GraphOptions::default()
        },
        ..ExportOptions::default()
    };
    let exported = export(&checkpoint, folder, &options).unwrap();
    let choice: EngineChoice = "ort".parse().unwrap();
    let path = &exported.artifacts[0].file.path;
    Session::load(path, &choice, &EngineOptions::default()).unwrap()
}

fn step(criterion: &mut Criterion) {
    let folder = tempfile::tempdir().unwrap();
    let session = session(folder.path());
    let mut group = criterion.benchmark_group("decoder step");
    for past in [16, 64, 256, 1024] {
        let mut decoder = Decoder::new(&session).unwrap();
        decoder.step(Array2::ones((1, past))).unwrap();
        group.bench_function(BenchmarkId::new("past", past), |bencher| {
            bencher.iter_batched(
                || decoder.clone(),
                |mut decoder| {
                    let logits = decoder.step(Array2::ones((1, 1))).unwrap();
                    (logits, decoder)
                },
                BatchSize::PerIteration,
            );
        });
    }
    group.finish();
}

criterion_group!(benches, step);
criterion_main!(benches);
