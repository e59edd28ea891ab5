//! `nezha score --stream`: Arrow in, Arrow out.

use std::io::{Read, Write};
use std::process::Stdio;

use arrow_array::Array;
use arrow_ipc::reader::StreamReader;
use arrow_ipc::writer::StreamWriter;
use testkit::command::stderr;

use super::*;

fn streaming(more: &[&str]) -> Command {
    let mut command = Command::new(NEZHA);
    command.args([
        "score",
        "--stream",
        "--engine",
        "tract",
        "--threads",
        "1",
        "--model",
    ]);
    command.arg(model()).args(more);
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

fn batch(ids: std::ops::Range<i64>) -> RecordBatch {
    let rows = texts(ids.end as usize);
    let of_batch = &rows[ids.start as usize..];
    let text = StringArray::from_iter(of_batch.iter().map(Option::as_deref));
    let id = Int64Array::from_iter_values(ids);
    let columns = [
        ("id", Arc::new(id) as _, false),
        ("text", Arc::new(text) as _, true),
    ];
    RecordBatch::try_from_iter_with_nullable(columns).unwrap()
}

#[test]
fn each_batch_comes_back_with_its_answers_before_the_next_is_sent() {
    let mut child = streaming(&["--prefix", "nezha_"]).spawn().unwrap();
    let first = batch(0..50);
    let mut writer = StreamWriter::try_new(child.stdin.take().unwrap(), &first.schema()).unwrap();
    let mut reader = None;
    for range in [0..50, 50..50, 50..1500] {
        let sent = batch(range);
        writer.write(&sent).unwrap();
        writer.flush().unwrap();
        let reader = reader.get_or_insert_with(|| {
            StreamReader::try_new(child.stdout.take().unwrap(), None).unwrap()
        });
        let got = reader.next().unwrap().unwrap();
        assert_eq!(got.num_rows(), sent.num_rows());
        assert_eq!(got.column_by_name("id"), sent.column_by_name("id"));
        assert_eq!(got.column_by_name("text"), sent.column_by_name("text"));
        let labels = got.column_by_name("nezha_label").unwrap();
        for row in 0..got.num_rows() {
            let text: &StringArray = sent.column_by_name("text").unwrap().as_string();
            let has_text = !text.is_null(row) && !text.value(row).trim().is_empty();
            assert_eq!(labels.is_valid(row), has_text, "row {row}");
        }
    }
    writer.finish().unwrap();
    drop(writer);
    assert!(reader.unwrap().next().is_none());
    assert!(child.wait().unwrap().success());
}

#[test]
fn a_stream_that_is_none_or_lacks_the_column_is_an_error() {
    let mut child = streaming(&[]).spawn().unwrap();
    let _ = child.stdin.take().unwrap().write_all(b"id,text\n1,a\n");
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{output:?}");

    let mut child = streaming(&["--column", "review"]).spawn().unwrap();
    let mut writer =
        StreamWriter::try_new(child.stdin.take().unwrap(), &batch(0..1).schema()).unwrap();
    let _ = writer.finish();
    drop(writer);
    let mut text = Vec::new();
    child.stdout.take().unwrap().read_to_end(&mut text).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(
        stderr(&output).contains("no column 'review'; there are id, text"),
        "{output:?}"
    );
}
