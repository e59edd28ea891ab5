//! The target folder: what is in it afterwards, and what is not.

use std::fs::{self, File};
use std::path::Path;

use nezha_exporter::onnx::WriteError;
use nezha_exporter::{ExportError, ExportOptions, Heads, Placement, Warning};
use nezha_graphs::Head;

use crate::support::{contents, edited, exported, fixture, listing, refusal, try_export};

const PLACEMENTS: [Placement; 2] = [Placement::Embedded, Placement::External];

fn forced(weights: Placement) -> ExportOptions {
    ExportOptions::default().weights(weights).force(true)
}

#[test]
fn the_same_checkpoint_gives_the_same_bytes() {
    for heads in [Heads::Default, Heads::All] {
        for weights in PLACEMENTS {
            let options = ExportOptions::default()
                .heads(heads.clone())
                .weights(weights);
            let [first, second] = [(), ()].map(|()| {
                let target = tempfile::tempdir().unwrap();
                exported(&fixture("reach-4/pretraining"), target.path(), &options);
                contents(target.path())
            });
            let names: Vec<&String> = first.keys().collect();
            assert!(first.keys().eq(second.keys()), "{names:?}");
            for (name, bytes) in &first {
                assert!(*bytes == second[name], "{name} differs, {weights:?}");
            }
        }
    }
}

#[test]
fn an_artifact_that_is_there_is_replaced_only_by_force() {
    let target = tempfile::tempdir().unwrap();
    let options = ExportOptions::default();
    exported(&fixture("reach-4/masked-lm"), target.path(), &options);
    let before = contents(target.path());
    let message = refusal(&fixture("reach-4/pretraining"), target.path(), &options);
    assert!(message.contains("model.onnx"), "{message}");
    assert!(message.contains("'force'"), "{message}");
    assert!(before == contents(target.path()), "something was changed");
    let forced = forced(Placement::Auto);
    exported(&fixture("reach-4/pretraining"), target.path(), &forced);
    assert!(before["model.onnx"] != contents(target.path())["model.onnx"]);
}

#[test]
fn one_head_that_is_there_keeps_all_from_being_written() {
    let target = tempfile::tempdir().unwrap();
    fs::write(target.path().join("masked-lm.onnx"), "old").unwrap();
    let options = ExportOptions::default().heads(Heads::All);
    refusal(&fixture("reach-4/pretraining"), target.path(), &options);
    assert_eq!(listing(target.path()), ["masked-lm.onnx"]);
}

#[test]
fn another_checkpoints_config_is_not_overwritten_by_the_way() {
    let target = edited("reach-1/masked-lm", |_, _| ());
    let before = contents(target.path());
    let options = ExportOptions::default();
    let message = refusal(&fixture("reach-4/masked-lm"), target.path(), &options);
    assert!(message.contains("config.json"), "{message}");
    assert!(before == contents(target.path()), "something was changed");
}

#[test]
fn a_tokenizer_of_another_checkpoint_is_warned_of() {
    let target = tempfile::tempdir().unwrap();
    let path = target.path().join("vocab.txt");
    fs::write(&path, "other\n").unwrap();
    let options = ExportOptions::default();
    let exported = exported(&fixture("reach-4/masked-lm"), target.path(), &options);
    assert_eq!(exported.warnings, [Warning::ForeignFile { path }]);
}

#[test]
fn tokenizer_files_come_along() {
    let checkpoint = edited("reach-4/masked-lm", |_, _| ());
    let names = ["tokenizer_config.json", "vocab.txt"];
    for name in names {
        fs::write(checkpoint.path().join(name), name).unwrap();
    }
    let target = tempfile::tempdir().unwrap();
    exported(checkpoint.path(), target.path(), &ExportOptions::default());
    let written = contents(target.path());
    for name in names {
        assert_eq!(written[name], name.as_bytes());
    }
}

#[test]
fn a_target_that_is_a_file_is_refused_and_left_alone() {
    let parent = tempfile::tempdir().unwrap();
    let file = parent.path().join("file");
    fs::write(&file, "mine").unwrap();
    for target in [file.clone(), file.join("below")] {
        let options = forced(Placement::Auto);
        let error = try_export(&fixture("reach-4/base"), &target, &options).unwrap_err();
        let ExportError::Write(WriteError::NotAFolder { path }) = &error else {
            panic!("{error}");
        };
        assert_eq!(*path, file);
    }
    assert_eq!(fs::read(&file).unwrap(), b"mine");
}

#[test]
fn a_folder_where_the_artifact_should_go_is_refused_before_anything_is_written() {
    for weights in PLACEMENTS {
        let target = tempfile::tempdir().unwrap();
        fs::create_dir(target.path().join("model.onnx")).unwrap();
        let message = refusal(&fixture("reach-4/base"), target.path(), &forced(weights));
        assert!(message.contains("model.onnx"), "{message}");
        assert_eq!(listing(target.path()), ["model.onnx"]);
    }
}

#[test]
fn folders_are_made_and_a_failed_export_leaves_none() {
    let parent = tempfile::tempdir().unwrap();
    let target = parent.path().join("a/b");
    exported(&fixture("reach-4/base"), &target, &ExportOptions::default());
    assert_eq!(listing(&target), ["config.json", "model.onnx"]);

    let target = parent.path().join("c");
    let options = ExportOptions::default().heads(Heads::Named(vec![Head::MaskedLm]));
    refusal(&fixture("reach-4/base"), &target, &options);
    assert!(!target.exists());
}

#[test]
fn an_unknown_opset_is_refused_with_the_known_ones() {
    let target = tempfile::tempdir().unwrap();
    let options = ExportOptions::default().opset(12);
    let message = refusal(&fixture("reach-4/base"), target.path(), &options);
    assert!(
        message.contains("12") && message.contains("17"),
        "{message}"
    );
    assert!(listing(target.path()).is_empty());
}

#[cfg(unix)]
#[test]
fn two_exports_into_one_folder_at_a_time_are_refused() {
    let target = tempfile::tempdir().unwrap();
    let lock = File::open(target.path()).unwrap();
    lock.lock().unwrap();
    let message = refusal(
        &fixture("reach-4/base"),
        target.path(),
        &ExportOptions::default(),
    );
    assert!(message.contains("another export"), "{message}");
    drop(lock);
    exported(
        &fixture("reach-4/base"),
        target.path(),
        &ExportOptions::default(),
    );
}

#[cfg(unix)]
#[test]
fn what_a_killed_export_left_is_removed_by_the_next_one() {
    let target = tempfile::tempdir().unwrap();
    for name in [".nezha-a1b2c3.partial", ".partial", ".nezha-notes"] {
        fs::write(target.path().join(name), "half").unwrap();
    }
    exported(
        &fixture("reach-4/base"),
        target.path(),
        &ExportOptions::default(),
    );
    assert_eq!(
        listing(target.path()),
        [".nezha-notes", ".partial", "config.json", "model.onnx"]
    );
}

#[cfg(unix)]
#[test]
fn a_symbolic_link_is_replaced_and_what_it_points_to_is_not() {
    let parent = tempfile::tempdir().unwrap();
    let precious = parent.path().join("precious");
    fs::write(&precious, "precious").unwrap();
    let target = parent.path().join("out");
    fs::create_dir(&target).unwrap();
    std::os::unix::fs::symlink(&precious, target.join("model.onnx")).unwrap();
    let options = ExportOptions::default();
    let message = refusal(&fixture("reach-4/base"), &target, &options);
    assert!(message.contains("'force'"), "{message}");
    exported(&fixture("reach-4/base"), &target, &forced(Placement::Auto));
    assert_eq!(fs::read(&precious).unwrap(), b"precious");
    assert!(is_file(&target.join("model.onnx")));
}

#[cfg(unix)]
fn is_file(path: &Path) -> bool {
    path.symlink_metadata().unwrap().is_file()
}
