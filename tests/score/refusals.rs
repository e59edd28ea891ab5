//! What is refused, before any work and by name.

use testkit::command::{stderr, stdout};

use super::*;

struct Scene {
    folder: TempDir,
    input: PathBuf,
    output: PathBuf,
}

fn scene() -> Scene {
    let folder = tempfile::tempdir().unwrap();
    let [input, output] = ["in.parquet", "out.parquet"].map(|it| folder.path().join(it));
    parquet_file(&input, &texts(600), 100);
    Scene {
        folder,
        input,
        output,
    }
}

/// Fails unless a run is refused with this message and exit code, and leaves nothing.
#[track_caller]
fn assert_refused(scene: &Scene, command: &mut Command, code: i32, message: &str) {
    let refused = ran(command);
    assert_eq!(refused.status.code(), Some(code), "{message}: {refused:?}");
    assert!(stderr(&refused).contains(message), "{message}: {refused:?}");
    assert_only(scene.folder.path(), &["in.parquet"]);
}

#[test]
fn a_request_that_makes_no_sense_is_refused_before_any_work() {
    let scene = scene();
    let scoring = |more: &[&str]| scoring(&scene.input, &scene.output, more);
    let clash = "the column 'id' is in the input and among the answers";
    assert_refused(&scene, &mut scoring(&["--row-index", "id"]), 1, clash);
    let missing = "no column 'review'; there are id, text";
    assert_refused(&scene, &mut scoring(&["--column", "review"]), 1, missing);
    assert_refused(
        &scene,
        &mut scoring(&["--keep", "shop"]),
        1,
        "no column 'shop'",
    );
    assert_refused(
        &scene,
        &mut scoring(&["--column", "id"]),
        1,
        "'id' has Int64 values, expected texts",
    );
    let three = "text-classification reads one column, or two for pairs, and 3 columns are given";
    assert_refused(
        &scene,
        &mut scoring(&["--column", "text,text,text"]),
        1,
        three,
    );
    assert_refused(
        &scene,
        &mut scoring(&["--stride", "5"]),
        2,
        "--stride is not an option of",
    );
    assert_refused(
        &scene,
        &mut scoring(&["--part-rows", "0"]),
        2,
        "at least one row",
    );
    let other = "the head is";
    assert_refused(&scene, &mut scoring(&["--task", "fill-mask"]), 1, other);
    let nothing = scene.folder.path().join("*.csv");
    let none = "no such file";
    assert_refused(
        &scene,
        &mut super::scoring(&nothing, &scene.output, &[]),
        1,
        none,
    );
    let broken = scene.folder.path().join("broken.jsonl");
    for (content, message) in [
        ("{\"text\":\"a\"}\n[1]\n", "line 2: "),
        ("{\"text\":\"a\"}\n{\"text\":", "line 2: "),
        ("", "the inputs have no row"),
    ] {
        fs::write(&broken, content).unwrap();
        let refused = ran(&mut super::scoring(&broken, &scene.output, &[]));
        assert_eq!(refused.status.code(), Some(1), "{content:?}: {refused:?}");
        assert!(
            stderr(&refused).contains(message),
            "{content:?}: {refused:?}"
        );
        fs::remove_file(&broken).unwrap();
        assert_only(scene.folder.path(), &["in.parquet"]);
    }
}

#[test]
fn an_output_that_was_there_is_left_alone() {
    let scene = scene();
    fs::write(&scene.output, "mine").unwrap();
    let refused = ran(&mut scoring(&scene.input, &scene.output, &["--restart"]));
    assert_eq!(refused.status.code(), Some(1), "{refused:?}");
    assert!(stderr(&refused).contains("exists"), "{refused:?}");
    assert_eq!(fs::read(&scene.output).unwrap(), b"mine");
}

#[test]
fn the_same_command_after_the_end_does_nothing_and_restart_does_it_again() {
    let scene = scene();
    succeeded(ran(&mut scoring(&scene.input, &scene.output, &[])));
    let modified = || scene.output.metadata().unwrap().modified().unwrap();
    let before = modified();
    let again = succeeded(ran(&mut scoring(&scene.input, &scene.output, &[])));
    assert!(stderr(&again).contains("nothing to do"), "{again:?}");
    assert_eq!(modified(), before);
    let anew = succeeded(ran(&mut scoring(
        &scene.input,
        &scene.output,
        &["--restart"],
    )));
    assert!(stdout(&anew).contains("600 rows"), "{anew:?}");
    assert_ne!(modified(), before);
}

#[test]
fn parts_of_work_that_is_over_are_not_taken_for_new_ones() {
    let scene = scene();
    let parts = parts_of(&scene.output);
    fs::create_dir(&parts).unwrap();
    fs::write(parts.join("part-00000.parquet"), "of another time").unwrap();
    succeeded(ran(&mut scoring(&scene.input, &scene.output, &[])));
    assert_eq!(ids(&scene.output), Vec::from_iter(0..600));
    // Killed after the output was there, before the parts were gone.
    fs::create_dir(&parts).unwrap();
    fs::write(parts.join("part-00000.parquet"), "of another time").unwrap();
    succeeded(ran(&mut scoring(&scene.input, &scene.output, &[])));
    assert!(!parts.exists());
}

#[test]
fn work_with_another_input_model_or_option_is_refused_and_says_what_differs() {
    let scene = scene();
    let mut plan = Command::new(NEZHA);
    plan.args(["score", "plan"])
        .arg(&scene.input)
        .arg("-o")
        .arg(&scene.output);
    plan.arg("--model").arg(model()).args(["--engine", "tract"]);
    succeeded(ran(&mut plan));
    let refused = |command: &mut Command, what: &str| {
        let refused = ran(command);
        assert_eq!(refused.status.code(), Some(1), "{what}: {refused:?}");
        let message = stderr(&refused);
        assert!(
            message.contains(what) && message.contains("planned with"),
            "{what}: {message}"
        );
        assert!(message.contains("--restart"), "{message}");
    };
    let run = |more: &[&str]| scoring(&scene.input, &scene.output, more);
    refused(&mut run(&["--max-length", "16"]), "the task");
    refused(&mut run(&["--keep", "id"]), "the kept columns");
    refused(&mut run(&["--part-rows", "100"]), "rows of a part");
    let other = exported("text/one-label");
    let mut command = score([
        scene.input.as_os_str(),
        OsStr::new("-o"),
        scene.output.as_os_str(),
    ]);
    refused(command.arg("--model").arg(other.path()), "the model's ");
    // The same rows, another text in one of them.
    let mut rows = texts(600);
    rows[300] = Some("另外".to_owned());
    parquet_file(&scene.input, &rows, 100);
    refused(&mut run(&[]), "in.parquet");
    succeeded(ran(&mut run(&["--restart"])));
}

#[test]
fn rows_that_change_after_the_plan_are_found_though_size_and_samples_are_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let [input, output] = ["in.csv", "out.csv"].map(|it| folder.path().join(it));
    let line = |row: usize| format!("{row:07},房间很干净，服务热情，下次还会住\n");
    let lines: String = (0..200_000).map(line).collect();
    fs::write(&input, format!("id,text\n{lines}")).unwrap();
    let mut plan = Command::new(NEZHA);
    plan.args(["score", "plan"])
        .arg(&input)
        .arg("-o")
        .arg(&output);
    plan.arg("--model").arg(model()).args(["--engine", "tract"]);
    succeeded(ran(&mut plan));
    let mut bytes = fs::read(&input).unwrap();
    // Between two samples: those are 64 kB each, at every 176 kB.
    let place = 120_000;
    let row = place + bytes[place..].iter().position(|it| *it == b'\n').unwrap() + 1;
    bytes[row] = b'9';
    fs::write(&input, bytes).unwrap();
    let mut part = Command::new(NEZHA);
    part.args(["score", "part"])
        .arg(&output)
        .args(["--parts", "0", "--progress", "none"]);
    let refused = ran(&mut part);
    assert_eq!(refused.status.code(), Some(1), "{refused:?}");
    assert!(
        stderr(&refused).contains("changed: the rows from byte 8 on"),
        "{refused:?}"
    );
}
