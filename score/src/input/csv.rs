use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::{ArrayRef, LargeStringArray, StringArray, StringViewArray};
use arrow_schema::{DataType, Field, Schema};
use csv::{ByteRecord, Reader, ReaderBuilder};

use super::chunks::Chunks;
use super::stream::open_at;
use super::{ChunkLimit, Columns, Source, Surveyed, Table, Wanted, batch, changed};
use crate::digest::RowDigest;
use crate::plan::Part;
use crate::scorer::Cell;
use crate::{Format, ScoreError};

type Rows = Reader<Box<dyn Read + Send>>;

/// Reads the whole file, because a quoted value may contain line breaks: only this tells where rows
/// start.
pub(super) fn survey(
    path: &Path,
    format: Format,
    limit: ChunkLimit,
) -> Result<Surveyed, ScoreError> {
    let mut rows = reader(open_at(path, format.compression, 0)?, format, true);
    let headers = rows.headers().map_err(|it| content(path, &it))?.clone();
    let mut chunks = Chunks::new(limit);
    let mut record = ByteRecord::new();
    loop {
        let start = rows.position().byte();
        let there = rows.read_byte_record(&mut record);
        if !there.map_err(|it| content(path, &it))? {
            break;
        }
        chunks.row(start, rows.position().byte() - start);
        for (value, name) in record.iter().zip(&headers) {
            if std::str::from_utf8(value).is_err() {
                let line = record.position().map_or(0, csv::Position::line);
                let reason = format!("line {line}: '{name}' is not UTF-8");
                return Err(ScoreError::Content {
                    path: path.to_owned(),
                    reason,
                });
            }
            chunks.value(value);
        }
    }
    let fields = headers
        .iter()
        .map(|name| Field::new(name, DataType::Utf8, true));
    Ok(Surveyed {
        columns: Columns::Typed(Schema::new(fields.collect::<Vec<_>>())),
        chunks: chunks.finish(),
    })
}

fn reader(from: Box<dyn Read + Send>, format: Format, headers: bool) -> Rows {
    ReaderBuilder::new()
        .delimiter(format.kind.delimiter())
        .has_headers(headers)
        .flexible(!headers)
        .buffer_capacity(1 << 18)
        .from_reader(from)
}

fn content(path: &Path, error: &csv::Error) -> ScoreError {
    ScoreError::Content {
        path: path.to_owned(),
        reason: error.to_string(),
    }
}

/// A file of rows with separated values.
pub(super) struct CsvSource {
    path: PathBuf,
    format: Format,
    headers: Vec<String>,
    /// The byte at which the file was opened, and the reader from there on.
    current: Option<(u64, Rows)>,
}

impl CsvSource {
    /// Creates the source without reading.
    pub(super) fn new(path: &Path, format: Format) -> Self {
        Self {
            path: path.to_owned(),
            format,
            headers: Vec::new(),
            current: None,
        }
    }

    fn read_headers(&mut self) -> Result<(), ScoreError> {
        let from = open_at(&self.path, self.format.compression, 0)?;
        let mut rows = reader(from, self.format, true);
        let headers = rows.headers().map_err(|it| content(&self.path, &it))?;
        self.headers = headers.iter().map(str::to_owned).collect();
        Ok(())
    }

    /// The rows from this byte on: from the open reader if it is there, or else the file is opened
    /// there.
    fn rows_at(&mut self, start: u64) -> Result<&mut Rows, ScoreError> {
        let there = |(base, rows): &(u64, Rows)| base + rows.position().byte() == start;
        if !self.current.as_ref().is_some_and(there) {
            let from = open_at(&self.path, self.format.compression, start)?;
            self.current = Some((start, reader(from, self.format, false)));
        }
        match &mut self.current {
            Some((_, rows)) => Ok(rows),
            None => Err(changed(&self.path, "no rows")),
        }
    }

    /// The values of a part, row by row.
    fn records(&mut self, part: &Part) -> Result<Vec<Vec<String>>, ScoreError> {
        let path = self.path.clone();
        let rows = self.rows_at(part.start)?;
        let (mut records, mut record) = (Vec::with_capacity(part.rows), ByteRecord::new());
        let mut digest = RowDigest::default();
        while records.len() < part.rows {
            let there = rows.read_byte_record(&mut record);
            if !there.map_err(|it| content(&path, &it))? {
                break;
            }
            record.iter().for_each(|value| digest.add(value));
            let text = |value| String::from_utf8_lossy(value).into_owned();
            records.push(record.iter().map(text).collect());
        }
        match part.digest.as_deref() == Some(digest.finish().as_str()) {
            true => Ok(records),
            false => Err(changed(
                &path,
                format_args!("the rows from byte {} on", part.start),
            )),
        }
    }
}

impl Source for CsvSource {
    fn read(&mut self, part: &Part, wanted: &Wanted) -> Result<Table, ScoreError> {
        if self.headers.is_empty() {
            self.read_headers()?;
        }
        let records = self.records(part)?;
        let column = |name: &str| {
            let at = self.headers.iter().position(|header| header == name);
            let at = at.unwrap_or(usize::MAX);
            records
                .iter()
                .map(move |row| row.get(at).map(String::as_str))
        };
        let kept = wanted.kept.fields().iter();
        let columns = kept.map(|field| -> ArrayRef {
            let values = column(field.name());
            match field.data_type() {
                DataType::LargeUtf8 => Arc::new(values.collect::<LargeStringArray>()),
                DataType::Utf8View => Arc::new(values.collect::<StringViewArray>()),
                _ => Arc::new(values.collect::<StringArray>()),
            }
        });
        let columns = columns.collect();
        let cells = |name: &String| {
            let cells = column(name).map(|text| -> Cell { Ok(text.map(str::to_owned)) });
            cells.collect()
        };
        Ok(Table {
            texts: wanted.texts.iter().map(cells).collect(),
            columns: batch(wanted.kept.clone(), columns, part.rows)?,
        })
    }
}
