//! `nezha pack`, `nezha unpack`, and every command on the file.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use nezha_exporter::Placement;
use tempfile::TempDir;
use testkit::command::{stderr, stdout, succeeded};

use crate::sentiment;

const TEXT: &str = "房间很干净，服务热情，下次还会住。";

fn nezha(arguments: &[&str], paths: &[&Path]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_nezha"));
    command.args(arguments).args(paths);
    command
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap()
}

/// A model's folder, and the file that it was packed to.
fn packed(weights: Placement) -> (TempDir, PathBuf) {
    let folder = sentiment(weights);
    let scratch = TempDir::new().unwrap();
    let file = scratch.path().join("model.nezha");
    succeeded(nezha(&["pack", "-o"], &[&file, folder.path()]));
    // Nothing of the folder can be what answers.
    let unpacked = scratch.path().join("unpacked");
    succeeded(nezha(&["unpack", "-o"], &[&unpacked, &file]));
    for entry in fs::read_dir(folder.path()).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap();
        let again = fs::read(unpacked.join(name)).unwrap();
        assert_eq!(again, fs::read(&path).unwrap(), "{}", path.display());
    }
    (scratch, file)
}

#[test]
fn every_engine_answers_from_the_packed_file_as_from_the_folder() {
    for weights in [Placement::Embedded, Placement::External] {
        let (scratch, file) = packed(weights);
        let folder = scratch.path().join("unpacked");
        for engine in ["ort", "openvino", "tract"] {
            let ask = |model: &Path| {
                let arguments = ["text-classification", "--json", "--engine", engine];
                let model = model.to_str().unwrap();
                let arguments = [&arguments[..], &[model, TEXT]].concat();
                stdout(&succeeded(nezha(&arguments, &[]))).to_owned()
            };
            let answer = ask(&file);
            assert!(answer.contains("positive"), "{engine}: {answer}");
            assert_eq!(answer, ask(&folder), "{engine}, {weights:?}");
        }
    }
}

#[test]
fn commands_that_take_a_model_take_the_packed_file() {
    let (scratch, file) = packed(Placement::External);
    let checkpoint = Path::new("models/nezha-tiny-zh-sentiment");
    let inspected = succeeded(nezha(&["inspect"], &[&file]));
    assert!(stdout(&inspected).contains("sequence-classification"));
    succeeded(nezha(&["verify"], &[&file, checkpoint]));
    let shape = ["--batch", "1", "--sequence", "8", "--seconds", "0.1"];
    let bench = [&["bench", "--engines", "ort"], &shape[..]].concat();
    succeeded(nezha(&bench, &[&file]));
    let out = scratch.path().join("out.jsonl");
    let texts = scratch.path().join("texts.jsonl");
    fs::write(&texts, format!("{{\"text\": \"{TEXT}\"}}\n")).unwrap();
    succeeded(nezha(
        &["score", "--engine", "ort", "--model"],
        &[&file, &texts, Path::new("-o"), &out],
    ));
    assert!(fs::read_to_string(&out).unwrap().contains("positive"));
}

#[test]
fn what_is_there_is_replaced_only_when_asked() {
    let (scratch, file) = packed(Placement::Embedded);
    let folder = scratch.path().join("unpacked");
    for arguments in [
        [
            &["pack", "-o"][..],
            &[file.to_str().unwrap(), folder.to_str().unwrap()],
        ]
        .concat(),
        [
            &["unpack", "-o"][..],
            &[folder.to_str().unwrap(), file.to_str().unwrap()],
        ]
        .concat(),
    ] {
        let refused = nezha(&arguments, &[]);
        assert_eq!(refused.status.code(), Some(1));
        assert!(
            stderr(&refused).contains("hint: --force replaces it"),
            "{}",
            stderr(&refused)
        );
        succeeded(nezha(&[&arguments[..], &["--force"]].concat(), &[]));
    }
}

#[test]
fn a_broken_file_is_told_by_the_part_that_is_broken() {
    let (scratch, file) = packed(Placement::External);
    let sound = fs::read(&file).unwrap();
    let broken = scratch.path().join("broken.nezha");
    let ask = |bytes: &[u8]| {
        fs::write(&broken, bytes).unwrap();
        let output = nezha(&["text-classification"], &[&broken, Path::new(TEXT)]);
        assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
        stderr(&output).to_owned()
    };
    let error = ask(&sound[..sound.len() / 2]);
    assert!(
        error.contains("broken.nezha: not a packed model, or cut short"),
        "{error}"
    );
    let mut changed = sound.clone();
    let middle = changed.len() / 2;
    changed[middle] ^= 1;
    let error = ask(&changed);
    assert!(error.contains("part 'weights."), "{error}");
    assert!(
        error.contains("is not what was packed: its SHA-256 is"),
        "{error}"
    );
}
