//! `plan`, `part` and `finish`, as workers on several machines run them.

use std::process::Stdio;

use testkit::command::{stderr, stdout};

use super::*;

const ENGINE: [&str; 2] = ["--threads", "1"];

fn plan(input: &Path, output: &Path, more: &[&str]) -> Output {
    let mut command = Command::new(NEZHA);
    command
        .args(["score", "plan"])
        .arg(input)
        .arg("-o")
        .arg(output);
    command
        .arg("--model")
        .arg(model())
        .args(["--engine", "tract"]);
    ran(command.args(ENGINE).args(more))
}

fn part(output: &Path, more: &[&str]) -> Command {
    let mut command = Command::new(NEZHA);
    command
        .args(["score", "part"])
        .arg(output)
        .args(ENGINE)
        .args(more);
    command.args(["--progress", "none"]);
    command
}

fn finish(output: &Path) -> Output {
    ran(Command::new(NEZHA).args(["score", "finish"]).arg(output))
}

/// A planned work over 3,000 rows in 12 parts, and the output of one process for the same rows.
struct Planned {
    folder: TempDir,
    input: PathBuf,
    output: PathBuf,
    whole: PathBuf,
}

fn planned() -> Planned {
    let folder = tempfile::tempdir().unwrap();
    let [input, output, whole] =
        ["reviews.parquet", "scored.parquet", "whole.parquet"].map(|it| folder.path().join(it));
    parquet_file(&input, &texts(3000), 700);
    let more = ["--part-rows", "256"];
    succeeded(ran(&mut scoring(&input, &whole, &more)));
    let made = succeeded(plan(&input, &output, &more));
    assert_eq!(stdout(&made), "12\n");
    Planned {
        folder,
        input,
        output,
        whole,
    }
}

#[test]
fn workers_share_the_parts_and_the_output_is_that_of_one_process() {
    let planned = planned();
    let (output, whole) = (&planned.output, &planned.whole);
    // A folder elsewhere, as another machine sees it.
    for slice in ["2/3", "0/3", "1/3"] {
        succeeded(ran(&mut part(output, &["--slice", slice])));
    }
    let again = succeeded(ran(&mut part(output, &["--parts", "0-11"])));
    assert!(stdout(&again).contains("nothing to do"), "{again:?}");
    succeeded(finish(output));
    assert_same(whole, output);
    // Late workers and a second finish do no harm.
    let late = succeeded(ran(&mut part(output, &["--slice", "1/3"])));
    assert!(stderr(&late).contains("finished"), "{late:?}");
    succeeded(finish(output));
    assert!(!parts_of(output).exists());
}

#[test]
fn two_workers_on_the_same_parts_bring_each_row_once_though_one_is_killed() {
    let planned = planned();
    let (output, whole) = (&planned.output, &planned.whole);
    let spawn = || {
        let mut command = part(output, &[]);
        let command = command.stdout(Stdio::null()).stderr(Stdio::null());
        command.spawn().unwrap()
    };
    let (mut killed, mut other) = (spawn(), spawn());
    while !(0..12).any(|it| {
        parts_of(output)
            .join(format!("part-{it:05}.parquet"))
            .exists()
    }) {
        std::thread::sleep(std::time::Duration::from_micros(200));
        assert!(
            other.try_wait().unwrap().is_none(),
            "no part while both worked"
        );
    }
    killed.kill().unwrap();
    killed.wait().unwrap();
    assert!(other.wait().unwrap().success());
    succeeded(ran(&mut part(output, &[])));
    succeeded(finish(output));
    assert_same(whole, output);
}

#[test]
fn inputs_and_plan_may_lie_elsewhere_on_another_machine() {
    let planned = planned();
    let (output, whole, input) = (&planned.output, &planned.whole, &planned.input);
    let moved = tempfile::tempdir().unwrap();
    let there = moved.path().join("share");
    fs::rename(planned.folder.path(), &there).unwrap();
    let [output, whole] = [output, whole].map(|it| there.join(it.file_name().unwrap()));
    assert!(!input.exists());
    succeeded(ran(&mut part(&output, &[])));
    succeeded(finish(&output));
    assert_same(&whole, &output);
    fs::create_dir_all(planned.folder.path()).unwrap();
}

#[test]
fn finish_names_parts_that_are_missing_short_foreign_or_of_other_rows() {
    let planned = planned();
    let (output, input) = (&planned.output, &planned.input);
    let refused = finish(output);
    assert_eq!(refused.status.code(), Some(1));
    assert!(stderr(&refused).contains("missing: 0-11"), "{refused:?}");
    succeeded(ran(&mut part(output, &["--parts", "0-9"])));
    let path = |part: usize| parts_of(output).join(format!("part-{part:05}.parquet"));

    // Cut short.
    let bytes = fs::read(path(2)).unwrap();
    fs::write(path(2), &bytes[..bytes.len() - 20]).unwrap();
    // Another part's rows.
    fs::copy(path(4), path(3)).unwrap();
    // Another plan's part.
    let other = output.with_file_name("other.parquet");
    succeeded(plan(
        input,
        &other,
        &["--part-rows", "256", "--prefix", "x_"],
    ));
    succeeded(ran(&mut part(&other, &["--parts", "5"])));
    fs::copy(parts_of(&other).join("part-00005.parquet"), path(5)).unwrap();
    // A row too few, with a footer that says nothing of it.
    with_a_row_less(&path(6));

    let refused = finish(output);
    assert_eq!(refused.status.code(), Some(1));
    for expected in [
        "missing: 10-11",
        "part 2: cut short",
        "part 3: the file holds part 4",
        "part 5: it belongs to another plan",
        "part 6: 255 rows, expected 256",
    ] {
        assert!(
            stderr(&refused).contains(expected),
            "{expected}: {refused:?}"
        );
    }
    assert!(!output.exists());
}

fn with_a_row_less(path: &Path) {
    let file = File::open(path).unwrap();
    let reader = ParquetRecordBatchReaderBuilder::try_new(file).unwrap();
    let entries = reader
        .metadata()
        .file_metadata()
        .key_value_metadata()
        .cloned();
    let schema = reader.schema().clone();
    let batch = reader.build().unwrap().next().unwrap().unwrap();
    let properties = WriterProperties::builder().set_key_value_metadata(entries);
    let file = File::create(path).unwrap();
    let mut writer = ArrowWriter::try_new(file, schema, Some(properties.build())).unwrap();
    writer.write(&batch.slice(0, batch.num_rows() - 1)).unwrap();
    writer.close().unwrap();
}

#[test]
fn a_worker_with_another_model_tokenizer_or_engine_is_refused_before_its_first_row() {
    let planned = planned();
    let output = &planned.output;
    let copy = planned.folder.path().join("model");
    fs::create_dir(&copy).unwrap();
    let restore = || {
        for entry in fs::read_dir(model()).unwrap() {
            let path = entry.unwrap().path();
            fs::copy(&path, copy.join(path.file_name().unwrap())).unwrap();
        }
    };
    let refused = |what: &str| {
        let refused = ran(&mut part(output, &["--model", copy.to_str().unwrap()]));
        assert_eq!(refused.status.code(), Some(1), "{refused:?}");
        let message = stderr(&refused);
        assert!(
            message.contains(what) && message.contains("planned with"),
            "{what}: {message}"
        );
    };
    restore();
    let one_label = exported("text/one-label");
    fs::copy(one_label.path().join("model.onnx"), copy.join("model.onnx")).unwrap();
    refused("the model's model.onnx");
    restore();
    let vocabulary = copy.join("vocab.txt");
    let text = fs::read_to_string(&vocabulary).unwrap();
    fs::write(&vocabulary, text.replacen("的", "地", 1) + "\n新").unwrap();
    refused("the model's vocab.txt");
    restore();
    let refused = ran(&mut part(
        output,
        &["--engine", "ort", "--model", copy.to_str().unwrap()],
    ));
    assert_eq!(refused.status.code(), Some(1), "{refused:?}");
    assert!(
        stderr(&refused).contains("the engine: planned with tract"),
        "{refused:?}"
    );
    for number in 0..12 {
        assert!(
            !parts_of(output)
                .join(format!("part-{number:05}.parquet"))
                .exists()
        );
    }
    succeeded(ran(&mut part(output, &["--model", copy.to_str().unwrap()])));
}

#[test]
fn the_status_is_seen_before_during_and_after() {
    let planned = planned();
    let output = &planned.output;
    let status = || {
        let mut command = Command::new(NEZHA);
        let shown = succeeded(ran(command.args(["score", "--status"]).arg(output)));
        stdout(&shown).to_owned()
    };
    assert!(
        status().starts_with("0 of 12 parts, 0 of 3000 rows"),
        "{}",
        status()
    );
    succeeded(ran(&mut part(output, &["--parts", "0-2"])));
    assert!(
        status().starts_with("3 of 12 parts, 768 of 3000 rows"),
        "{}",
        status()
    );
    succeeded(ran(&mut part(output, &[])));
    assert!(status().contains("nezha score finish"), "{}", status());
    succeeded(finish(output));
    assert!(status().starts_with("finished: 3000 rows"), "{}", status());
}

#[test]
fn a_part_or_slice_that_is_not_in_the_plan_is_an_error() {
    let planned = planned();
    let output = &planned.output;
    let refused = ran(&mut part(output, &["--parts", "11-12"]));
    assert_eq!(refused.status.code(), Some(1));
    assert!(
        stderr(&refused).contains("no part 12: the plan has parts 0 to 11"),
        "{refused:?}"
    );
    for usage in [["--slice", "3/3"], ["--parts", "4-3"]] {
        let refused = ran(&mut part(output, &usage));
        assert_eq!(refused.status.code(), Some(2), "{usage:?}: {refused:?}");
    }
    let nothing = ran(&mut part(&output.with_file_name("nothing.parquet"), &[]));
    assert_eq!(nothing.status.code(), Some(1));
    assert!(stderr(&nothing).contains("there is no plan"), "{nothing:?}");
}
