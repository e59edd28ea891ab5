//! Stores columns in a plan's file: their names and types for people, and the head of an Arrow IPC
//! stream for programs.

use std::sync::Arc;

use arrow_ipc::reader::StreamReader;
use arrow_ipc::writer::StreamWriter;
use arrow_schema::{ArrowError, Schema, SchemaRef};
use serde::de::Error as _;
use serde::ser::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

#[derive(Serialize, Deserialize)]
struct Stored {
    columns: Vec<String>,
    arrow: String,
}

pub(super) fn serialize<S: Serializer>(
    schema: &SchemaRef,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let columns = schema.fields().iter();
    let columns = columns.map(|it| format!("{} {}", it.name(), it.data_type()));
    let stored = Stored {
        columns: columns.collect(),
        arrow: encoded(schema).map_err(S::Error::custom)?,
    };
    stored.serialize(serializer)
}

pub(super) fn deserialize<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<SchemaRef, D::Error> {
    let stored = Stored::deserialize(deserializer)?;
    decoded(&stored.arrow).map_err(D::Error::custom)
}

fn encoded(schema: &Schema) -> Result<String, ArrowError> {
    let bytes = StreamWriter::try_new(Vec::new(), schema)?.into_inner()?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

fn decoded(text: &str) -> Result<SchemaRef, ArrowError> {
    let digits = text.as_bytes().chunks(2);
    let byte = |digits: &[u8]| {
        let digits = std::str::from_utf8(digits).ok()?;
        u8::from_str_radix(digits, 16).ok()
    };
    let bytes: Option<Vec<u8>> = digits.map(byte).collect();
    let bytes = bytes.ok_or_else(|| ArrowError::ParseError("no hexadecimal digits".to_owned()))?;
    let schema = StreamReader::try_new(bytes.as_slice(), None)?.schema();
    // Only the head of the stream is read.
    Ok(Arc::new(Schema::new(schema.fields().clone())))
}
