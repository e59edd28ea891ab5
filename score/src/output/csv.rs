//! Writes Arrow values as rows of separated values.

use std::io::{self, Write};
use std::path::Path;

use arrow_array::cast::AsArray;
use arrow_array::{Array, RecordBatch};
use arrow_schema::{ArrowError, DataType, SchemaRef};
use csv::{ErrorKind, WriterBuilder};

use super::json;
use crate::ScoreError;

/// Writes the names, then the rows. A null becomes an empty value; lists and records become JSON.
pub(super) fn write(
    path: &Path,
    delimiter: u8,
    schema: &SchemaRef,
    batches: impl Iterator<Item = Result<RecordBatch, ScoreError>>,
    out: &mut (dyn Write + Send),
) -> Result<(), ScoreError> {
    let failed = |error: csv::Error| {
        let error = match error.into_kind() {
            ErrorKind::Io(error) => error,
            other => io::Error::other(format!("{other:?}")),
        };
        ScoreError::write(path)(error)
    };
    let mut writer = WriterBuilder::new().delimiter(delimiter).from_writer(out);
    let names = schema.fields().iter().map(|it| it.name());
    writer.write_record(names).map_err(failed)?;
    let mut value = Vec::new();
    for batch in batches {
        let batch = batch?;
        for row in 0..batch.num_rows() {
            for column in batch.columns() {
                value.clear();
                text(&mut value, column.as_ref(), row)?;
                writer.write_field(&value).map_err(failed)?;
            }
            writer.write_record(None::<&[u8]>).map_err(failed)?;
        }
    }
    writer.flush().map_err(ScoreError::write(path))
}

fn text(out: &mut Vec<u8>, array: &dyn Array, row: usize) -> Result<(), ArrowError> {
    if array.is_null(row) {
        return Ok(());
    }
    let text = match array.data_type() {
        DataType::Utf8 => array.as_string::<i32>().value(row),
        DataType::LargeUtf8 => array.as_string::<i64>().value(row),
        DataType::Utf8View => array.as_string_view().value(row),
        DataType::Dictionary(_, _) => {
            let dictionary = array.as_any_dictionary();
            let keys = dictionary.normalized_keys();
            let key = keys.get(row).copied().unwrap_or_default();
            return text(out, dictionary.values().as_ref(), key);
        }
        DataType::List(_)
        | DataType::LargeList(_)
        | DataType::FixedSizeList(_, _)
        | DataType::Struct(_) => return json::value(out, array, row),
        _ => {
            json::value(out, array, row)?;
            // Dates are strings in JSON, and need no quotes here.
            if let [b'"', inside @ .., b'"'] = out.as_slice() {
                *out = inside.to_vec();
            }
            return Ok(());
        }
    };
    out.extend_from_slice(text.as_bytes());
    Ok(())
}
