//! Profiles: what each engine records of its runs.

use std::path::PathBuf;
use std::time::Duration;

use nezha_graphs::read_model;
use nezha_runtime::{
    EngineError, EngineKind, EngineOptions, Optimization, OrtOptions, Profile, Session,
};
use tempfile::TempDir;

use crate::options::{check, option_error};
use crate::tiny;

/// A session that was asked a few times, its profile, and the folder that has the profile's files.
fn profiled(engine: &str) -> (Session, Profile, TempDir) {
    let file = tiny::save(&tiny::embeddings());
    let folder = tempfile::tempdir().unwrap();
    let options = EngineOptions::default().profile(folder.path().join("profile"));
    let session = tiny::open(&file, engine, &options);
    check(&session, (2, 3), "profiled");
    let profile = session.end_profiling().unwrap();
    (session, profile, folder)
}

#[test]
fn a_profile_tells_what_computed_which_node_in_which_run_and_for_how_long() {
    for (name, provider) in [("ort", "CPUExecutionProvider"), ("tract", "tract")] {
        let (session, profile, _folder) = profiled(name);
        assert_eq!(profile.runs.len(), tiny::VOCAB_SIZE, "{name}");
        assert_eq!(
            profile.providers(),
            [(provider, profile.nodes.len())],
            "{name}"
        );
        assert!(!profile.nodes.is_empty(), "{name}");
        for node in &profile.nodes {
            assert_eq!(node.calls, tiny::VOCAB_SIZE, "{name}: {node:?}");
            assert_eq!(node.times.len(), tiny::VOCAB_SIZE, "{name}: {node:?}");
        }
        for (run, whole) in profile.runs.iter().enumerate() {
            let parts: Duration = profile.nodes.iter().map(|it| it.times[run]).sum();
            assert!(
                parts <= *whole,
                "{name}: the nodes of run {run} take {parts:?}, the run {whole:?}"
            );
        }
        check(&session, (1, 1), "after its profile");
        let again = session.end_profiling();
        assert!(
            matches!(again, Err(EngineError::NotProfiled { .. })),
            "{again:?}"
        );
    }
}

#[test]
fn sessions_of_a_pool_write_a_profile_each_and_tell_one() {
    let file = tiny::save(&tiny::embeddings());
    let folder = tempfile::tempdir().unwrap();
    let options = EngineOptions::default()
        .profile(folder.path().join("profile"))
        .ort(
            OrtOptions::default()
                .optimization(Optimization::None)
                .sessions(2.try_into().unwrap()),
        );
    let session = tiny::open(&file, "ort", &options);
    check(&session, (2, 3), "profiled");
    let profile = session.end_profiling().unwrap();
    assert_eq!(profile.files.len(), 2, "{:?}", profile.files);
    for file in &profile.files {
        assert_eq!(file.parent(), Some(folder.path()), "{}", file.display());
        assert!(file.exists(), "{} is not there", file.display());
    }
    let products = profile
        .nodes
        .iter()
        .filter(|it| (it.node.as_str(), it.op_type.as_str()) == ("masked", "Mul"));
    let calls: Vec<usize> = products.map(|it| it.calls).collect();
    assert_eq!(calls, [tiny::VOCAB_SIZE], "{:?}", profile.nodes);
}

#[test]
fn traces_are_lists_of_events_with_a_beginning_and_a_duration() {
    for name in ["ort", "tract"] {
        let (_, profile, _folder) = profiled(name);
        let text = std::fs::read_to_string(&profile.files[0]).unwrap();
        let events: serde_json::Value = serde_json::from_str(&text).unwrap();
        let events = events.as_array().unwrap();
        let of = |cat: &str| events.iter().filter(|it| it["cat"] == cat).count();
        assert!(of("Node") > 0 && of("Session") > 0, "{name}: {text}");
        for event in events.iter().filter(|it| it["cat"] == "Node") {
            assert_eq!(event["ph"], "X", "{name}: {event}");
            for field in ["ts", "dur", "tid", "pid"] {
                assert!(event[field].is_number(), "{name}: {field} of {event}");
            }
        }
    }
}

#[test]
fn the_graph_that_onnx_runtime_makes_of_a_model_has_the_names_of_its_profile() {
    let file = tiny::save(&tiny::embeddings());
    let folder = tempfile::tempdir().unwrap();
    let graph = folder.path().join("optimized.onnx");
    let options = EngineOptions::default()
        .profile(folder.path().join("profile"))
        .ort(OrtOptions::default().optimized_graph(graph.clone()));
    let session = tiny::open(&file, "ort", &options);
    check(&session, (2, 3), "written");
    let graph = read_model(&graph).unwrap().graph.unwrap();
    for node in session.end_profiling().unwrap().nodes {
        assert!(
            graph.node.iter().any(|it| it.name == node.node),
            "{} is not among {:?}",
            node.node,
            graph.node
        );
    }
}

#[test]
fn a_profile_that_can_not_be_written_is_an_error() {
    let file = tiny::save(&tiny::embeddings());
    let options = EngineOptions::default().profile(PathBuf::from("/nowhere/profile"));
    for kind in [EngineKind::OrtCpu, EngineKind::Tract] {
        let error = option_error(&file, kind, &options);
        assert!(error.contains("option 'profile': /nowhere"), "{error}");
    }
}

#[test]
fn an_engine_that_was_asked_for_no_profile_says_so() {
    let file = tiny::save(&tiny::embeddings());
    for kind in tiny::ENGINES {
        let ended = tiny::load(&file, kind).end_profiling();
        assert!(
            matches!(ended, Err(EngineError::NotProfiled { engine }) if engine == kind),
            "{kind}: {ended:?}"
        );
    }
}
