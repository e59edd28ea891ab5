//! What an engine is told, on a real model: no option changes an answer, a deadline is kept, and the
//! command line says what ran.

#[cfg(target_os = "linux")]
use std::num::NonZeroUsize;
use std::{collections::HashMap, fs};

use std::path::{Path, PathBuf};
use std::process::Output;
use std::thread;
use std::time::{Duration, Instant};

use ndarray::{Array2, ArrayD};
use nezha_graphs::Head;
use nezha_runtime::{
    EngineError, EngineKind, EngineOptions, Optimization, OrtOptions, PipelineError, Session,
    SessionError, Tensors, TextClassification, TractOptions,
};
use testkit::command::stderr;
use testkit::compare::{Tolerance, assert_near};
use testkit::engines::{ENGINES, Engine};
use testkit::nezha;

use crate::artifacts::exported;

/// How near sums are that were added up in another order.
const NEAR: Tolerance = Tolerance::OfLargest(1e-5);

fn sentiment() -> PathBuf {
    exported("nezha-tiny-zh-sentiment", Head::SequenceClassification)
}

fn session(engine: EngineKind, options: &EngineOptions) -> Session {
    Session::builder()
        .engine(engine)
        .engine_options(options.clone())
        .load(sentiment().join("model.onnx"))
        .unwrap_or_else(|error| panic!("{engine}, {options:?}: {error}"))
}

/// Token ids of any kind.
fn ids(batch: usize, length: usize) -> Tensors {
    let ids = |(row, column)| ((7 * row + 31 * column) % 1_000 + 100) as i64;
    Tensors::from([(
        "input_ids",
        Array2::from_shape_fn((batch, length), ids).into(),
    )])
}

fn logits(session: &Session, (batch, length): (usize, usize)) -> ArrayD<f32> {
    let outputs = session.run(ids(batch, length)).unwrap();
    outputs.array::<f32>("logits").unwrap().clone()
}

/// Fails unless both sessions answer alike, from several threads at once.
fn assert_same(expected: &Session, found: &Session, tolerance: Tolerance, context: &str) {
    thread::scope(|scope| {
        for shape in [(1, 1), (1, 16), (3, 40), (1, 16), (2, 130), (3, 40)] {
            scope.spawn(move || {
                let [expected, found] = [expected, found].map(|it| logits(it, shape));
                let context = format!("{context}, {shape:?}");
                assert_near(&context, "logits", &expected, &found, tolerance);
            });
        }
    });
}

#[test]
fn no_option_of_onnx_runtime_changes_an_answer() {
    let folder = tempfile::tempdir().unwrap();
    let default = EngineOptions::default;
    let expected = session(EngineKind::OrtCpu, &default());
    let at = |name: &str| Some(folder.path().join(name));
    let several = |sessions: usize, optimized_models| {
        EngineOptions::default().ort(
            OrtOptions::default()
                .sessions(sessions.try_into().unwrap())
                .optimized_models(optimized_models),
        )
    };
    let exact = [
        ("shared weights", several(3, None)),
        ("the first optimised model", several(1, at("optimized"))),
        ("the optimised model again", several(2, at("optimized"))),
        (
            "no arena",
            EngineOptions::default().ort(OrtOptions::default().memory_arena(false)),
        ),
        ("a profile", EngineOptions::default().profile(at("profile"))),
    ];
    for (context, options) in exact {
        let found = session(EngineKind::OrtCpu, &options);
        assert_same(&expected, &found, Tolerance::Bits, context);
    }
    for optimization in [
        Optimization::None,
        Optimization::Basic,
        Optimization::Extended,
    ] {
        let options = EngineOptions::default()
            .threads(NonZeroUsize::new(1))
            .ort(OrtOptions::default().optimization(optimization));
        let found = session(EngineKind::OrtCpu, &options);
        assert_same(&expected, &found, NEAR, &format!("{optimization:?}"));
    }
}

#[test]
fn plans_of_tract_for_one_shape_answer_like_the_one_for_all() {
    let options = EngineOptions::default().tract(TractOptions::default().plans(2));
    let expected = session(EngineKind::Tract, &EngineOptions::default());
    let found = session(EngineKind::Tract, &options);
    assert_same(&expected, &found, NEAR, "plans of their own");
}

#[test]
fn tract_answers_with_the_same_bits_on_any_number_of_threads() {
    let on = |threads: usize| EngineOptions::default().threads(NonZeroUsize::new(threads));
    let one = session(EngineKind::Tract, &on(1));
    for threads in [2, 3] {
        let several = session(EngineKind::Tract, &on(threads));
        let context = format!("{threads} threads");
        assert_same(&one, &several, Tolerance::Bits, &context);
    }
}

/// Nanoseconds that each of tract's threads has computed for.
#[cfg(target_os = "linux")]
fn computed_on_tracts_threads() -> HashMap<PathBuf, u64> {
    let tasks = fs::read_dir("/proc/self/task").unwrap();
    let computed = tasks.filter_map(|task| {
        // A thread of another test may end at any time.
        let task = task.ok()?.path();
        let name = fs::read_to_string(task.join("comm")).ok()?;
        let computed = fs::read_to_string(task.join("schedstat")).ok()?;
        let nanoseconds = computed.split(' ').next()?.parse().ok()?;
        name.starts_with("tract-").then_some((task, nanoseconds))
    });
    computed.collect()
}

#[test]
#[cfg(target_os = "linux")]
fn threads_of_tract_share_a_run() {
    let options = EngineOptions::default().threads(NonZeroUsize::new(2));
    let session = session(EngineKind::Tract, &options);
    let before = computed_on_tracts_threads();
    for _ in 0..5 {
        logits(&session, (4, 200));
    }
    let after = computed_on_tracts_threads();
    let shares = after.iter().filter_map(|(task, after)| {
        let computed = after - before.get(task)?;
        (computed > 1_000_000).then_some(computed)
    });
    let shares: Vec<u64> = shares.collect();
    assert!(shares.len() >= 2, "{before:?}, then {after:?}");
}

#[test]
fn a_pipeline_past_its_deadline_says_so_and_answers_the_next_time() {
    for Engine { kind: engine, .. } in ENGINES {
        let options = EngineOptions::default();
        let pipeline = TextClassification::builder()
            .engine(engine)
            .engine_options(options.clone())
            .load(sentiment())
            .unwrap();
        let late = pipeline.run_until(["房间很干净"], Instant::now());
        let Err(PipelineError::Session(error)) = late else {
            panic!("{engine}: {late:?}");
        };
        assert!(
            matches!(
                *error,
                SessionError::Engine(EngineError::DeadlineExceeded { engine: late }) if late == engine
            ),
            "{engine}: {error}"
        );
        let deadline = Instant::now() + Duration::from_mins(10);
        let answers = pipeline.run_until(["房间很干净"], deadline).unwrap();
        assert_eq!(answers[0][0].label, "positive", "{engine}");
    }
}

/// `nezha run` of the model on ids that are written to `folder`.
fn run(folder: &Path, arguments: &[&str]) -> Output {
    let inputs = folder.join("in.safetensors");
    let tensors = ids(1, 8);
    let bytes = tensors.get("input_ids").unwrap().to_le_bytes();
    let view = safetensors::tensor::TensorView::new(safetensors::Dtype::I64, vec![1, 8], &bytes);
    let file = safetensors::serialize([("input_ids", view.unwrap())], None).unwrap();
    std::fs::write(&inputs, file).unwrap();
    let (model, outputs) = (
        sentiment().join("model.onnx"),
        folder.join("out.safetensors"),
    );
    let [model, inputs, outputs] = [&model, &inputs, &outputs].map(|it| it.to_str().unwrap());
    nezha!(
        [
            &["run", model, "--inputs", inputs, "--outputs", outputs],
            arguments
        ]
        .concat()
    )
}

#[test]
fn a_profile_on_the_command_line_says_where_it_is_and_who_computed() {
    for (engine, provider) in [
        ("ort", "CPUExecutionProvider"),
        ("openvino", "openvino:cpu"),
        ("tract", "tract"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let prefix = folder.path().join("profile");
        let prefix = prefix.to_str().unwrap();
        let output = run(folder.path(), &["--engine", engine, "--profile", prefix]);
        let errors = stderr(&output);
        assert!(output.status.success(), "{engine}: {errors}");
        let nodes = errors.lines().find_map(|line| {
            let nodes = line.strip_prefix(provider)?.strip_prefix(": ")?;
            nodes.strip_suffix(" nodes")?.parse::<usize>().ok()
        });
        assert!(nodes.is_some_and(|it| it > 50), "{engine}: {errors}");
        let file = errors
            .lines()
            .find_map(|line| line.strip_prefix("profile: "));
        let file = Path::new(file.unwrap_or_else(|| panic!("{engine}: no file in {errors}")));
        assert!(file.starts_with(folder.path()), "{engine}: {errors}");
        let profile = std::fs::read(file).unwrap();
        serde_json::from_slice::<serde_json::Value>(&profile).expect("a whole JSON document");
    }
}

#[test]
fn a_shape_for_tensorrt_that_can_not_be_read_is_bad_usage() {
    let folder = tempfile::tempdir().unwrap();
    for shape in [
        "batch_size",
        "batch_size=1:8",
        "batch_size=1:8:x",
        "batch_size=1:2:3:4",
    ] {
        let output = run(folder.path(), &["--tensorrt-shape", shape]);
        assert_eq!(output.status.code(), Some(2), "{shape}");
        let errors = stderr(&output);
        assert!(errors.contains("expected AXIS=MIN:OPTIMAL:MAX"), "{errors}");
    }
}
