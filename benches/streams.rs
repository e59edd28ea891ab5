//! Requests of mixed lengths to one process: how many OpenVINO answers in a second when clients share a
//! session, with all threads on one run (`LATENCY`) and with several runs at a time (`THROUGHPUT`); ONNX
//! Runtime and batches of a pipeline beside it.
//!
//! `cargo bench --bench streams`, base size with random weights, all processors. Turns alternate; the best
//! of each counts.
#![allow(clippy::print_stdout, reason = "a bench prints what it measures")]

mod base_size;

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Instant;

use ndarray::Array2;
use nezha_exporter::checkpoint::{Checkpoint, OpenOptions};
use nezha_exporter::{ExportOptions, Heads, Layout, export};
use nezha_graphs::{Head, Precision};
use nezha_runtime::{
    EngineOptions, OpenVinoHint, OpenVinoOptions, OpenVinoPrecision, Session, Tensors, Tokenizer,
};

const CONFIG: &str = r#"{"architectures": ["NezhaForSequenceClassification"]}"#;
const MODELS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/models");

/// Requests of a turn, and turns.
const REQUESTS: usize = 64;
const TURNS: usize = 3;

/// Clients that ask at a time.
const CLIENTS: [usize; 3] = [1, 2, 4];

/// The first reviews of the held-out lines, a request each.
fn requests() -> Vec<Tensors> {
    let folder = format!("{MODELS}/nezha-tiny-zh-sentiment");
    let tokenizer = Tokenizer::load(&folder).unwrap();
    let lines = fs::read_to_string(format!("{folder}/heldout.tsv")).unwrap();
    let texts = lines.lines().filter_map(|line| line.split_once('\t'));
    let request = |text: &str| {
        let ids = tokenizer.encode(text, None, 128).unwrap().ids;
        let ids: Vec<i64> = ids.into_iter().map(i64::from).collect();
        let shape = (1, ids.len());
        Tensors::from([
            (
                "input_ids",
                Array2::from_shape_vec(shape, ids).unwrap().into(),
            ),
            ("attention_mask", Array2::<i64>::ones(shape).into()),
            ("token_type_ids", Array2::<i64>::zeros(shape).into()),
        ])
    };
    texts
        .take(REQUESTS)
        .map(|(_, text)| request(text))
        .collect()
}

/// Answers of a second, when so many clients take the next request as soon as they have an answer.
fn rate(session: &Session, requests: &[Tensors], clients: usize) -> f64 {
    let next = AtomicUsize::new(0);
    let start = Instant::now();
    thread::scope(|scope| {
        for _ in 0..clients {
            scope.spawn(|| {
                while let Some(request) = requests.get(next.fetch_add(1, Ordering::Relaxed)) {
                    session.run(request.clone()).unwrap();
                }
            });
        }
    });
    requests.len() as f64 / start.elapsed().as_secs_f64()
}

/// A session, and what it is called.
fn contender(
    model: &Path,
    engine: &str,
    precision: OpenVinoPrecision,
    hint: OpenVinoHint,
) -> (String, Session) {
    let openvino = OpenVinoOptions::default().precision(precision).hint(hint);
    let is_openvino = engine.starts_with("openvino");
    let options = match is_openvino {
        true => EngineOptions::default().openvino(openvino),
        false => EngineOptions::default(),
    };
    let session = Session::builder()
        .engine(engine)
        .engine_options(options)
        .load(model)
        .unwrap();
    let hint = match hint {
        OpenVinoHint::Latency => "LATENCY",
        _ => "THROUGHPUT",
    };
    let name = match is_openvino {
        true => format!("{engine}@{precision}, {hint}"),
        false => engine.to_owned(),
    };
    (name, session)
}

fn main() {
    let folder = tempfile::tempdir().unwrap();
    let source = folder.path().join("checkpoint");
    fs::create_dir(&source).unwrap();
    let weights = [base_size::masked_lm(), base_size::classifier(2)].concat();
    base_size::write_checkpoint(&source, weights, CONFIG);
    let checkpoint = Checkpoint::open(&source, &OpenOptions::default()).unwrap();
    let export_as = |layout: Layout, name: &str| {
        let options = ExportOptions::default()
            .heads(Heads::Named(vec![Head::SequenceClassification]))
            .layout(layout)
            .precisions(vec![Precision::Fp32]);
        let target = folder.path().join(name);
        let exported = export(&checkpoint, &target, &options).unwrap();
        exported.artifacts[0].file.path.clone()
    };
    let plain = export_as(Layout::Plain, "plain");
    let flat = export_as(Layout::OpenVino, "flat");

    let (f32, bf16) = (OpenVinoPrecision::F32, OpenVinoPrecision::Bf16);
    let contenders = [
        contender(&plain, "ort:cpu", f32, OpenVinoHint::Latency),
        contender(&flat, "openvino:cpu", f32, OpenVinoHint::Latency),
        contender(&flat, "openvino:cpu", f32, OpenVinoHint::Throughput),
        contender(&flat, "openvino:cpu", bf16, OpenVinoHint::Latency),
        contender(&flat, "openvino:cpu", bf16, OpenVinoHint::Throughput),
    ];
    let requests = requests();
    let mut best = vec![[0.0_f64; CLIENTS.len()]; contenders.len()];
    for turn in 0..=TURNS {
        for ((_, session), best) in contenders.iter().zip(&mut best) {
            for (clients, best) in CLIENTS.into_iter().zip(best) {
                let found = rate(session, &requests, clients);
                // The first turn warms up.
                if turn > 0 {
                    *best = best.max(found);
                }
            }
        }
    }
    println!("| requests a second | 1 client | 2 clients | 4 clients |\n|---|---:|---:|---:|");
    for ((name, _), [one, two, four]) in contenders.iter().zip(&best) {
        println!("| {name} | {one:.1} | {two:.1} | {four:.1} |");
    }
}
