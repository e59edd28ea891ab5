//! What OpenVINO is asked for, and what it has to say where it can't.

use std::fs;
use std::num::NonZeroUsize;
use std::path::PathBuf;

use ndarray::Array1;
use nezha_graphs::DType;
use nezha_runtime::{
    EngineError, EngineKind, EngineOptions, OpenVinoHint, OpenVinoOptions, OpenVinoPrecision,
    Session, SessionError,
};

use crate::options::{check, option_error};
use crate::tiny;

const CPU: EngineKind = EngineKind::OpenVinoCpu;

fn with(openvino: OpenVinoOptions) -> EngineOptions {
    EngineOptions::default().openvino(openvino)
}

#[test]
fn it_computes_in_float32_unless_it_is_asked_for_less_and_says_so() {
    let file = tiny::save(&tiny::embeddings());
    let session = tiny::load(&file, CPU);
    let description = session.engine().description();
    assert!(description.starts_with("OpenVINO 20"), "{description}");
    assert!(description.ends_with(" (CPU, f32)"), "{description}");
}

#[test]
fn a_precision_is_computed_in_or_refused_and_never_replaced() {
    let file = tiny::save(&tiny::embeddings());
    for precision in OpenVinoPrecision::ALL {
        let options = with(OpenVinoOptions::default().precision(precision));
        let said = match Session::builder()
            .engine(CPU)
            .engine_options(options.clone())
            .load(&file.path)
        {
            Ok(session) => session.engine().description().to_owned(),
            Err(error) => error.to_string(),
        };
        let computed = said.ends_with(&format!("(CPU, {precision})"));
        let refused = said.contains("option 'openvino.precision': ");
        match precision {
            OpenVinoPrecision::F32 => assert!(computed, "{said}"),
            OpenVinoPrecision::Auto => assert!(said.starts_with("OpenVINO 20"), "{said}"),
            _ => assert!(computed || refused, "{precision}: {said}"),
        }
    }
}

#[test]
fn a_device_that_is_not_there_is_an_error_that_names_those_that_are() {
    let file = tiny::save(&tiny::embeddings());
    for (kind, device) in [
        (EngineKind::OpenVinoGpu, "GPU"),
        (EngineKind::OpenVinoNpu, "NPU"),
    ] {
        match Session::builder().engine(kind).load(&file.path) {
            Ok(session) => check(&session, (2, 3), device),
            Err(error) => {
                let text = error.to_string();
                let expected = format!("{kind} can't start: no {device} is here, only CPU");
                assert!(text.starts_with(&expected), "{text}");
                assert!(text.contains("install the driver"), "{text}");
            }
        }
    }
}

#[test]
fn an_operator_that_openvino_lacks_is_named_with_its_node() {
    let mut node = tiny::node("Frobnicate", &["input"], "output");
    node.name = "layer.7/Frobnicate".to_owned();
    let file = tiny::save(&tiny::model(
        &[tiny::port("input", DType::F32, "2,2")],
        &[tiny::port("output", DType::F32, "2,2")],
        vec![node],
        Vec::new(),
    ));
    match tiny::load_error(&file, CPU.into()) {
        SessionError::Engine(EngineError::Operator { operator, node, .. }) => {
            assert_eq!(
                (operator.as_str(), node.as_str()),
                ("Frobnicate", "layer.7/Frobnicate")
            );
        }
        other => panic!("{other}"),
    }
}

#[test]
fn a_node_that_openvino_can_not_make_sense_of_is_named() {
    let mut node = tiny::node("Gather", &["input"], "output");
    node.name = "layer.7/Gather".to_owned();
    let file = tiny::save(&tiny::model(
        &[tiny::port("input", DType::F32, "2,2")],
        &[tiny::port("output", DType::F32, "2,2")],
        vec![node],
        Vec::new(),
    ));
    let error = tiny::load_error(&file, CPU.into()).to_string();
    assert!(error.contains("node 'layer.7/Gather': "), "{error}");
}

#[test]
fn a_process_keeps_the_first_openvino_it_loaded() {
    let file = tiny::save(&tiny::embeddings());
    tiny::load(&file, CPU);
    let other = PathBuf::from("/nowhere/libopenvino_c.so");
    let options = with(OpenVinoOptions::default().library(other));
    let loaded = Session::builder()
        .engine(CPU)
        .engine_options(options.clone())
        .load(&file.path);
    let error = loaded.err().map(|it| it.to_string()).unwrap_or_default();
    assert!(error.contains("has loaded the OpenVINO "), "{error}");
    assert!(error.contains("needs a process of its own"), "{error}");
}

#[test]
fn several_runs_at_a_time_answer_like_one() {
    let file = tiny::save(&tiny::embeddings());
    let options = with(OpenVinoOptions::default().hint(OpenVinoHint::Throughput));
    let session = tiny::open(&file, "openvino", &options.threads(NonZeroUsize::new(2)));
    std::thread::scope(|scope| {
        for shape in [(1, 1), (2, 3), (4, 70), (1, 2)] {
            let session = &session;
            scope.spawn(move || check(session, shape, "throughput"));
        }
    });
}

#[test]
fn a_compiled_model_is_kept_in_the_cache_and_a_damaged_one_is_made_anew() {
    let folder = tempfile::tempdir().unwrap();
    let cache = folder.path().join("not/there/yet");
    let options = with(OpenVinoOptions::default().cache(cache.clone()));
    let file = tiny::save(&tiny::embeddings());
    let blobs = || -> Vec<PathBuf> {
        let entries = fs::read_dir(&cache).unwrap();
        entries.map(|it| it.unwrap().path()).collect()
    };
    for turn in ["compiled", "from the cache"] {
        check(&tiny::open(&file, "openvino", &options), (2, 3), turn);
        assert_eq!(blobs().len(), 1, "{turn}");
    }
    let blob = blobs().remove(0);
    let whole = fs::read(&blob).unwrap();
    for damaged in [&whole[..whole.len() / 2], b"broken", b""] {
        fs::write(&blob, damaged).unwrap();
        check(&tiny::open(&file, "openvino", &options), (2, 3), "damaged");
    }
}

#[test]
fn a_cache_that_can_not_be_made_is_the_options_error() {
    let file = tiny::save(&tiny::embeddings());
    let options = with(OpenVinoOptions::default().cache(file.path.clone()));
    let error = option_error(&file, CPU, &options);
    assert!(error.contains("option 'openvino.cache': "), "{error}");
}

#[test]
fn a_run_that_fails_says_why_and_the_session_lives_on() {
    let file = tiny::save(&tiny::model(
        &[
            tiny::port("a", DType::F32, "n"),
            tiny::port("b", DType::F32, "m"),
        ],
        &[tiny::port("sum", DType::F32, "k")],
        vec![tiny::node("Add", &["a", "b"], "sum")],
        Vec::new(),
    ));
    let session = tiny::load(&file, CPU);
    let sum = |a: usize, b: usize| {
        let ones = |size| Array1::<f32>::ones(size).into();
        session.run([("a", ones(a)), ("b", ones(b))])
    };
    let error = sum(2, 3).unwrap_err().to_string();
    assert!(error.starts_with("openvino:cpu failed: "), "{error}");
    let outputs = sum(2, 2).unwrap();
    let found = outputs.array::<f32>("sum").unwrap();
    assert_eq!(*found, Array1::from_elem(2, 2.0).into_dyn());
}

#[test]
fn a_profile_of_several_runs_at_a_time_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = tiny::save(&tiny::embeddings());
    let options = with(OpenVinoOptions::default().hint(OpenVinoHint::Throughput));
    let options = options.profile(folder.path().join("profile"));
    let error = option_error(&file, CPU, &options);
    assert!(error.contains("option 'profile': "), "{error}");
}
