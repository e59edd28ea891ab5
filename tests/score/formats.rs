//! What goes in and comes out: Parquet, CSV, TSV, JSON lines, around them gzip and Zstandard.

use arrow_array::types::{Int32Type, TimestampMillisecondType};
use arrow_array::{
    Array, BooleanArray, Date32Array, DictionaryArray, Float64Array, ListArray, StringViewArray,
    TimestampMillisecondArray,
};
use testkit::command::stderr;

use super::*;

/// Scores, and gives the output's text.
fn scored(input: &Path, output: &Path, more: &[&str]) -> String {
    succeeded(ran(&mut scoring(input, output, more)));
    fs::read_to_string(output).unwrap()
}

/// The first columns of each line of CSV, read as CSV.
fn csv_rows(path: &Path, columns: usize) -> Vec<Vec<String>> {
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .from_path(path)
        .unwrap();
    let rows = reader.records().map(|row| {
        let row = row.unwrap();
        row.iter().take(columns).map(str::to_owned).collect()
    });
    rows.collect()
}

#[test]
fn csv_keeps_quoted_lines_a_byte_order_mark_and_leading_zeros() {
    let folder = tempfile::tempdir().unwrap();
    let [input, output] = ["in.csv", "out.csv"].map(|it| folder.path().join(it));
    let mut text = "\u{feff}id,text,n\r\n".to_owned();
    for row in 0..40 {
        text.push_str(&format!("{row:03},\"很好，\n\"\"{row}\"\"\",\r\n"));
    }
    fs::write(&input, text).unwrap();
    scored(&input, &output, &["--part-rows", "7"]);
    let rows = csv_rows(&output, 4);
    assert_eq!(rows.len(), 41);
    assert_eq!(rows[0], ["id", "text", "n", "label"]);
    for (row, found) in rows[1..].iter().enumerate() {
        assert_eq!(found[0], format!("{row:03}"));
        assert_eq!(found[1], format!("很好，\n\"{row}\""));
        assert_eq!(found[2], "");
        assert!(found[3].starts_with("LABEL_"), "{found:?}");
    }
}

#[test]
fn every_kind_and_compression_comes_to_the_same_answers() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    json_file(&path("a.jsonl"), &texts(300));
    let endings = [
        "csv",
        "tsv",
        "jsonl.gz",
        "jsonl.zst",
        "csv.gz",
        "tsv.zst",
        "parquet",
    ];
    let more = ["--part-rows", "64", "--keep", "id,text"];
    scored(&path("a.jsonl"), &path("expected.csv"), &more);
    for ending in endings {
        // There and back: the kept columns of one output are the input of the next.
        let (there, back) = (
            path(&format!("b.{ending}")),
            path(&format!("c-{ending}.csv")),
        );
        let prefixed = [&more[..], &["--prefix", "first_"]].concat();
        succeeded(ran(&mut scoring(&path("a.jsonl"), &there, &prefixed)));
        scored(&there, &back, &more);
        let [expected, found] = [&path("expected.csv"), &back].map(|it| csv_rows(it, 9));
        assert_eq!(expected.len(), found.len(), "{ending}");
        for (expected, found) in expected.iter().zip(&found) {
            assert_eq!(expected, found, "{ending}");
        }
    }
}

#[test]
fn globs_and_several_inputs_keep_the_order_of_files_and_rows() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["b", "a", "c"] {
        let row = format!("{{\"name\":\"{name}\",\"text\":\"很好\"}}\n");
        fs::write(folder.path().join(format!("{name}.jsonl")), row.repeat(3)).unwrap();
    }
    let output = folder.path().join("out.csv");
    let more = ["--keep", "name", "--row-index", "row", "--part-rows", "2"];
    scored(&folder.path().join("*.jsonl"), &output, &more);
    let found: Vec<String> = csv_rows(&output, 2).iter().map(|it| it.concat()).collect();
    let expected = [
        "namerow", "a0", "a1", "a2", "b3", "b4", "b5", "c6", "c7", "c8",
    ];
    assert_eq!(found, expected);
}

#[test]
fn parquet_and_json_lines_together_have_the_types_of_parquet() {
    let folder = tempfile::tempdir().unwrap();
    let [parquet, json, output] =
        ["a.parquet", "b.jsonl", "out.parquet"].map(|it| folder.path().join(it));
    parquet_file(&parquet, &texts(10), 10);
    fs::write(&json, "{\"text\":\"很好\",\"id\":10}\n{\"id\":11}\n").unwrap();
    let mut command = scoring(&parquet, &output, &[]);
    succeeded(ran(command.arg(&json)));
    assert_eq!(ids(&output), Vec::from_iter(0..12));
    fs::write(&json, "{\"text\":\"很好\",\"id\":\"ten\"}\n").unwrap();
    let mut command = scoring(&parquet, &folder.path().join("other.parquet"), &[]);
    let refused = ran(command.arg(&json));
    assert_eq!(refused.status.code(), Some(1));
    assert!(stderr(&refused).contains("the field 'id' has Utf8 values, in other inputs Int64"));
}

#[test]
fn parquet_columns_of_any_type_are_kept_and_written_as_text_where_asked() {
    let folder = tempfile::tempdir().unwrap();
    let [input, parquet, json] =
        ["in.parquet", "out.parquet", "out.jsonl"].map(|it| folder.path().join(it));
    let dictionary: DictionaryArray<Int32Type> =
        vec![Some("很好"), None, Some("差")].into_iter().collect();
    let lists = ListArray::from_iter_primitive::<Int32Type, _, _>([
        Some(vec![Some(1), None]),
        None,
        Some(vec![]),
    ]);
    let times = TimestampMillisecondArray::from(vec![Some(0), None, Some(1_764_300_000_123)]);
    let columns: [(&str, arrow_array::ArrayRef); 6] = [
        ("text", Arc::new(dictionary)),
        (
            "view",
            Arc::new(StringViewArray::from(vec![
                "a",
                "b",
                "a long text that is not inline",
            ])),
        ),
        ("list", Arc::new(lists)),
        ("time", Arc::new(times)),
        ("day", Arc::new(Date32Array::from(vec![0, 1, 20_000]))),
        (
            "number",
            Arc::new(Float64Array::from(vec![0.1, -1e300, 3.0])),
        ),
    ];
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let file = File::create(&input).unwrap();
    let mut writer = ArrowWriter::try_new(file, batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();

    succeeded(ran(&mut scoring(&input, &parquet, &[])));
    let out = &parquet_rows(&parquet)[0];
    for (field, column) in batch.schema().fields().iter().zip(batch.columns()) {
        let found = out.column_by_name(field.name()).unwrap();
        assert_eq!(found.data_type(), field.data_type(), "{}", field.name());
        assert_eq!(found, column, "{}", field.name());
    }
    let truncated: &BooleanArray = out.column_by_name("truncated").unwrap().as_boolean();
    assert_eq!(truncated.null_count(), 0);

    succeeded(ran(&mut scoring(&input, &json, &[])));
    let rows = json_rows(&json);
    let found = rows[2].to_string();
    let expected = r#"{"text":"差","view":"a long text that is not inline","list":[],"time":"2025-11-28T03:20:00.123","day":"2024-10-04","number":3.0,"label":"#;
    assert!(found.starts_with(expected), "{found}");
    assert_eq!(rows[0]["list"], serde_json::json!([1, null]));
    let _: &arrow_array::PrimitiveArray<TimestampMillisecondType> =
        out.column_by_name("time").unwrap().as_primitive();
}

#[test]
fn row_groups_of_one_row_and_parts_across_row_groups_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let rows = texts(100);
    let outputs = [1, 7, 100].map(|group| {
        let input = folder.path().join(format!("in-{group}.parquet"));
        parquet_file(&input, &rows, group);
        let output = folder.path().join(format!("{group}.csv"));
        scored(&input, &output, &["--part-rows", "30"]);
        output
    });
    assert_same(&outputs[0], &outputs[2]);
    assert_same(&outputs[1], &outputs[2]);
}

#[test]
fn a_folder_appears_whole_with_a_file_for_each_part() {
    let folder = tempfile::tempdir().unwrap();
    let input = folder.path().join("in.parquet");
    parquet_file(&input, &texts(100), 100);
    let output = folder.path().join("scored");
    succeeded(ran(&mut scoring(&input, &output, &["--part-rows", "40"])));
    let parts = [
        "part-00000.parquet",
        "part-00001.parquet",
        "part-00002.parquet",
    ];
    assert_only(
        &output,
        &[&parts[..], &["_SUCCESS", "_nezha.json"]].concat(),
    );
    let found: Vec<i64> = parts.iter().flat_map(|it| ids(&output.join(it))).collect();
    assert_eq!(found, Vec::from_iter(0..100));
    assert!(!parts_of(&output).exists());

    let other = folder.path().join("other");
    succeeded(ran(&mut scoring(
        &input,
        &other,
        &["--part-rows", "40", "--format", "jsonl.gz"],
    )));
    assert!(other.join("part-00002.jsonl.gz").exists());
}
