//! Starting: which engine runs, what was tried before it, and why a named one doesn't start.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use nezha_graphs::proto::ModelProto;
use nezha_graphs::{DType, error_chain};
use nezha_runtime::{
    Engine, EngineError, EngineKind, EngineOptions, Model, OrtOptions, Session, SessionError,
    Tensors,
};

use crate::tiny;

/// A graph of one operator, from `[2, 2]` to `output`.
fn one_operator(op_type: &str, output: &str) -> ModelProto {
    tiny::model(
        &[tiny::port("input", DType::F32, "2,2")],
        &[tiny::port("output", DType::F32, output)],
        vec![tiny::node(op_type, &["input"], "output")],
        Vec::new(),
    )
}

#[test]
fn an_engine_says_what_it_is() {
    let file = tiny::save(&tiny::embeddings());
    let ort = tiny::load(&file, EngineKind::OrtCpu);
    let description = ort.engine().description();
    assert!(description.starts_with("ONNX Runtime 1."), "{description}");
    assert!(description.ends_with(" (CPU)"), "{description}");
    let tract = tiny::load(&file, EngineKind::Tract);
    assert_eq!(tract.engine().description(), "tract 0.23.9 (CPU)");
    assert_eq!(tract.engine().kind(), EngineKind::Tract);
}

#[test]
fn a_list_goes_on_past_a_library_that_is_not_there_and_tells() {
    let file = tiny::save(&tiny::embeddings());
    let options = EngineOptions::default()
        .ort(OrtOptions::default().library(PathBuf::from("/nowhere/libonnxruntime.so")));
    for (choice, expected) in [
        ("auto", EngineKind::OpenVinoCpu),
        ("ort,tract", EngineKind::Tract),
    ] {
        let session = tiny::open(&file, choice, &options);
        assert_eq!(session.engine().kind(), expected, "{choice}");
        let [skipped] = session.skipped() else {
            panic!(
                "{choice}: {} engines skipped, expected 1",
                session.skipped().len()
            );
        };
        assert_eq!(skipped.engine, EngineKind::OrtCpu, "{choice}");
        let error = error_chain(&skipped.error);
        assert!(
            error.contains("/nowhere/libonnxruntime.so"),
            "{choice}: {error}"
        );
    }
    let named = Session::builder()
        .engine(EngineKind::OrtCpu)
        .engine_options(options.clone())
        .load(&file.path);
    assert!(
        matches!(named, Err(SessionError::Engine(_))),
        "a named engine fell back"
    );
}

#[test]
fn a_process_keeps_the_first_onnx_runtime_it_loaded() {
    let file = tiny::save(&tiny::embeddings());
    tiny::load(&file, EngineKind::OrtCpu);
    let options = EngineOptions::default()
        .ort(OrtOptions::default().library(PathBuf::from("/nowhere/libonnxruntime.so")));
    let result = Session::builder()
        .engine(EngineKind::OrtCpu)
        .engine_options(options.clone())
        .load(&file.path);
    let error = result.err().map(|it| it.to_string()).unwrap_or_default();
    assert!(error.contains("needs a process of its own"), "{error}");
}

#[test]
fn an_operator_that_only_one_engine_has_sends_a_list_to_that_one() {
    let file = tiny::save(&one_operator("Det", ""));
    let session = tiny::open(&file, "tract,ort", &EngineOptions::default());
    assert_eq!(session.engine().kind(), EngineKind::OrtCpu);
    let error = session.skipped()[0].error.to_string();
    assert!(error.contains("Det"), "{error}");
}

#[test]
fn an_operator_that_no_engine_has_is_named_with_every_engine_that_was_tried() {
    let file = tiny::save(&one_operator("NoSuchOperator", "2,2"));
    let error = tiny::load_error(&file, "tract,ort".parse().unwrap());
    let SessionError::Engine(EngineError::NoneStarts(tried)) = &error else {
        panic!("{error}");
    };
    let engines: Vec<EngineKind> = tried.iter().map(|it| it.engine).collect();
    assert_eq!(engines, [EngineKind::Tract, EngineKind::OrtCpu]);
    for it in tried {
        assert!(
            it.error.to_string().contains("NoSuchOperator"),
            "{}",
            it.error
        );
    }
}

#[test]
fn an_output_that_no_node_makes_is_an_error_and_no_panic() {
    let mut proto = one_operator("Relu", "2,2");
    proto.graph.as_mut().unwrap().node.clear();
    let file = tiny::save(&proto);
    for kind in tiny::ENGINES {
        let error = tiny::load_error(&file, kind.into());
        let named = format!("{kind} can't load {}", file.path.display());
        assert!(error.to_string().starts_with(&named), "{error}");
    }
}

#[test]
fn several_sessions_answer_like_one() {
    let file = tiny::save(&tiny::embeddings());
    let options = EngineOptions::default()
        .threads(NonZeroUsize::new(1))
        .ort(OrtOptions::default().sessions(2.try_into().unwrap()));
    let session = tiny::open(&file, "ort", &options);
    std::thread::scope(|scope| {
        for id in 0..4_i64 {
            let session = &session;
            scope.spawn(move || {
                let ids = ndarray::Array2::from_elem((2, 3), id);
                let inputs = nezha_runtime::Tensors::from([("input_ids", ids.into())]);
                let outputs = session.run(inputs).unwrap();
                let sum = outputs.array::<f32>("last_hidden_state").unwrap().sum();
                assert_eq!(sum, (6 * (20 * id + 1)) as f32, "id {id}");
            });
        }
    });
}

/// Answers with its inputs, and counts.
struct Echo(Arc<AtomicUsize>);

impl Engine for Echo {
    fn kind(&self) -> EngineKind {
        EngineKind::Custom("echo")
    }

    fn description(&self) -> &'static str {
        "echo"
    }

    fn run(&self, inputs: &Tensors, _: Option<Instant>) -> Result<Tensors, EngineError> {
        self.0.fetch_add(1, Ordering::Relaxed);
        // What a session has completed.
        Ok(inputs.clone())
    }
}

#[test]
fn an_engine_of_the_callers_own_runs_behind_the_checks_of_a_session() {
    let file = tiny::save(&tiny::embeddings());
    let runs = Arc::new(AtomicUsize::new(0));
    let engine = Box::new(Echo(Arc::clone(&runs)));
    let session = Session::with_engine(&Model::open(&file.path).unwrap(), engine);
    assert_eq!(session.engine().kind().name(), "echo");
    let wrong = session.run([("input_ids", ndarray::array![[1.0_f32]].into())]);
    assert!(
        matches!(wrong, Err(SessionError::Signature(_))),
        "{wrong:?}"
    );
    let ids = ndarray::array![[1_i64, 2, 3]];
    let outputs = session.run([("input_ids", ids.into())]).unwrap();
    let mask = outputs.array::<i64>("attention_mask").unwrap();
    assert_eq!(*mask, ndarray::array![[1, 1, 1]].into_dyn());
    assert_eq!(
        runs.load(Ordering::Relaxed),
        1,
        "runs that reached the engine"
    );
}

#[test]
fn a_custom_engine_is_not_started_by_its_name() {
    let file = tiny::save(&tiny::embeddings());
    let kind = EngineKind::Custom("echo");
    let error = tiny::load_error(&file, kind.into()).to_string();
    assert!(error.contains("echo can't start"), "{error}");
}
