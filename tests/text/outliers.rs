//! Outlier channels, which trained BERTs have in every layer and small models of demonstrations don't:
//! what each precision makes of them, in each engine.
//!
//! The bundled sentiment model with two channels of the hidden states 60 times as large as the rest. What
//! reads these channels has weights 60 times smaller, as those that learned to live with them do, so that
//! the model still answers; a scale for all of a token's activations has little left for the others.

use std::fs;
use std::path::Path;
use std::sync::LazyLock;

use ndarray::{ArrayD, Axis};
use nezha_exporter::checkpoint::{Checkpoint, OpenOptions, WeightInfo};
use nezha_exporter::{ExportOptions, export};
use nezha_graphs::{GraphOptions, Precision};
use nezha_runtime::task::{TextClassification, TextClassificationOptions};
use nezha_runtime::{EngineKind, EngineOptions, OpenVinoOptions, OpenVinoPrecision, Pipeline};
use safetensors::tensor::{Dtype, TensorView};
use tempfile::TempDir;
use testkit::compare::pairs;
use testkit::engines::{ENGINES, Engine, session};

use crate::artifacts::checkpoint;

const MODEL: &str = "nezha-tiny-zh-sentiment";
const CHANNELS: [usize; 2] = [17, 101];
const TIMES: f32 = 60.0;

/// How many of the held-out reviews are classified.
const LINES: usize = 150;

/// What reads hidden states; the pooler reads those of the last layer.
const READERS: [&str; 5] = [
    "attention.self.query.weight",
    "attention.self.key.weight",
    "attention.self.value.weight",
    "intermediate.dense.weight",
    "pooler.dense.weight",
];

/// Writes the model with its outliers as a checkpoint.
fn write(folder: &Path) {
    let source = Checkpoint::open(checkpoint(MODEL), &OpenOptions::default()).unwrap();
    let hidden = source.config().hidden_size;
    let changed = |weight: &WeightInfo| {
        let mut numbers = source.read_f32(&weight.name).unwrap();
        change(&weight.name, &mut numbers, hidden);
        let bytes = numbers.into_iter().flat_map(f32::to_le_bytes);
        bytes.collect::<Vec<u8>>()
    };
    let weights: Vec<_> = source
        .weights()
        .iter()
        .map(|it| (it, changed(it)))
        .collect();
    let views = weights.iter().map(|(weight, bytes)| {
        let view = TensorView::new(Dtype::F32, weight.shape.clone(), bytes);
        (weight.name.as_str(), view.unwrap())
    });
    safetensors::serialize_to_file(views, None, &folder.join("model.safetensors")).unwrap();
    for file in ["config.json", "vocab.txt", "tokenizer_config.json"] {
        fs::copy(checkpoint(MODEL).join(file), folder.join(file)).unwrap();
    }
}

fn change(name: &str, numbers: &mut [f32], hidden: usize) {
    if name.contains("LayerNorm") {
        // After the first of them, two channels have nearly all of the variance.
        let share = CHANNELS.len() as f32 / hidden as f32;
        let spread = (1.0 - share + share * TIMES * TIMES).sqrt();
        match name.strip_prefix("nezha.embeddings") {
            None if name.ends_with("weight") => numbers.iter_mut().for_each(|it| *it *= spread),
            _ => CHANNELS.iter().for_each(|it| numbers[*it] *= TIMES),
        }
    }
    if name.contains("output.dense") {
        for channel in CHANNELS {
            let width = numbers.len() / hidden;
            let row = &mut numbers[channel * width..][..width];
            for number in row {
                *number *= TIMES;
            }
        }
    }
    if READERS.iter().any(|it| name.ends_with(it)) {
        for row in numbers.chunks_exact_mut(hidden) {
            for channel in CHANNELS {
                row[channel] /= TIMES;
            }
        }
    }
}

/// The model's exports, in a folder for each precision.
static MODELS: LazyLock<TempDir> = LazyLock::new(|| {
    let folder = TempDir::new().unwrap();
    let source = folder.path().join("checkpoint");
    fs::create_dir(&source).unwrap();
    write(&source);
    let checkpoint = Checkpoint::open(&source, &OpenOptions::default()).unwrap();
    for precision in Precision::ALL {
        let graph = GraphOptions::default().hidden_states(precision == Precision::Fp32);
        let options = ExportOptions::default()
            .precisions(vec![precision])
            .graph(graph);
        let target = folder.path().join(precision.name());
        export(&checkpoint, &target, &options).unwrap();
    }
    folder
});

/// The share of labels that stay the same, at least: weights of 8 bits cost little here, activations of
/// 8 bits much.
fn least(precision: Precision, engine: EngineKind, computing: OpenVinoPrecision) -> f64 {
    let is_exact = computing == OpenVinoPrecision::F32;
    match precision {
        Precision::Fp32 if is_exact => 1.0,
        Precision::Fp32 | Precision::Fp16Storage | Precision::Fp16 => 0.97,
        // It computes these in single precision.
        Precision::W8 if engine == EngineKind::Tract => 0.94,
        Precision::Int8 | Precision::W8 | Precision::Q8 | Precision::Q4 => 0.7,
    }
}

/// How a model answers the held-out reviews.
struct Answers {
    /// Engine, device and what it computes in.
    description: String,
    /// The probability of a positive review.
    scores: Vec<f32>,
}

fn lines() -> Vec<(String, String)> {
    let text = fs::read_to_string(checkpoint(MODEL).join("heldout.tsv")).unwrap();
    let lines = text.lines().map(|it| it.split_once('\t').unwrap());
    let lines: Vec<_> = lines.map(|(a, b)| (a.to_owned(), b.to_owned())).collect();
    lines[..LINES].to_vec()
}

fn answers(folder: &Path, engine: EngineKind, computing: OpenVinoPrecision) -> Answers {
    let mut options = EngineOptions::default();
    if engine == EngineKind::OpenVinoCpu {
        options = options.openvino(OpenVinoOptions::default().precision(computing));
    }
    let context = format!("{}, {engine}", folder.display());
    let all_labels = TextClassificationOptions::default()
        .top_k(None)
        .max_length(128);
    let pipeline = Pipeline::<TextClassification>::builder()
        .engine(engine)
        .engine_options(options)
        .options(all_labels)
        .load(folder)
        .unwrap_or_else(|error| panic!("{context}: {error}"));
    let description = pipeline.session().engine().description().to_owned();
    let found = pipeline.run(lines().iter().map(|(_, text)| text.as_str()));
    let scores = found.unwrap().into_iter().map(|labels| {
        let positive = labels.iter().find(|it| it.label == "positive");
        positive.unwrap().score
    });
    Answers {
        description,
        scores: scores.collect(),
    }
}

/// How many of the reviews are classified right.
fn right(answers: &Answers) -> usize {
    pairs(&answers.description, lines(), &answers.scores)
        .filter(|((label, _), score)| (label == "positive") == (**score > 0.5))
        .count()
}

#[test]
fn two_channels_are_as_much_larger_than_the_rest_in_every_layer() {
    let path = MODELS.path().join("fp32/model.onnx");
    let session = session(&path, "tract");
    let ids: Vec<i64> = (0..64).map(|at| 101 + at * 97).collect();
    let ids = ArrayD::from_shape_vec(vec![1, 64], ids).unwrap();
    let outputs = session.run([("input_ids", ids.into())]).unwrap();
    let mut layers = 0;
    for (name, states) in outputs
        .iter()
        .filter(|(name, _)| name.starts_with("hidden_states"))
    {
        let states = states.array::<f32>().unwrap();
        let channels = states.lanes(Axis(1)).into_iter();
        let spreads: Vec<f32> = channels
            .map(|it| (it.fold(0.0, |sum, x| sum + x * x) / 64.0).sqrt())
            .collect();
        let rest = spreads
            .iter()
            .enumerate()
            .filter(|(at, _)| !CHANNELS.contains(at));
        let rest = rest.map(|(_, it)| it).sum::<f32>() / (spreads.len() - 2) as f32;
        for channel in CHANNELS {
            let times = spreads[channel] / rest;
            println!("{name}: channel {channel} is {times:.0} times the rest");
            assert!((20.0..180.0).contains(&times), "{name}, {channel}: {times}");
        }
        layers += 1;
    }
    assert_eq!(layers, 5);
}

/// ONNX Runtime's answers in single precision.
static EXACT: LazyLock<Answers> =
    LazyLock::new(|| ask(Precision::Fp32, EngineKind::OrtCpu, OpenVinoPrecision::F32));

fn ask(precision: Precision, engine: EngineKind, computing: OpenVinoPrecision) -> Answers {
    answers(&MODELS.path().join(precision.name()), engine, computing)
}

/// Fails where an engine changes more labels than [`least`] leaves.
fn check(precision: Precision) {
    let takes = |engine: &&Engine| engine.refusal(precision.name()).is_none();
    let engines = ENGINES.iter().filter(takes);
    let ways = engines.map(|it| (it.kind, OpenVinoPrecision::F32));
    // bf16 where the processor has it.
    let fastest = (EngineKind::OpenVinoCpu, OpenVinoPrecision::Auto);
    println!("| precision | engine | right | same | worst | mean |");
    for (engine, computing) in ways.chain([fastest]) {
        let found = ask(precision, engine, computing);
        let (context, right) = (&found.description, right(&found));
        let scores: Vec<_> = pairs(context, &EXACT.scores, &found.scores).collect();
        let same = scores
            .iter()
            .filter(|(a, b)| (**a > 0.5) == (**b > 0.5))
            .count();
        let apart = scores.iter().map(|(a, b)| (**a - **b).abs());
        let worst = apart.clone().fold(0.0, f32::max);
        let mean = apart.sum::<f32>() / LINES as f32;
        println!("| {precision} | {context} | {right} | {same} | {worst:.1e} | {mean:.1e} |");
        let least = least(precision, engine, computing);
        assert!(
            same as f64 >= least * LINES as f64,
            "{precision}, {context}: {same} of {LINES} labels are the same"
        );
    }
}

/// A test for each precision.
macro_rules! keep_the_labels_of_a_model_with_outliers {
    ($($name:ident: $precision:ident;)*) => {$(
        #[test]
        fn $name() {
            check(Precision::$precision);
        }
    )*};
}

keep_the_labels_of_a_model_with_outliers! {
    fp32: Fp32;
    fp16_storage: Fp16Storage;
    fp16: Fp16;
    int8: Int8;
    w8: W8;
    q8: Q8;
    q4: Q4;
}
