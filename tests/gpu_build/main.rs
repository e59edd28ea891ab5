//! ONNX Runtime's build for GPUs on a machine without one: nothing falls back behind one's back,
//! and everything says what is missing.
//!
//! `cargo xtask gpu-build`, since the build is 300 MB large and needs Linux on x86-64.

mod placement;
mod stand_in;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

use nezha_runtime::setup::{Build, setup};
use serde_json::Value;
use tempfile::TempDir;
use testkit::command::{stderr, stdout, succeeded};
use testkit::repository;

const TEXT: &str = "房间很干净，服务热情，下次还会住。";

/// Installed where it is missing.
fn library() -> &'static PathBuf {
    static LIBRARY: OnceLock<PathBuf> = OnceLock::new();
    LIBRARY.get_or_init(|| {
        assert!(
            !Path::new("/dev/nvidia0").exists(),
            "these tests are about machines without a GPU; with one, run `nezha verify --engines \
             ort:cuda,ort:tensorrt`"
        );
        setup(Build::Gpu)
            .unwrap_or_else(|error| panic!("{error}"))
            .library
    })
}

/// Runs `nezha` with the build for GPUs.
fn nezha(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_nezha"));
    command.args(arguments).arg("--ort-library").arg(library());
    command.output().unwrap()
}

fn model() -> &'static str {
    static FOLDER: OnceLock<TempDir> = OnceLock::new();
    let folder = FOLDER.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let mut export = Command::new(env!("CARGO_BIN_EXE_nezha"));
        let checkpoint = repository("models/nezha-tiny-zh-sentiment");
        export.arg("export").arg(checkpoint);
        succeeded(export.arg("-o").arg(folder.path()).output().unwrap());
        folder
    });
    folder.path().to_str().unwrap()
}

fn classify(arguments: &[&str]) -> (Option<i32>, String, String) {
    let command = [&["text-classification", model(), TEXT], arguments].concat();
    let output = nezha(&command);
    let texts = [stdout(&output), stderr(&output)].map(str::to_owned);
    let [answers, errors] = texts;
    (output.status.code(), answers, errors)
}

#[test]
fn a_named_provider_that_cannot_start_is_an_error_with_the_library_that_is_missing() {
    for (engine, provider) in [
        ("ort:cuda", "CUDAExecutionProvider"),
        ("ort:tensorrt", "TensorrtExecutionProvider"),
    ] {
        let (code, answers, errors) = classify(&["--engine", engine]);
        assert_eq!(code, Some(1), "{engine}: {errors}");
        assert_eq!(answers, "", "{engine}");
        for part in [engine, provider, ".so", "nezha doctor"] {
            assert!(errors.contains(part), "{engine}: no '{part}' in: {errors}");
        }
    }
}

#[test]
fn only_a_list_goes_on_to_the_cpu_and_it_says_so() {
    let (code, answers, errors) = classify(&["--engine", "ort:tensorrt,ort:cuda,ort:cpu"]);
    assert_eq!(code, Some(0), "{errors}");
    assert!(answers.contains("positive"), "{answers}");
    for part in [
        "ort:tensorrt can't start",
        "ort:cuda can't start",
        "engine: ONNX Runtime",
    ] {
        assert!(errors.contains(part), "no '{part}' in: {errors}");
    }
}

#[test]
fn an_option_that_tensorrt_would_misread_is_refused_before_the_provider_is_asked() {
    let shape = [
        "--engine",
        "ort:tensorrt",
        "--tensorrt-shape",
        "token=1:4:8",
    ];
    let (code, _, errors) = classify(&shape);
    assert_eq!(code, Some(1), "{errors}");
    assert!(errors.contains("option 'ort.tensorrt'"), "{errors}");
    assert!(errors.contains("token"), "{errors}");
}

#[test]
fn doctor_lists_the_providers_and_every_missing_library_with_a_remedy() {
    let output = nezha(&["doctor", "--json"]);
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let compiled_in = report["onnx_runtime"].to_string();
    for engine in ["ort:cuda", "ort:tensorrt"] {
        let engines = report["engines"].as_array().unwrap();
        let found = engines.iter().find(|it| it["engine"] == engine).unwrap();
        assert!(found["description"].is_null(), "{found:#}");
        let missing = found["missing_libraries"].as_array().unwrap();
        // The driver, which providers are linked with, and what they open themselves.
        for name in ["libcuda.so.1", "libcudnn.so.9"] {
            assert!(missing.iter().any(|it| it["name"] == name), "{found:#}");
        }
        for library in missing {
            assert_ne!(library["remedy"], "", "{found:#}");
        }
    }
    for provider in ["CUDAExecutionProvider", "TensorrtExecutionProvider"] {
        assert!(compiled_in.contains(provider), "{compiled_in}");
    }
}

#[test]
fn a_bench_has_a_row_with_the_reason_and_no_number_of_the_cpu() {
    let file = format!("{}/model.onnx", model());
    let bench = [
        "bench",
        &file,
        "--engines",
        "ort:cpu,ort:cuda",
        "--batch",
        "1",
        "--sequence",
        "8",
        "--runs",
        "2",
    ];
    let output = nezha(&bench);
    let shown = format!("{}{}", stdout(&output), stderr(&output));
    assert_eq!(output.status.code(), Some(1), "{shown}");
    assert!(shown.contains("ort:cuda can't start"), "{shown}");
}
