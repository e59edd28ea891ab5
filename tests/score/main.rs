//! `nezha score`: every row comes out, once, in its place, with the answer that it has alone; whatever
//! happens meanwhile.
#![allow(clippy::disallowed_methods, reason = "a test writes its inputs")]

mod answers;
mod formats;
mod interrupted;
mod refusals;
mod stream;
mod workers;

use std::ffi::OsStr;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::{Arc, OnceLock};

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{Int64Array, RecordBatch, StringArray};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::file::properties::WriterProperties;
use serde_json::Value;
use tempfile::TempDir;
use testkit::command::succeeded;
use testkit::fixture_folder;

const NEZHA: &str = env!("CARGO_BIN_EXE_nezha");

/// A model of two small layers and three labels, exported once for all tests.
fn model() -> &'static Path {
    static MODEL: OnceLock<TempDir> = OnceLock::new();
    let exported = MODEL.get_or_init(|| exported("text/three-labels"));
    exported.path()
}

/// A fixture's checkpoint as a model.
fn exported(fixture: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let mut export = Command::new(NEZHA);
    export.arg("export").arg(fixture_folder(fixture));
    succeeded(export.arg("-o").arg(folder.path()).output().unwrap());
    folder
}

/// `nezha score` with these arguments, in tract.
fn score<A: AsRef<OsStr>>(arguments: impl IntoIterator<Item = A>) -> Command {
    let mut command = Command::new(NEZHA);
    command.arg("score").args(arguments);
    command.args(["--engine", "tract", "--threads", "1", "--progress", "none"]);
    command
}

/// `nezha score INPUT -o OUTPUT` with the model of three labels.
fn scoring(input: &Path, output: &Path, more: &[&str]) -> Command {
    let mut command = score([input.as_os_str(), OsStr::new("-o"), output.as_os_str()]);
    command.arg("--model").arg(model()).args(more);
    command
}

fn ran(command: &mut Command) -> Output {
    command.output().unwrap()
}

/// Texts of all kinds: short, long, the same, empty, blank, none.
fn texts(rows: usize) -> Vec<Option<String>> {
    let text = |row: usize| match row % 50 {
        7 => None,
        13 => Some(String::new()),
        19 => Some(" \t".to_owned()),
        23 => Some("这家酒店的位置很好，".repeat(80)),
        29 => Some("同样的话".to_owned()),
        31 => Some("换\n行，\"引号\"".to_owned()),
        _ => Some(format!("第{row}条：房间{}", "很干净".repeat(row % 4))),
    };
    (0..rows).map(text).collect()
}

/// A Parquet file with the columns `id` and `text`, in row groups of so many rows.
fn parquet_file(path: &Path, texts: &[Option<String>], group: usize) {
    let ids = Int64Array::from_iter_values(0..texts.len() as i64);
    let texts = StringArray::from_iter(texts.iter().map(Option::as_deref));
    let batch = RecordBatch::try_from_iter_with_nullable([
        ("id", Arc::new(ids) as _, false),
        ("text", Arc::new(texts) as _, true),
    ]);
    let batch = batch.unwrap();
    let properties = WriterProperties::builder().set_max_row_group_row_count(Some(group));
    let file = File::create(path).unwrap();
    let mut writer = ArrowWriter::try_new(file, batch.schema(), Some(properties.build())).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
}

/// A file of JSON lines with the fields `id` and `text`.
fn json_file(path: &Path, texts: &[Option<String>]) {
    let line = |(id, text): (usize, &Option<String>)| serde_json::json!({"id": id, "text": text});
    let lines = texts.iter().enumerate().map(line);
    let lines: Vec<String> = lines.map(|it| it.to_string()).collect();
    fs::write(path, lines.join("\n")).unwrap();
}

/// The rows of a Parquet file.
fn parquet_rows(path: &Path) -> Vec<RecordBatch> {
    let file = File::open(path).unwrap_or_else(|it| panic!("{}: {it}", path.display()));
    let reader = ParquetRecordBatchReaderBuilder::try_new(file).unwrap();
    reader.build().unwrap().collect::<Result<_, _>>().unwrap()
}

/// The column `id` of a Parquet file.
fn ids(path: &Path) -> Vec<i64> {
    let batches = parquet_rows(path);
    let of_batch = |it: &RecordBatch| {
        let column = it.column_by_name("id").unwrap();
        column.as_primitive::<Int64Type>().values().to_vec()
    };
    batches.iter().flat_map(of_batch).collect()
}

/// The objects of a file of JSON lines.
fn json_rows(path: &Path) -> Vec<Value> {
    let text = fs::read_to_string(path).unwrap_or_else(|it| panic!("{}: {it}", path.display()));
    let lines = text.lines().map(serde_json::from_str);
    lines.collect::<Result<_, _>>().unwrap()
}

/// Fails unless both files have the same bytes.
#[track_caller]
fn assert_same(one: &Path, other: &Path) {
    let [one_bytes, other_bytes] = [one, other].map(|it| fs::read(it).unwrap());
    assert_eq!(
        one_bytes.len(),
        other_bytes.len(),
        "bytes of {} and {}",
        one.display(),
        other.display()
    );
    let at = one_bytes.iter().zip(&other_bytes).position(|(a, b)| a != b);
    assert_eq!(
        at,
        None,
        "the first byte that differs in {} and {}",
        one.display(),
        other.display()
    );
}

/// Fails unless nothing but these names is in a folder.
#[track_caller]
fn assert_only(folder: &Path, expected: &[&str]) {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<String> = entries
        .map(|it| it.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    let mut expected = expected.to_vec();
    expected.sort_unstable();
    assert_eq!(names, expected, "in {}", folder.display());
}

/// The folder that an output is worked on in.
fn parts_of(output: &Path) -> PathBuf {
    let mut name = output.file_name().unwrap().to_owned();
    name.push(".parts");
    output.with_file_name(name)
}
