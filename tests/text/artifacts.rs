//! Exported checkpoints, each exported once.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, LazyLock, Mutex, OnceLock, PoisonError};

use nezha_exporter::checkpoint::{Checkpoint, OpenOptions};
use nezha_exporter::{ExportOptions, Heads, export};
use nezha_graphs::{Head, Precision};
use nezha_runtime::task::Task;
use nezha_runtime::{EngineKind, Pipeline};
use serde::de::DeserializeOwned;
use tempfile::TempDir;
use testkit::{fixture_folder, repository};

/// A file of `tests/fixtures/text`.
pub(crate) fn fixture(name: &str) -> PathBuf {
    fixture_folder("text").join(name)
}

/// The content of a JSON file of `tests/fixtures/text`.
pub(crate) fn document<T: DeserializeOwned>(name: &str) -> T {
    let path = fixture(name);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// The content of a JSON file of `tests/fixtures/text`, a list.
pub(crate) fn json(name: &str) -> Vec<serde_json::Value> {
    let list: Vec<_> = document(name);
    assert!(!list.is_empty(), "{name}: nothing in it");
    list
}

/// The texts of `tests/fixtures/text/lines.json`.
pub(crate) fn lines() -> Vec<String> {
    let lines = json("lines.json").into_iter();
    lines
        .map(|it| it.as_str().expect("a text").to_owned())
        .collect()
}

/// A checkpoint's folder: a bundled one, or a tiny one of the fixtures.
pub(crate) fn checkpoint(model: &str) -> PathBuf {
    let bundled = repository("models").join(model);
    if bundled.is_dir() {
        bundled
    } else {
        fixture(model)
    }
}

/// The folder that a checkpoint was exported to as one head, in single precision.
pub(crate) fn exported(model: &str, head: Head) -> PathBuf {
    exported_in(Precision::Fp32, model, head)
}

/// The folder that a checkpoint was exported to as one head.
pub(crate) fn exported_in(precision: Precision, model: &str, head: Head) -> PathBuf {
    type Key = (Precision, String, Head);
    static FOLDER: LazyLock<TempDir> = LazyLock::new(|| TempDir::new().unwrap());
    static DONE: LazyLock<Mutex<HashMap<Key, Arc<OnceLock<PathBuf>>>>> =
        LazyLock::new(Mutex::default);
    // A test waits for the one that exports the same, and for no other.
    let of_all = || DONE.lock().unwrap_or_else(PoisonError::into_inner);
    let key = (precision, model.to_owned(), head);
    let done = of_all().entry(key).or_default().clone();
    let export = || {
        let context = format!("{model}, {head}, {precision}");
        let source = Checkpoint::open(checkpoint(model), &OpenOptions::default())
            .unwrap_or_else(|error| panic!("{context}: {error}"));
        let target = FOLDER.path().join(format!("{model}-{head}-{precision}"));
        let options = ExportOptions::default()
            .heads(Heads::Named(vec![head]))
            .precisions(vec![precision]);
        export(&source, &target, &options).unwrap_or_else(|error| panic!("{context}: {error}"));
        target
    };
    done.get_or_init(export).clone()
}

/// A pipeline over a checkpoint exported in single precision.
pub(crate) fn pipeline<T: Task>(
    model: &str,
    head: Head,
    engine: EngineKind,
    options: T::Options,
) -> Pipeline<T> {
    pipeline_in(Precision::Fp32, model, head, engine, options)
}

/// A pipeline over an exported checkpoint.
pub(crate) fn pipeline_in<T: Task>(
    precision: Precision,
    model: &str,
    head: Head,
    engine: EngineKind,
    options: T::Options,
) -> Pipeline<T> {
    Pipeline::builder()
        .engine(engine)
        .threads(1)
        .options(options)
        .load(exported_in(precision, model, head))
        .unwrap_or_else(|error| panic!("{model}, {head}, {engine}: {error}"))
}
