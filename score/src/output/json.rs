//! Writes Arrow values as JSON.

use std::io::Write;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    ArrowPrimitiveType, Float16Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type,
    Int64Type, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arrow_array::{Array, RecordBatch};
use arrow_schema::{ArrowError, DataType, TimeUnit};
use serde::Serialize;

/// Rows as objects, one per line. With `lines`, the first column holds whole objects: their fields
/// come first, unchanged.
pub(super) fn rows(batch: &RecordBatch, lines: bool) -> Result<Vec<u8>, ArrowError> {
    let mut out = Vec::new();
    let schema = batch.schema();
    let named: Vec<(&str, &dyn Array)> = schema
        .fields()
        .iter()
        .zip(batch.columns())
        .map(|(field, column)| (field.name().as_str(), column.as_ref()))
        .skip(usize::from(lines))
        .collect();
    for row in 0..batch.num_rows() {
        if lines {
            let line = batch.column(0).as_string::<i32>().value(row).trim_end();
            out.extend_from_slice(line.strip_suffix('}').unwrap_or(line).trim_end().as_bytes());
        } else {
            out.push(b'{');
        }
        for (name, column) in &named {
            if out.last() != Some(&b'{') {
                out.push(b',');
            }
            text(&mut out, name);
            out.push(b':');
            value(&mut out, *column, row)?;
        }
        out.extend_from_slice(b"}\n");
    }
    Ok(out)
}

/// A value as JSON; a value that JSON has no type for becomes a string.
pub(super) fn value(out: &mut Vec<u8>, array: &dyn Array, row: usize) -> Result<(), ArrowError> {
    if array.is_null(row) {
        out.extend_from_slice(b"null");
        return Ok(());
    }
    match array.data_type() {
        DataType::Null => out.extend_from_slice(b"null"),
        DataType::Boolean => json(out, &array.as_boolean().value(row)),
        DataType::Int8 => number::<Int8Type>(out, array, row),
        DataType::Int16 => number::<Int16Type>(out, array, row),
        DataType::Int32 => number::<Int32Type>(out, array, row),
        DataType::Int64 => number::<Int64Type>(out, array, row),
        DataType::UInt8 => number::<UInt8Type>(out, array, row),
        DataType::UInt16 => number::<UInt16Type>(out, array, row),
        DataType::UInt32 => number::<UInt32Type>(out, array, row),
        DataType::UInt64 => number::<UInt64Type>(out, array, row),
        DataType::Float16 => {
            let float = array.as_primitive::<Float16Type>().value(row);
            json(out, &f32::from(float));
        }
        DataType::Float32 => number::<Float32Type>(out, array, row),
        DataType::Float64 => number::<Float64Type>(out, array, row),
        DataType::Utf8 => text(out, array.as_string::<i32>().value(row)),
        DataType::LargeUtf8 => text(out, array.as_string::<i64>().value(row)),
        DataType::Utf8View => text(out, array.as_string_view().value(row)),
        DataType::Dictionary(_, _) => {
            let dictionary = array.as_any_dictionary();
            let key = dictionary.normalized_keys();
            let key = key.get(row).copied().unwrap_or_default();
            value(out, dictionary.values().as_ref(), key)?;
        }
        DataType::List(_) => list(out, array.as_list::<i32>().value(row).as_ref())?,
        DataType::LargeList(_) => list(out, array.as_list::<i64>().value(row).as_ref())?,
        DataType::FixedSizeList(_, _) => {
            list(out, array.as_fixed_size_list().value(row).as_ref())?;
        }
        DataType::Struct(fields) => {
            out.push(b'{');
            let columns = fields.iter().zip(array.as_struct().columns());
            for (at, (field, column)) in columns.enumerate() {
                if at > 0 {
                    out.push(b',');
                }
                text(out, field.name());
                out.push(b':');
                value(out, column.as_ref(), row)?;
            }
            out.push(b'}');
        }
        other => text(out, &time(array, row).ok_or_else(|| unsupported(other))?),
    }
    Ok(())
}

/// The error of a type that can't be written as text.
fn unsupported(data_type: &DataType) -> ArrowError {
    ArrowError::NotYetImplemented(format!(
        "{data_type} values as text: leave the column out, or write Parquet"
    ))
}

/// Dates, times and decimals in their usual notation.
fn time(array: &dyn Array, row: usize) -> Option<String> {
    use arrow_array::types::{
        Date32Type, Date64Type, Decimal128Type, TimestampMicrosecondType, TimestampMillisecondType,
        TimestampNanosecondType, TimestampSecondType,
    };
    let moment = match array.data_type() {
        DataType::Decimal128(_, _) => {
            return Some(array.as_primitive::<Decimal128Type>().value_as_string(row));
        }
        DataType::Date32 => {
            let date = array.as_primitive::<Date32Type>().value_as_date(row)?;
            return Some(date.to_string());
        }
        DataType::Date64 => {
            let date = array.as_primitive::<Date64Type>().value_as_date(row)?;
            return Some(date.to_string());
        }
        DataType::Timestamp(TimeUnit::Second, _) => array
            .as_primitive::<TimestampSecondType>()
            .value_as_datetime(row),
        DataType::Timestamp(TimeUnit::Millisecond, _) => array
            .as_primitive::<TimestampMillisecondType>()
            .value_as_datetime(row),
        DataType::Timestamp(TimeUnit::Microsecond, _) => array
            .as_primitive::<TimestampMicrosecondType>()
            .value_as_datetime(row),
        DataType::Timestamp(TimeUnit::Nanosecond, _) => array
            .as_primitive::<TimestampNanosecondType>()
            .value_as_datetime(row),
        _ => None,
    };
    moment.map(|moment| moment.to_string().replacen(' ', "T", 1))
}

fn list(out: &mut Vec<u8>, items: &dyn Array) -> Result<(), ArrowError> {
    out.push(b'[');
    for row in 0..items.len() {
        if row > 0 {
            out.push(b',');
        }
        value(out, items, row)?;
    }
    out.push(b']');
    Ok(())
}

fn number<T: ArrowPrimitiveType<Native: Serialize>>(
    out: &mut Vec<u8>,
    array: &dyn Array,
    row: usize,
) {
    json(out, &array.as_primitive::<T>().value(row));
}

fn text(out: &mut Vec<u8>, text: &str) {
    json(out, text);
}

/// Writes a number, text or boolean; writing to memory can't fail.
fn json(out: &mut Vec<u8>, value: &(impl Serialize + ?Sized)) {
    if serde_json::to_writer(&mut *out, value).is_err() {
        let _ = out.write_all(b"null");
    }
}
