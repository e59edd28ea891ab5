//! OpenVINO on the command line: libraries that won't do, and processes that share a cache.
#![allow(clippy::disallowed_methods, reason = "a test writes its inputs")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use nezha_exporter::checkpoint::{Checkpoint, OpenOptions};
use nezha_exporter::{ExportOptions, export};
use tempfile::TempDir;

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The bundled sentiment model, exported, with token ids beside it.
fn artifact() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let source = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/models/nezha-tiny-zh-sentiment"
    );
    let checkpoint = Checkpoint::open(Path::new(source), &OpenOptions::default()).unwrap();
    export(&checkpoint, folder.path(), &ExportOptions::default()).unwrap();
    let ids: Vec<u8> = [101_i64, 200, 300, 102].map(i64::to_le_bytes).concat();
    let view = safetensors::tensor::TensorView::new(safetensors::Dtype::I64, vec![1, 4], &ids);
    let file = safetensors::serialize([("input_ids", view.unwrap())], None).unwrap();
    std::fs::write(folder.path().join("in.safetensors"), file).unwrap();
    folder
}

/// `nezha run` of the model, which writes to `outputs`.
fn command(folder: &Path, outputs: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_nezha"));
    command
        .arg("run")
        .arg(folder.join("model.onnx"))
        .arg("--inputs")
        .arg(folder.join("in.safetensors"))
        .arg("--outputs")
        .arg(folder.join(outputs))
        .args(arguments);
    command
}

fn refused(output: &Output, expected: &[&str]) {
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let errors = text(&output.stderr);
    for expected in expected {
        assert!(errors.contains(expected), "no '{expected}' in {errors}");
    }
}

/// A library with OpenVINO's first function, which says that it is of 2023.
#[cfg(target_os = "linux")]
fn library_of_2023(folder: &Path) -> PathBuf {
    let source = folder.join("old.c");
    let code = "struct v { const char *b, *d; };\n\
        int ov_get_openvino_version(struct v *v) { v->b = \"2023.3.0-13775-ceeafaf64f3\"; return 0; }\n";
    std::fs::write(&source, code).unwrap();
    let library = folder.join("libopenvino_c.so.2330");
    let built = Command::new("cc")
        .args(["-shared", "-fPIC", "-o"])
        .arg(&library)
        .arg(&source)
        .status()
        .expect("a C compiler, which Rust links with too");
    assert!(built.success());
    library
}

#[cfg(target_os = "linux")]
#[test]
fn a_library_of_2023_is_refused_with_what_installs_a_newer_one() {
    let folder = artifact();
    let library = library_of_2023(folder.path());
    for named in [library.as_path(), folder.path()] {
        let named = named.to_str().unwrap();
        let arguments = ["--engine", "openvino", "--openvino-library", named];
        let output = command(folder.path(), "out", &arguments).output().unwrap();
        refused(
            &output,
            &[
                "openvino:cpu can't start",
                "libopenvino_c.so.2330: version 2023.3.0, expected 2025.1 or later",
                "`nezha setup --openvino` installs one",
            ],
        );
        assert!(!folder.path().join("out").exists());
    }
}

#[test]
fn a_library_that_is_not_there_or_is_another_is_refused() {
    let folder = artifact();
    let other = folder.path().join("libopenvino_c.so");
    std::fs::write(&other, "not a library").unwrap();
    for library in ["/nowhere/libopenvino_c.so", other.to_str().unwrap()] {
        let output = command(folder.path(), "out", &["--engine", "openvino"])
            .env("OPENVINO_DYLIB_PATH", library)
            .output()
            .unwrap();
        refused(&output, &["OPENVINO_DYLIB_PATH: ", library]);
    }
}

#[test]
fn options_of_openvino_are_refused_by_other_engines_and_unknown_precisions_by_all() {
    let folder = artifact();
    let arguments = ["--engine", "tract", "--openvino-precision", "bf16"];
    let output = command(folder.path(), "out", &arguments).output().unwrap();
    refused(
        &output,
        &["option 'openvino.precision': only OpenVINO takes it"],
    );
    let arguments = ["--engine", "openvino", "--openvino-precision", "f64"];
    let output = command(folder.path(), "out", &arguments).output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    let errors = text(&output.stderr);
    assert!(
        errors.contains("expected f32, bf16, f16 or auto"),
        "{errors}"
    );
}

#[test]
fn processes_that_share_a_cache_folder_give_the_same_answers() {
    let folder = artifact();
    let cache = folder.path().join("cache");
    let start = |outputs: &str| {
        let cache = cache.to_str().unwrap();
        let arguments = ["--engine", "openvino", "--openvino-cache", cache];
        let mut command = command(folder.path(), outputs, &arguments);
        command.stdout(Stdio::null()).stderr(Stdio::piped());
        command.spawn().unwrap()
    };
    let names = ["a", "b", "c", "d"];
    let together: Vec<_> = names.iter().map(|it| start(it)).collect();
    for process in together {
        let output = process.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", text(&output.stderr));
    }
    let later = start("later").wait_with_output().unwrap();
    assert!(later.status.success(), "{}", text(&later.stderr));
    let expected = std::fs::read(folder.path().join("a")).unwrap();
    for name in [&names[1..], &["later"]].concat() {
        let found = std::fs::read(folder.path().join(name)).unwrap();
        assert_eq!(found, expected, "{name} answers otherwise than a");
    }
}
