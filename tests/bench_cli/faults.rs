//! What ends in the middle: stopped by hand, killed, out of memory.

use std::fs;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use super::{NEZHA, SHORT, artifact, json};

#[test]
fn what_is_finished_when_it_is_interrupted_is_printed_and_saved() {
    let folder = artifact("nezha-tiny-zh-sentiment");
    let saved = folder.path().join("saved.json");
    let model = folder.path().join("model.onnx");
    let child = Command::new(NEZHA)
        .arg("bench")
        .arg(&model)
        .args([
            "--engines",
            "tract",
            "--batch",
            "1",
            "--sequence",
            "8,9,10,11,12,13,14,15,16",
        ])
        .args([
            "--runs",
            "1000000",
            "--rounds",
            "1",
            "--seconds",
            "1",
            "--json",
        ])
        .arg(&saved)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .spawn()
        .unwrap();
    // The first shape takes 2 seconds at most, all of them 9 at least.
    thread::sleep(Duration::from_secs(5));
    // As a terminal does: every process of the group gets it.
    kill("-INT", &format!("-{}", child.id()));
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let message = String::from_utf8_lossy(&output.stderr);
    assert!(message.contains("stopped; without numbers:"), "{message}");
    let document = json(&fs::read(&saved).unwrap());
    let cells = document["cells"].as_array().unwrap();
    assert_eq!(cells.len(), 9);
    let finished = cells.iter().filter(|it| it["error"].is_null()).count();
    assert!(
        (1..9).contains(&finished),
        "{finished} of 9 are finished: {document}"
    );
    assert_eq!(cells[8]["error"], "stopped");
}

/// The cells of a saved benchmark: sequence, and the error where there is one.
fn saved_cells(saved: &Path) -> Vec<(u64, Option<String>)> {
    let document = json(&fs::read(saved).unwrap());
    let cells = document["cells"].as_array().unwrap();
    cells
        .iter()
        .map(|cell| {
            let measured = cell["measured"].is_object();
            let error = cell["error"].as_str().map(str::to_owned);
            assert_eq!(measured, error.is_none(), "{cell}");
            (cell["sequence"].as_u64().unwrap(), error)
        })
        .collect()
}

/// Scores of 65,536 by 65,536 tokens are 17 GB, the process may have 3.
#[test]
fn a_shape_that_memory_does_not_suffice_for_fails_alone_and_says_so() {
    let folder = artifact("nezha-tiny-zh-sentiment");
    let model = folder.path().join("model.onnx");
    for engine in ["ort", "tract"] {
        let saved = folder.path().join("saved.json");
        let output = Command::new("sh")
            .args([
                "-c",
                "ulimit -v 3000000 && exec \"$0\" \"$@\"",
                NEZHA,
                "bench",
            ])
            .arg(&model)
            .args(["--engines", engine, "--batch", "1", "--json"])
            .arg(&saved)
            .args(["--sequence", "8,65536,9"])
            .args(SHORT)
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        let message = String::from_utf8_lossy(&output.stderr);
        assert!(message.contains("1×65536: "), "{message}");
        assert!(String::from_utf8_lossy(&output.stdout).contains("1×9"));
        let cells = saved_cells(&saved);
        let [(8, None), (65536, Some(error)), (9, None)] = cells.as_slice() else {
            panic!("{engine}: {cells:?}\n{message}");
        };
        assert!(error.starts_with("out of memory: "), "{engine}: {error}");
    }
}

#[test]
fn a_worker_that_is_killed_loses_its_shape_and_no_other() {
    let folder = artifact("nezha-tiny-zh-sentiment");
    let saved = folder.path().join("saved.json");
    let scratch = folder.path().join("scratch");
    fs::create_dir(&scratch).unwrap();
    let bench = Command::new(NEZHA)
        .arg("bench")
        .arg(folder.path().join("model.onnx"))
        .args(["--engines", "tract", "--batch", "1", "--sequence", "8,9"])
        .args(["--runs", "1000000", "--rounds", "1", "--seconds", "4"])
        .arg("--json")
        .arg(&saved)
        .env("TMPDIR", &scratch)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let worker = child_of(bench.id());
    wait_for(|| has_answered(&scratch).then_some(()), "an answer");
    kill("-KILL", &worker.to_string());
    let output = bench.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let message = String::from_utf8_lossy(&output.stderr);
    let cells = saved_cells(&saved);
    let [(8, Some(error)), (9, None)] = cells.as_slice() else {
        panic!("{cells:?}\n{message}");
    };
    assert!(error.contains("killed by signal 9"), "{error}");
    assert!(
        message.contains("1×8: the process was killed by signal 9"),
        "{message}"
    );
}

/// The first process that another one has started, as soon as there is one.
fn child_of(process: u32) -> u32 {
    let file = format!("/proc/{process}/task/{process}/children");
    let first = || {
        let children = fs::read_to_string(&file).unwrap();
        children.split_whitespace().next()?.parse().ok()
    };
    wait_for(first, &file)
}

/// Whether a worker has written its first answer: it is in the warm-up of a shape, or later.
fn has_answered(scratch: &Path) -> bool {
    let folders = fs::read_dir(scratch).unwrap().flatten();
    folders
        .map(|it| it.path().join("0.safetensors"))
        .any(|it| it.exists())
}

fn wait_for<T>(found: impl Fn() -> Option<T>, what: &str) -> T {
    let begin = Instant::now();
    while begin.elapsed() < Duration::from_mins(1) {
        if let Some(found) = found() {
            return found;
        }
        thread::sleep(Duration::from_millis(20));
    }
    panic!("waited in vain for {what}");
}

fn kill(signal: &str, process: &str) {
    let killed = Command::new("kill").args([signal, "--", process]).status();
    assert!(killed.unwrap().success(), "kill {signal} {process}");
}
