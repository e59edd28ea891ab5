//! Export, and one run in each engine, of a bundled checkpoint: `cargo bench --bench engines`.

use std::hint::black_box;
use std::path::Path;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use ndarray::Array2;
use nezha_exporter::checkpoint::{Checkpoint, OpenOptions};
use nezha_exporter::{ExportOptions, export};
use nezha_runtime::{EngineChoice, Session, Tensors};
use tempfile::TempDir;

const CHECKPOINT: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/models/nezha-tiny-zh-sentiment"
);

/// Texts in a batch and tokens in a text.
const SHAPES: [(usize, usize); 4] = [(1, 16), (1, 128), (8, 128), (1, 512)];

fn write_artifact(folder: &Path) -> std::path::PathBuf {
    let checkpoint = Checkpoint::open(CHECKPOINT, &OpenOptions::default()).unwrap();
    let options = ExportOptions::default().force(true);
    let exported = export(&checkpoint, folder, &options).unwrap();
    exported.artifacts[0].file.path.clone()
}

fn exporting(criterion: &mut Criterion) {
    let folder = TempDir::new().unwrap();
    criterion.bench_function("export", |bencher| {
        bencher.iter(|| black_box(write_artifact(folder.path())));
    });
}

fn running(criterion: &mut Criterion) {
    let folder = TempDir::new().unwrap();
    let path = write_artifact(folder.path());
    for engine in ["ort", "tract"] {
        let choice: EngineChoice = engine.parse().unwrap();
        let session = Session::builder().engine(choice).load(&path).unwrap();
        let mut group = criterion.benchmark_group(engine);
        for (batch, sequence) in SHAPES {
            let ids = Array2::from_shape_fn((batch, sequence), |(row, column)| {
                ((row * 31 + column * 7) % 20_000) as i64
            });
            let inputs = Tensors::from([("input_ids", ids.into())]);
            let shape = BenchmarkId::from_parameter(format!("{batch}x{sequence}"));
            group.bench_function(shape, |bencher| {
                bencher.iter(|| black_box(session.run(inputs.clone()).unwrap()));
            });
        }
        group.finish();
    }
}

criterion_group!(benches, exporting, running);
criterion_main!(benches);
