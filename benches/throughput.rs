//! Texts of mixed lengths through a pipeline at base size, random weights, ONNX Runtime on the CPU,
//! beside what the engine alone takes for as many tokens in batches of equal length.
//!
//! `cargo bench --bench throughput`. The pipeline should be at most 10 % slower, and spend less than
//! 3 % of its time in the tokenizer and after the engine.
#![allow(clippy::print_stdout, reason = "a bench prints what it measures")]

mod base_size;

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use ndarray::Array2;
use nezha_exporter::checkpoint::{Checkpoint, OpenOptions};
use nezha_exporter::{ExportOptions, Heads, export};
use nezha_graphs::Head;
use nezha_runtime::task::{
    Embedding, FillMask, Row, RowOutputs, Task, TaskError, TaskModel, Text, TextClassification,
};
use nezha_runtime::{Pipeline, Session, Tensors};

/// Names the class, which says whose relative positions they are.
const CONFIG: &str = r#"{"architectures": ["NezhaForMaskedLM"]}"#;

const MODELS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/models");

/// Texts that are answered in a turn.
const TEXTS: usize = 128;

/// Turns of the pipeline and of the engine alone, one after the other.
const TURNS: usize = 3;

/// Rows of a batch, as a pipeline has them.
const ROWS: usize = 8;

/// What the tasks took since it was last asked, in nanoseconds.
static TASK_TIME: AtomicU64 = AtomicU64::new(0);

fn timed<T>(work: impl FnOnce() -> T) -> T {
    let start = Instant::now();
    let done = work();
    TASK_TIME.fetch_add(start.elapsed().as_nanos() as u64, Ordering::Relaxed);
    done
}

/// A task whose work before and after the engine is timed.
struct Timed<T>(T);

impl<T: Task> Task for Timed<T> {
    type Input = T::Input;
    type Options = T::Options;
    type Part = T::Part;
    type Answer = T::Answer;

    const NAME: &'static str = T::NAME;
    const HEADS: &'static [Head] = T::HEADS;

    fn new(model: Arc<TaskModel>, options: T::Options) -> Result<Self, TaskError> {
        T::new(model, options).map(Self)
    }

    fn encode(&self, input: &T::Input) -> Result<Vec<Row>, TaskError> {
        timed(|| self.0.encode(input))
    }

    fn decode(
        &self,
        input: &T::Input,
        row: &Row,
        outputs: &RowOutputs<'_>,
    ) -> Result<T::Part, TaskError> {
        timed(|| self.0.decode(input, row, outputs))
    }

    fn join(&self, input: &T::Input, parts: Vec<T::Part>) -> T::Answer {
        timed(|| self.0.join(input, parts))
    }
}

/// Reviews of 5 to 128 tokens, the first ones of the bundled held-out lines.
fn texts() -> Vec<String> {
    let lines = fs::read_to_string(format!("{MODELS}/nezha-tiny-zh-sentiment/heldout.tsv"));
    let lines = lines.unwrap();
    let texts = lines.lines().filter_map(|line| line.split_once('\t'));
    texts
        .map(|(_, text)| text.chars().take(126).collect())
        .take(TEXTS)
        .collect()
}

/// Batches without padding, with as many tokens as the texts have.
fn equal_batches(mut lengths: Vec<usize>) -> Vec<Tensors> {
    lengths.sort_unstable();
    let batch = |lengths: &[usize]| {
        let mean = lengths.iter().sum::<usize>().div_ceil(lengths.len());
        let shape = (lengths.len(), mean);
        let ids = Array2::from_shape_fn(shape, |(row, column)| 1000 + (97 * row + column) as i64);
        Tensors::from([
            ("input_ids", ids.into()),
            ("attention_mask", Array2::<i64>::ones(shape).into()),
            ("token_type_ids", Array2::<i64>::zeros(shape).into()),
        ])
    };
    lengths.chunks(ROWS).map(batch).collect()
}

fn run_all(session: &Session, batches: &[Tensors]) {
    for batch in batches {
        session.run(batch.clone()).unwrap();
    }
}

fn elapsed(work: impl FnOnce()) -> Duration {
    let start = Instant::now();
    work();
    start.elapsed()
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn compare<T: Task<Input = Text>>(model: &Path, texts: &[String]) {
    let pipeline = Pipeline::<Timed<T>>::builder().engine("ort").load(model);
    let pipeline = pipeline.unwrap();
    let tokenizer = pipeline.tokenizer();
    let length = |text: &String| tokenizer.encode(text, None, 512).unwrap().len();
    let lengths: Vec<usize> = texts.iter().map(length).collect();
    let tokens: usize = lengths.iter().sum();
    let batches = equal_batches(lengths);
    run_all(pipeline.session(), &batches);
    let (mut ratios, mut shares, mut best) = (Vec::new(), Vec::new(), f64::INFINITY);
    for _ in 0..TURNS {
        TASK_TIME.store(0, Ordering::Relaxed);
        let whole = elapsed(|| drop(pipeline.run(texts).unwrap())).as_secs_f64();
        let task = TASK_TIME.load(Ordering::Relaxed) as f64 / 1e9;
        let engine = elapsed(|| run_all(pipeline.session(), &batches)).as_secs_f64();
        ratios.push(whole / engine);
        shares.push(task / whole);
        best = best.min(whole);
    }
    let (rate, ratio, share) = (tokens as f64 / best, median(ratios), median(shares));
    let (task, percent) = (T::NAME, 100.0 * share);
    println!("| {task} | {tokens} | {rate:.0} | {ratio:.3} | {percent:.2} % |");
}

fn main() {
    let folder = tempfile::tempdir().unwrap();
    let source = folder.path().join("checkpoint");
    fs::create_dir(&source).unwrap();
    let weights = [base_size::masked_lm(), base_size::classifier(2)].concat();
    base_size::write_checkpoint(&source, weights, CONFIG);
    for file in ["vocab.txt", "tokenizer_config.json"] {
        fs::copy(format!("{MODELS}/nezha-tiny-zh/{file}"), source.join(file)).unwrap();
    }
    let checkpoint = Checkpoint::open(&source, &OpenOptions::default()).unwrap();
    let heads = vec![Head::Base, Head::SequenceClassification, Head::MaskedLm];
    let options = ExportOptions::default().heads(Heads::Named(heads));
    let model = folder.path().join("model");
    export(&checkpoint, &model, &options).unwrap();

    let texts = texts();
    let masked: Vec<String> = texts.iter().map(|text| format!("[MASK]{text}")).collect();
    println!(
        "| task | tokens | tokens a second | by the engine alone | tokenizing and answering |"
    );
    println!("|---|---:|---:|---:|---:|");
    compare::<Embedding>(&model, &texts);
    compare::<TextClassification>(&model, &texts);
    compare::<FillMask>(&model, &masked);
}
