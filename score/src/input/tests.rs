//! Random files are divided into parts: every row is in exactly one part, at its place.
#![allow(clippy::disallowed_methods, reason = "a test writes its inputs")]

use std::fs::{self, File};
use std::sync::Arc;

use arrow_array::{Int64Array, RecordBatch, StringArray};
use arrow_schema::Schema;
use parquet::arrow::ArrowWriter;
use parquet::file::properties::WriterProperties;
use proptest::prelude::*;
use proptest::test_runner::{Config, FileFailurePersistence, RngSeed, TestCaseError, TestRunner};

use super::{Chunk, ChunkLimit, Wanted, open, survey};
use crate::plan::Part;
use crate::{Compression, Format, ScoreError};

const REGRESSIONS: &str = "src/input/tests.regressions";

/// Texts that make it hard to find the end of a row.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        Just(String::new()),
        Just("\n".to_owned()),
        Just("\"a\r\n\",\t\\".to_owned()),
        "[房间很干净a ]{0,12}",
    ]
}

#[derive(Clone, Copy, Debug)]
enum Ending {
    Parquet(usize),
    Csv,
    TsvGz,
    Json,
    JsonZst,
}

fn ending() -> impl Strategy<Value = Ending> {
    prop_oneof![
        (1..20_usize).prop_map(Ending::Parquet),
        Just(Ending::Csv),
        Just(Ending::TsvGz),
        Just(Ending::Json),
        Just(Ending::JsonZst),
    ]
}

fn file(folder: &std::path::Path, ending: Ending, texts: &[String]) -> std::path::PathBuf {
    let name = match ending {
        Ending::Parquet(_) => "rows.parquet",
        Ending::Csv => "rows.csv",
        Ending::TsvGz => "rows.tsv.gz",
        Ending::Json => "rows.jsonl",
        Ending::JsonZst => "rows.jsonl.zst",
    };
    let path = folder.join(name);
    let format = Format::of(&path).unwrap();
    let bytes = match ending {
        Ending::Parquet(group) => {
            let ids = Int64Array::from_iter_values(0..texts.len() as i64);
            let texts = StringArray::from_iter_values(texts);
            let columns = [("id", Arc::new(ids) as _), ("text", Arc::new(texts) as _)];
            let batch = RecordBatch::try_from_iter(columns).unwrap();
            let properties = WriterProperties::builder().set_max_row_group_row_count(Some(group));
            let mut writer =
                ArrowWriter::try_new(Vec::new(), batch.schema(), Some(properties.build())).unwrap();
            writer.write(&batch).unwrap();
            writer.into_inner().unwrap()
        }
        Ending::Csv | Ending::TsvGz => {
            let mut writer = csv::WriterBuilder::new()
                .delimiter(format.kind.delimiter())
                .terminator(csv::Terminator::CRLF)
                .from_writer(Vec::new());
            writer.write_record(["id", "text"]).unwrap();
            for (id, text) in texts.iter().enumerate() {
                writer.write_record([&id.to_string(), text]).unwrap();
            }
            writer.into_inner().unwrap()
        }
        Ending::Json | Ending::JsonZst => {
            let line = |(id, text)| serde_json::json!({"id": id, "text": text}).to_string();
            let lines: Vec<String> = texts.iter().enumerate().map(line).collect();
            lines.join("\n\n").into_bytes()
        }
    };
    let mut out = File::create(&path).unwrap();
    let written = format.compression.around(
        &mut out,
        |out| out.write_all(&bytes).map_err(ScoreError::write(&path)),
        |error| panic!("{error}"),
    );
    written.unwrap();
    assert!(format.compression == Compression::None || fs::read(&path).unwrap() != bytes);
    path
}

fn parts(chunks: Vec<Chunk>) -> Vec<Part> {
    let part = |chunk: Chunk| Part {
        input: 0,
        rows: chunk.rows,
        start: chunk.start,
        digest: chunk.digest,
    };
    chunks.into_iter().map(part).collect()
}

#[test]
fn the_parts_of_any_file_have_every_row_once_and_each_part_alone_has_its_own() {
    let cases = (
        prop::collection::vec(text(), 1..60),
        ending(),
        1..25_usize,
        1..400_u64,
        any::<prop::sample::Index>(),
    );
    let mut runner = TestRunner::new(Config {
        cases: 300,
        rng_seed: RngSeed::Fixed(0),
        failure_persistence: Some(Box::new(FileFailurePersistence::Direct(REGRESSIONS))),
        ..Config::default()
    });
    let tested = runner.run(&cases, |(texts, ending, rows, bytes, alone)| {
        let folder = tempfile::tempdir().unwrap();
        let path = file(folder.path(), ending, &texts);
        let format = Format::of(&path).unwrap();
        let answer = 4;
        let limit = ChunkLimit {
            rows,
            bytes,
            answer,
        };
        let parts = parts(survey(&path, format, limit).unwrap().chunks);
        prop_assert!(parts.iter().all(|it| (1..=rows).contains(&it.rows)));
        let wanted = Wanted {
            texts: vec!["text".to_owned()],
            kept: Arc::new(Schema::empty()),
            line_fields: None,
        };
        let expected: Vec<Option<String>> = texts.into_iter().map(Some).collect();
        let read = |parts: &[Part]| -> Result<Vec<Option<String>>, TestCaseError> {
            let mut source = open(&path, format, false).unwrap();
            let mut found = Vec::new();
            for part in parts {
                let table = source.read(part, &wanted).unwrap();
                prop_assert_eq!(table.columns.num_rows(), part.rows);
                let cells = table.texts.into_iter().flatten();
                found.extend(cells.map(|it| it.unwrap()));
            }
            Ok(found)
        };
        prop_assert_eq!(&read(&parts)?, &expected);
        let number = alone.index(parts.len());
        let before: usize = parts[..number].iter().map(|it| it.rows).sum();
        let part = &parts[number];
        prop_assert_eq!(
            &read(std::slice::from_ref(part))?,
            &expected[before..before + part.rows]
        );
        Ok(())
    });
    tested.unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn a_file_without_rows_has_no_parts() {
    let folder = tempfile::tempdir().unwrap();
    let path = file(folder.path(), Ending::Parquet(1), &[]);
    let limit = ChunkLimit {
        rows: 5,
        bytes: 100,
        answer: 1,
    };
    let format = Format::of(&path).unwrap();
    assert!(survey(&path, format, limit).unwrap().chunks.is_empty());
}
