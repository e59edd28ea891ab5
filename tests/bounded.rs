//! One session, one thread on any core, and its memory back: counted in a process of its own, which this is.
//!
//! `cargo test --release --test bounded -- 1000` loads as often.
#![allow(
    clippy::print_stdout,
    reason = "it has no harness that would say what it found"
)]

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use nezha_exporter::checkpoint::{Checkpoint, OpenOptions};
use nezha_exporter::{ExportOptions, export};
use nezha_runtime::TextClassification;

/// Loads, where the arguments don't say how many.
const LOADS: usize = 15;

/// What the allocators may keep of them all, in kilobytes: less than two of the model.
const KEPT: u64 = 12 << 10;

fn main() {
    if !cfg!(target_os = "linux") {
        println!("threads and memory are counted in /proc, which is Linux's");
        return;
    }
    let loads = std::env::args().find_map(|it| it.parse().ok());
    let folder = tempfile::tempdir().unwrap();
    let checkpoint = testkit::repository("models/nezha-tiny-zh-sentiment");
    let checkpoint = Checkpoint::open(checkpoint, &OpenOptions::default()).unwrap();
    export(&checkpoint, folder.path(), &ExportOptions::default()).unwrap();
    drop(checkpoint);
    for engine in ["tract", "ort", "openvino"] {
        check(engine, folder.path(), loads.unwrap_or(LOADS));
    }
}

fn check(engine: &str, folder: &Path, loads: usize) {
    let allowed_cores = cores();
    let load = || {
        let classifier = TextClassification::builder().engine(engine).threads(1);
        let classifier = classifier.load(folder).unwrap_or_else(|error| {
            panic!(
                "{engine}: {error}; `cargo run --release -- setup` installs it, or with --openvino"
            )
        });
        assert_eq!(classifier.run(["房间很干净"]).unwrap().len(), 1);
        classifier
    };
    // Libraries start what they share at the first load: ONNX Runtime and OpenVINO a thread or two.
    let before = threads();
    let first = load();
    let started = threads() - before;
    assert!(
        engine != "tract" || started == 0,
        "tract started {started} threads"
    );
    let (before, second) = (threads(), load());
    let more = threads() - before;
    // OpenVINO has threads of its own that watch a stream, whatever it is asked for.
    let allowed = if engine == "openvino" { 2 } else { 0 };
    assert!(
        more <= allowed,
        "{engine} started {more} threads for a session of one"
    );
    let seen = cores_of_a_run(&first);
    assert_eq!(
        seen, allowed_cores,
        "{engine} binds a thread to fewer cores"
    );
    drop((first, second));
    for _ in 0..10 {
        load();
    }
    let before = resident();
    for _ in 0..loads {
        load();
    }
    let grown = resident().saturating_sub(before);
    println!(
        "{engine}: {started} threads at the first load and {more} at the next, {grown} kB more after {loads} loads"
    );
    assert!(grown < KEPT, "{engine} kept {grown} kB after {loads} loads");
}

fn threads() -> usize {
    std::fs::read_dir("/proc/self/task").unwrap().count()
}

/// The cores that threads may run on, each set once: one that is bound there stands in the way of what other sessions
/// and processes bound.
fn cores() -> BTreeSet<String> {
    let threads = std::fs::read_dir("/proc/self/task").unwrap();
    let allowed = threads.filter_map(|thread| {
        // It may have ended meanwhile.
        let status = std::fs::read_to_string(thread.ok()?.path().join("status")).ok()?;
        let line = status
            .lines()
            .find_map(|it| it.strip_prefix("Cpus_allowed_list:"));
        line.map(|it| it.trim().to_owned())
    });
    allowed.collect()
}

/// The cores that threads may run on while a run computes, looked at again and again.
fn cores_of_a_run(classifier: &TextClassification) -> BTreeSet<String> {
    let texts = ["房间很干净，服务热情，下次还会住。"; 200];
    let is_done = AtomicBool::new(false);
    thread::scope(|scope| {
        let seen = scope.spawn(|| {
            let mut seen = cores();
            while !is_done.load(Ordering::Relaxed) {
                seen.extend(cores());
            }
            seen
        });
        let answers = classifier.run(texts);
        is_done.store(true, Ordering::Relaxed);
        assert_eq!(answers.unwrap().len(), texts.len());
        seen.join().unwrap()
    })
}

/// Resident memory, in kilobytes.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|it| it.strip_prefix("VmRSS:"));
    let number = line.and_then(|it| it.split_whitespace().next());
    number.unwrap().parse().unwrap()
}
