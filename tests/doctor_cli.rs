//! `nezha doctor` from outside: what runs, what is missing, and what to do about it.

use std::fs;
use std::process::Output;

use nezha_runtime::EngineKind;
use serde_json::Value;
use testkit::command::{stdout, succeeded};
use testkit::{nezha, repository};

fn doctor(arguments: &[&str]) -> Output {
    nezha!([&["doctor"], arguments].concat())
}

fn report(arguments: &[&str]) -> Value {
    let output = succeeded(doctor(&[&["--json"], arguments].concat()));
    serde_json::from_slice(&output.stdout).expect("one JSON document and nothing else")
}

fn engine<'a>(report: &'a Value, name: &str) -> &'a Value {
    let engines = report["engines"].as_array().unwrap();
    let found = engines.iter().find(|it| it["engine"] == name);
    found.unwrap_or_else(|| panic!("no {name} in {report:#}"))
}

/// The version that the workspace pins.
fn pinned_tract() -> String {
    let manifest = fs::read_to_string(repository("Cargo.toml")).unwrap();
    let pinned = manifest
        .lines()
        .find_map(|it| it.strip_prefix("tract-onnx = { version = \"="));
    let version = pinned.and_then(|it| it.split('"').next());
    version.expect("tract-onnx, pinned by `=`").to_owned()
}

#[test]
fn every_engine_runs_or_has_its_reason_and_a_problem_with_a_remedy() {
    let report = report(&[]);
    assert_eq!(
        engine(&report, "tract")["description"],
        format!("tract {} (CPU)", pinned_tract())
    );
    let problems = report["problems"].as_array().unwrap();
    for kind in EngineKind::ALL {
        let name = kind.name();
        let engine = engine(&report, name);
        let runs = engine["description"].is_string();
        assert_ne!(runs, engine["error"].is_string(), "{engine:#}");
        let about = [name, "ONNX Runtime", "OpenVINO"];
        let problem = problems
            .iter()
            .find(|it| about.iter().any(|name| it["subject"] == *name));
        // What other builds of ONNX Runtime have is no problem.
        let elsewhere = engine["error"].as_str().is_some_and(|it| {
            it.contains("it is not in this ONNX Runtime") && it.contains(kind.spec().build)
        });
        assert!(
            runs || problem.is_some() || elsewhere,
            "no problem for {name}: {report:#}"
        );
    }
    for problem in problems {
        assert_ne!(problem["remedy"], "", "{problem:#}");
    }
}

#[test]
fn the_onnx_runtime_that_runs_has_a_path_a_version_and_the_cpu_provider() {
    let report = report(&[]);
    let runtime = &report["onnx_runtime"];
    let runs = engine(&report, "ort:cpu")["description"].as_str();
    let version = runtime["version"]
        .as_str()
        .expect("run `nezha setup` first");
    assert_eq!(runs, Some(format!("ONNX Runtime {version} (CPU)").as_str()));
    let path = runtime["path"].as_str().unwrap();
    assert!(std::path::Path::new(path).exists(), "{path}");
    let providers = runtime["execution_providers"].as_array().unwrap();
    assert!(
        providers.contains(&"CPUExecutionProvider".into()),
        "{providers:?}"
    );
}

#[test]
fn the_openvino_that_runs_has_a_path_a_version_and_the_cpu_among_its_devices() {
    let report = report(&[]);
    let openvino = &report["openvino"];
    let version = openvino["version"]
        .as_str()
        .expect("run `nezha setup --openvino` first");
    let runs = engine(&report, "openvino:cpu")["description"].as_str();
    assert_eq!(
        runs,
        Some(format!("OpenVINO {version} (CPU, f32)").as_str())
    );
    let devices = openvino["devices"].as_array().unwrap();
    let cpu = devices.iter().find(|it| it["name"] == "CPU").unwrap();
    assert_ne!(cpu["full_name"], "", "{cpu}");
}

#[test]
fn a_library_that_is_not_there_is_one_problem_and_tract_still_runs() {
    let report = report(&["--ort-library", "/nowhere/libonnxruntime.so"]);
    let rejected = &report["onnx_runtime"]["rejected"][0];
    assert_eq!(rejected["path"], "/nowhere/libonnxruntime.so");
    assert_eq!(rejected["source"], "option");
    let subjects = report["problems"].as_array().unwrap().iter();
    let subjects: Vec<&Value> = subjects
        .map(|it| &it["subject"])
        .filter(|it| *it != "CPU" && !it.as_str().unwrap().starts_with("openvino:"))
        .collect();
    assert_eq!(subjects, ["ONNX Runtime"]);
    let error = engine(&report, "ort:cpu")["error"].as_str().unwrap();
    assert!(
        error.starts_with("ort:cpu can't start: no ONNX Runtime of version"),
        "{error}"
    );
    assert_eq!(error.matches("no ONNX Runtime").count(), 1, "{error}");
}

#[test]
fn people_read_what_runs_where_it_is_and_what_to_do() {
    let output = succeeded(doctor(&["--ort-library", "/nowhere/libonnxruntime.so"]));
    let text = stdout(&output);
    for expected in [
        "ort:cpu       does not run",
        "tract         runs: tract 0.23.9 (CPU)",
        "not taken: named: /nowhere/libonnxruntime.so: ",
        "ONNX Runtime: no library can be loaded\n    `nezha setup` installs one",
    ] {
        assert!(text.contains(expected), "no '{expected}' in\n{text}");
    }
}
