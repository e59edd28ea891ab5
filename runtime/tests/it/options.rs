//! Engine options: none changes an answer, and one that can't be honored is an error.

use std::path::Path;
use std::time::{Duration, Instant};

use ndarray::Array2;
use nezha_graphs::DType;
use nezha_graphs::proto::{ModelProto, StringStringEntryProto};
use nezha_runtime::{
    AxisRange, EngineError, EngineKind, EngineOptions, Optimization, OrtOptions, Session,
    SessionError, Tensors, TractOptions,
};

use crate::tiny;

/// Runs [`tiny::embeddings`] and compares with what a hand computes.
pub(crate) fn check(session: &Session, shape: (usize, usize), what: &str) {
    for id in 0..tiny::VOCAB_SIZE as i64 {
        let ids = Array2::from_elem(shape, id);
        let outputs = session
            .run(Tensors::from([("input_ids", ids.into())]))
            .unwrap();
        let found = outputs.array::<f32>("last_hidden_state").unwrap().sum();
        let expected = (shape.0 * shape.1) as f32 * (20 * id + 1) as f32;
        assert_eq!(found, expected, "{what}: id {id} at {shape:?}");
    }
}

fn engine_error(result: Result<Session, SessionError>) -> EngineError {
    match result {
        Err(SessionError::Engine(error)) => error,
        Err(error) => panic!("{error}"),
        Ok(session) => panic!("{} took it", session.engine().description()),
    }
}

pub(crate) fn option_error(
    file: &tiny::OnnxFile,
    kind: EngineKind,
    options: &EngineOptions,
) -> String {
    let error = engine_error(
        Session::builder()
            .engine(kind)
            .engine_options(options.clone())
            .load(&file.path),
    );
    assert!(matches!(error, EngineError::Option { .. }), "{error}");
    error.to_string()
}

#[test]
fn without_the_memory_arena_the_answers_are_the_same() {
    let file = tiny::save(&tiny::embeddings());
    let options = EngineOptions::default().ort(OrtOptions::default().memory_arena(false));
    check(&tiny::open(&file, "ort", &options), (2, 3), "no arena");
}

#[test]
fn weights_beside_the_model_answer_the_same_shared_mapped_or_rearranged() {
    let file = tiny::save(&tiny::external_product("weights.onnx_data"));
    let numbers = tiny::PRODUCT_WEIGHTS
        .iter()
        .copied()
        .flat_map(f32::to_le_bytes);
    let bytes: Vec<u8> = [0; 64].into_iter().chain(numbers).collect();
    std::fs::write(file.path.with_file_name("weights.onnx_data"), bytes).unwrap();
    for (sessions, low_memory) in [(1, false), (3, false), (1, true), (3, true)] {
        let options = EngineOptions::default().ort(
            OrtOptions::default()
                .sessions(sessions.try_into().unwrap())
                .low_memory(low_memory),
        );
        let session = tiny::open(&file, "ort", &options);
        let context = format!("{sessions} sessions, low_memory {low_memory}");
        for turn in 0..sessions {
            tiny::check_product(&session, &format!("{context}, turn {turn}"));
        }
    }
}

#[test]
fn weights_outside_of_the_models_folder_are_not_read_for_a_pool_either() {
    let file = tiny::save(&tiny::external_product("../weights.onnx_data"));
    let options =
        EngineOptions::default().ort(OrtOptions::default().sessions(2.try_into().unwrap()));
    let loaded = Session::builder()
        .engine(EngineKind::OrtCpu)
        .engine_options(options.clone())
        .load(&file.path);
    assert!(loaded.is_err(), "a pool read weights outside of the folder");
}

fn files(folder: &Path) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().flatten();
    entries.map(|it| it.path()).collect()
}

#[test]
fn an_optimised_model_is_saved_once_for_each_content_and_level_and_answers_alike() {
    let cache = tempfile::tempdir().unwrap();
    let folder = cache.path().join("optimized");
    let load = |model: &ModelProto, optimization| {
        let options = EngineOptions::default().ort(
            OrtOptions::default()
                .optimized_models(folder.clone())
                .optimization(optimization),
        );
        let session = tiny::open(&tiny::save(model), "ort", &options);
        check(&session, (2, 3), "optimised");
        files(&folder).len()
    };
    let embeddings = tiny::embeddings();
    assert_eq!(load(&embeddings, Optimization::All), 1);
    assert_eq!(load(&embeddings, Optimization::All), 1, "saved again");
    assert_eq!(load(&embeddings, Optimization::Basic), 2, "another level");
    let mut other = embeddings;
    other.producer_name = "another".to_owned();
    assert_eq!(load(&other, Optimization::All), 3, "another content");
}

#[test]
fn a_saved_model_is_what_is_loaded_the_next_time() {
    let file = tiny::save(&tiny::embeddings());
    let folder = tempfile::tempdir().unwrap();
    let options = EngineOptions::default()
        .ort(OrtOptions::default().optimized_models(folder.path().to_owned()));
    tiny::open(&file, "ort", &options);
    let saved = files(folder.path()).remove(0);
    std::fs::write(&saved, "broken").unwrap();
    let error = engine_error(
        Session::builder()
            .engine(EngineKind::OrtCpu)
            .engine_options(options.clone())
            .load(&file.path),
    );
    assert!(
        error.to_string().contains(&saved.display().to_string()),
        "{error}"
    );
}

#[test]
fn optimised_models_are_refused_where_the_copy_would_not_be_sound() {
    let folder = tempfile::tempdir().unwrap();
    let options = EngineOptions::default()
        .ort(OrtOptions::default().optimized_models(folder.path().to_owned()));
    let mut model = tiny::embeddings();
    let words = &mut model.graph.as_mut().unwrap().initializer[0];
    let file = tiny::save(&{
        words.data_location = 1;
        words.external_data.push(StringStringEntryProto {
            key: "location".to_owned(),
            value: "weights.onnx_data".to_owned(),
        });
        std::mem::take(&mut words.raw_data);
        model
    });
    let error = option_error(&file, EngineKind::OrtCpu, &options);
    assert!(error.contains("embedded weights"), "{error}");
    let file = tiny::save(&tiny::embeddings());
    let error = option_error(&file, EngineKind::OrtTensorRt, &options);
    assert!(error.contains("engine_cache"), "{error}");
    assert!(files(folder.path()).is_empty());
}

#[test]
fn shapes_for_tensorrt_are_checked_against_the_model_before_anything_is_built() {
    let file = tiny::save(&tiny::embeddings());
    let range = AxisRange {
        min: 1,
        optimal: 8,
        max: 32,
    };
    let mut options = EngineOptions::default();
    options.ort.tensorrt.shapes = [("batch_size".to_owned(), range)].into();
    let error = option_error(&file, EngineKind::OrtTensorRt, &options);
    assert!(
        error.contains("axis 'sequence_length' has no range"),
        "{error}"
    );
}

/// Hardly one is here; one that is must be what computes.
#[test]
fn a_device_computes_or_is_an_error_and_never_the_cpu_in_its_name() {
    let file = tiny::save(&tiny::embeddings());
    let is_provider = |it: &EngineKind| it.execution_provider().is_some();
    let others = EngineKind::ALL.into_iter().filter(is_provider);
    let others: Vec<_> = others.filter(|it| *it != EngineKind::OrtCpu).collect();
    assert_eq!(others.len(), 8, "{others:?}");
    for kind in others {
        let folder = tempfile::tempdir().unwrap();
        let options = EngineOptions::default().profile(folder.path().join("profile"));
        match Session::builder()
            .engine(kind)
            .engine_options(options.clone())
            .load(&file.path)
        {
            Ok(session) => {
                check(&session, (2, 3), kind.name());
                let profile = session.end_profiling().unwrap();
                let used = profile
                    .providers()
                    .iter()
                    .any(|it| Some(it.0) == kind.execution_provider());
                assert!(used, "{kind}: {:?}", profile.providers());
            }
            Err(SessionError::Engine(EngineError::Provider {
                engine,
                provider,
                reason,
                remedy,
            })) => {
                assert_eq!(
                    (engine, Some(provider)),
                    (kind, kind.execution_provider()),
                    "{reason}"
                );
                if reason == "it is not in this ONNX Runtime" {
                    assert_eq!(remedy, kind.spec().build);
                }
                assert_ne!(remedy, "", "{kind}");
                assert!(!reason.contains('\n'), "{reason}");
            }
            Err(error) => panic!("{kind}: {error}"),
        }
        let session = tiny::open(&file, &format!("{kind},tract"), &EngineOptions::default());
        let skipped = session.skipped().first().map(|it| it.engine);
        assert!(
            session.engine().kind() == kind || skipped == Some(kind),
            "{kind} went without a word"
        );
    }
}

#[test]
fn plans_of_tract_for_one_shape_answer_like_the_one_for_all() {
    let file = tiny::save(&tiny::embeddings());
    let options = EngineOptions::default().tract(TractOptions::default().plans(2));
    let session = tiny::open(&file, "tract", &options);
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                for shape in [(1, 1), (2, 3), (1, 1), (1, 70), (2, 3)] {
                    check(&session, shape, "a plan of its own");
                }
            });
        }
    });
}

/// Minutes of matrix products, one after the other.
fn slow() -> ModelProto {
    let names: Vec<String> = (0..500).map(|index| format!("product{index}")).collect();
    let mut nodes = vec![tiny::node("MatMul", &["input", "input"], &names[0])];
    let pairs = names.windows(2);
    nodes.extend(pairs.map(|pair| tiny::node("MatMul", &[&pair[0], "input"], &pair[1])));
    let last = names.last().unwrap();
    tiny::model(
        &[tiny::port("input", DType::F32, "n,n")],
        &[tiny::port(last, DType::F32, "n,n")],
        nodes,
        Vec::new(),
    )
}

#[test]
fn a_run_past_its_deadline_is_stopped_and_the_session_serves_the_next() {
    let file = tiny::save(&slow());
    let input = |n| Tensors::from([("input", Array2::<f32>::eye(n).into())]);
    for kind in tiny::ENGINES {
        let session = tiny::load(&file, kind);
        for left in [Duration::ZERO, Duration::from_millis(300)] {
            let answer = session.run_until(input(1_500), Instant::now() + left);
            assert!(
                matches!(
                    answer,
                    Err(SessionError::Engine(EngineError::DeadlineExceeded { engine }))
                        if engine == kind
                ),
                "{kind}, {left:?} left: {:?}",
                answer.map(|_| "an answer")
            );
        }
        let answer = session.run_until(input(2), Instant::now() + Duration::from_mins(10));
        let answer = answer.unwrap();
        let (_, product) = answer.iter().next().unwrap();
        assert_eq!(product, &Array2::<f32>::eye(2).into(), "{kind}");
    }
}
