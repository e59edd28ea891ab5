use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::builder::{
    ArrayBuilder, BooleanBuilder, LargeStringBuilder, PrimitiveBuilder, StringBuilder,
    StringViewBuilder,
};
use arrow_array::types::{
    ArrowPrimitiveType, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
    UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arrow_array::{ArrayRef, StringArray};
use arrow_schema::{DataType, Field};

use super::chunks::Chunks;
use super::stream::Lines;
use super::{
    ChunkLimit, Columns, Inferred, Object, Source, Surveyed, Table, Wanted, batch, changed,
};
use crate::digest::RowDigest;
use crate::plan::Part;
use crate::scorer::Cell;
use crate::{Format, ScoreError};

/// Reads the whole file: only this tells where lines start and which fields there are.
pub(super) fn survey(
    path: &Path,
    format: Format,
    limit: ChunkLimit,
) -> Result<Surveyed, ScoreError> {
    let mut lines = Lines::open(path, format.compression, 0)?;
    let mut inferred = Inferred::default();
    let mut chunks = Chunks::new(limit);
    let mut number = 0_u64;
    loop {
        let start = lines.position();
        let Some(line) = lines.next().map_err(ScoreError::read(path))? else {
            break;
        };
        number += 1;
        if line.is_empty() {
            continue;
        }
        let wrong = |reason: String| ScoreError::Content {
            path: path.to_owned(),
            reason: format!("line {number}: {reason}"),
        };
        let text = std::str::from_utf8(line).map_err(|it| wrong(it.to_string()))?;
        let object = Object::parse(text).map_err(|it| wrong(it.to_string()))?;
        inferred.add(&object);
        chunks.row(start, line.len() as u64);
        chunks.value(line);
    }
    Ok(Surveyed {
        columns: Columns::Inferred(inferred),
        chunks: chunks.finish(),
    })
}

/// A file with one JSON object per line.
pub(super) struct JsonSource {
    path: PathBuf,
    format: Format,
    /// Whether lines are kept as they are.
    keep_lines: bool,
    current: Option<Lines>,
}

impl JsonSource {
    /// Creates the source without reading.
    pub(super) fn new(path: &Path, format: Format, keep_lines: bool) -> Self {
        Self {
            path: path.to_owned(),
            format,
            keep_lines,
            current: None,
        }
    }

    fn lines(&mut self, part: &Part) -> Result<Vec<String>, ScoreError> {
        let open = self.current.take();
        let mut lines = match open.filter(|it| it.position() == part.start) {
            Some(lines) => lines,
            None => Lines::open(&self.path, self.format.compression, part.start)?,
        };
        let mut texts = Vec::with_capacity(part.rows);
        let mut digest = RowDigest::default();
        while texts.len() < part.rows {
            match lines.next().map_err(ScoreError::read(&self.path))? {
                None => break,
                Some([]) => {}
                Some(line) => {
                    digest.add(line);
                    texts.push(String::from_utf8_lossy(line).into_owned());
                }
            }
        }
        self.current = Some(lines);
        match part.digest.as_deref() == Some(digest.finish().as_str()) {
            true => Ok(texts),
            false => Err(changed(
                &self.path,
                format_args!("the lines from byte {} on", part.start),
            )),
        }
    }
}

impl Source for JsonSource {
    fn read(&mut self, part: &Part, wanted: &Wanted) -> Result<Table, ScoreError> {
        let lines = self.lines(part)?;
        let objects = lines.iter().map(|line| Object::parse(line));
        let objects = objects
            .collect::<Result<Vec<_>, _>>()
            .map_err(|it| changed(&self.path, it))?;
        let texts = wanted
            .texts
            .iter()
            .map(|name| objects.iter().map(|it| cell(name, it.get(name))).collect());
        let texts = texts.collect();
        let columns: Vec<ArrayRef> = if self.keep_lines {
            let line = |(line, object): (&String, &Object<'_>)| match &wanted.line_fields {
                None => line.clone(),
                Some(names) => object.only(names),
            };
            let lines = lines.iter().zip(&objects).map(line).map(Some);
            vec![Arc::new(lines.collect::<StringArray>())]
        } else {
            let kept = wanted.kept.fields().iter();
            let column = |field: &Arc<Field>| {
                let values = objects.iter().map(|it| it.get(field.name()));
                column(field.data_type(), values).ok_or_else(|| ScoreError::Columns {
                    path: self.path.clone(),
                    reason: format!("a value of '{}' is not {}", field.name(), field.data_type()),
                })
            };
            kept.map(column).collect::<Result<_, _>>()?
        };
        Ok(Table {
            columns: batch(wanted.kept.clone(), columns, part.rows)?,
            texts,
        })
    }
}

/// A field's value as a cell of text.
fn cell(name: &str, value: Option<&str>) -> Cell {
    match value {
        None | Some("null") => Ok(None),
        Some(value) => match serde_json::from_str(value) {
            Ok(text) => Ok(Some(text)),
            Err(_) => Err(format!("'{name}' is not a string")),
        },
    }
}

/// Makes a column of a type from values in JSON text; `None` if a value doesn't fit the type.
fn column<'l>(
    data_type: &DataType,
    values: impl Iterator<Item = Option<&'l str>>,
) -> Option<ArrayRef> {
    let values = values.map(|value| value.filter(|it| *it != "null"));
    match data_type {
        DataType::Boolean => {
            let mut builder = BooleanBuilder::new();
            for value in values {
                match value {
                    Some(value) => builder.append_value(value.parse().ok()?),
                    None => builder.append_null(),
                }
            }
            Some(ArrayBuilder::finish(&mut builder))
        }
        DataType::Int8 => numbers::<Int8Type>(values),
        DataType::Int16 => numbers::<Int16Type>(values),
        DataType::Int32 => numbers::<Int32Type>(values),
        DataType::Int64 => numbers::<Int64Type>(values),
        DataType::UInt8 => numbers::<UInt8Type>(values),
        DataType::UInt16 => numbers::<UInt16Type>(values),
        DataType::UInt32 => numbers::<UInt32Type>(values),
        DataType::UInt64 => numbers::<UInt64Type>(values),
        DataType::Float32 => numbers::<Float32Type>(values),
        DataType::Float64 => numbers::<Float64Type>(values),
        DataType::Utf8 => {
            let mut builder = StringBuilder::new();
            values.for_each(|it| builder.append_option(it.map(text)));
            Some(ArrayBuilder::finish(&mut builder))
        }
        DataType::LargeUtf8 => {
            let mut builder = LargeStringBuilder::new();
            values.for_each(|it| builder.append_option(it.map(text)));
            Some(ArrayBuilder::finish(&mut builder))
        }
        DataType::Utf8View => {
            let mut builder = StringViewBuilder::new();
            values.for_each(|it| builder.append_option(it.map(text)));
            Some(ArrayBuilder::finish(&mut builder))
        }
        _ => None,
    }
}

fn numbers<'l, T: ArrowPrimitiveType<Native: std::str::FromStr>>(
    values: impl Iterator<Item = Option<&'l str>>,
) -> Option<ArrayRef> {
    let mut builder = PrimitiveBuilder::<T>::new();
    for value in values {
        match value {
            Some(value) => builder.append_value(value.parse().ok()?),
            None => builder.append_null(),
        }
    }
    Some(ArrayBuilder::finish(&mut builder))
}

/// The content of a JSON string; any other value as JSON text.
fn text(value: &str) -> String {
    serde_json::from_str(value).unwrap_or_else(|_| value.to_owned())
}
