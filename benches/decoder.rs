//! One token of a decoder at base size, random weights, ONNX Runtime on the CPU: what it costs after
//! a short past and after a long one.
//!
//! `cargo bench --bench decoder`. A step at past 256 should cost at most 1.5 times one at past 16.

mod base_size;

use std::path::Path;

use criterion::{BatchSize, BenchmarkId, Criterion, criterion_group, criterion_main};
use ndarray::Array2;
use nezha_exporter::checkpoint::{Checkpoint, OpenOptions};
use nezha_exporter::{ExportOptions, Heads, export};
use nezha_graphs::{GraphOptions, Head};
use nezha_runtime::{Decoder, EngineChoice, Session};

const CONFIG: &str = r#"{"is_decoder": true, "architectures": ["NezhaForMaskedLM"]}"#;

fn session(folder: &Path) -> Session {
    base_size::write_checkpoint(folder, base_size::masked_lm(), CONFIG);
    let checkpoint = Checkpoint::open(folder, &OpenOptions::default()).unwrap();
    let options = ExportOptions::default()
        .heads(Heads::Named(vec![Head::MaskedLm]))
        .graph(GraphOptions::default().kv_cache(true));
    let exported = export(&checkpoint, folder, &options).unwrap();
    let choice: EngineChoice = "ort".parse().unwrap();
    let path = &exported.artifacts[0].file.path;
    Session::builder().engine(choice).load(path).unwrap()
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
