//! Files with rows: what is in them, and the rows of a part.

mod chunks;
mod csv;
mod inference;
mod jsonl;
mod object;
mod parquet;
mod stream;
#[cfg(test)]
mod tests;
pub(crate) mod text;

use std::path::Path;

use arrow_array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow_schema::{Schema, SchemaRef};

use crate::plan::Part;
use crate::scorer::Cell;
use crate::{Format, Kind, ScoreError};
pub(crate) use inference::Inferred;
pub(crate) use object::Object;

/// What a look at a file tells.
pub(crate) struct Surveyed {
    /// Its columns.
    pub columns: Columns,
    /// Its rows, in pieces that become parts.
    pub chunks: Vec<Chunk>,
}

/// The columns of a file.
pub(crate) enum Columns {
    /// Of types that the file says.
    Typed(Schema),
    /// Of types that its values show.
    Inferred(Inferred),
}

/// Rows of one file that follow each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Chunk {
    /// How many; at least one.
    pub rows: usize,
    /// Where they start: a byte of what is inside the compression, in Parquet a row.
    pub start: u64,
    /// Of their values, where a look at the file reads them.
    pub digest: Option<String>,
}

/// How large a chunk may be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ChunkLimit {
    /// Rows.
    pub rows: usize,
    /// Bytes of the input's rows and of their answers; a larger row is alone.
    pub bytes: u64,
    /// Bytes that the answers to a row take.
    pub answer: u64,
}

/// What to read of each row.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    /// The columns with text.
    pub texts: Vec<String>,
    /// The columns that the output keeps; the one column of lines where those are kept as they are.
    pub kept: SchemaRef,
    /// Which fields of a line are kept; `None` for the line as it is.
    pub line_fields: Option<Vec<String>>,
}

/// The rows of a part.
pub(crate) struct Table {
    /// What the output keeps.
    pub columns: RecordBatch,
    /// The texts, a cell for each row.
    pub texts: Vec<Vec<Cell>>,
}

/// A file whose rows are read part by part. The parts may come in any order, and are read fastest in
/// theirs.
pub(crate) trait Source: Send {
    /// The rows of a part.
    fn read(&mut self, part: &Part, wanted: &Wanted) -> Result<Table, ScoreError>;
}

/// Looks at a file.
pub(crate) fn survey(
    path: &Path,
    format: Format,
    limit: ChunkLimit,
) -> Result<Surveyed, ScoreError> {
    match format.kind {
        Kind::Parquet => parquet::survey(path, limit),
        Kind::Csv | Kind::Tsv => csv::survey(path, format, limit),
        Kind::JsonLines => jsonl::survey(path, format, limit),
    }
}

/// Opens a file that was surveyed.
pub(crate) fn open(
    path: &Path,
    format: Format,
    lines: bool,
) -> Result<Box<dyn Source>, ScoreError> {
    Ok(match format.kind {
        Kind::Parquet => Box::new(parquet::ParquetSource::open(path)?),
        Kind::Csv | Kind::Tsv => Box::new(csv::CsvSource::new(path, format)),
        Kind::JsonLines => Box::new(jsonl::JsonSource::new(path, format, lines)),
    })
}

/// Columns of one length, which may be no columns.
pub(crate) fn batch(
    schema: SchemaRef,
    columns: Vec<ArrayRef>,
    rows: usize,
) -> Result<RecordBatch, ScoreError> {
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    Ok(RecordBatch::try_new_with_options(
        schema, columns, &options,
    )?)
}

/// An input that is not what was planned.
fn changed(path: &Path, what: impl std::fmt::Display) -> ScoreError {
    ScoreError::Differs {
        what: path.display().to_string(),
        planned: "other rows".to_owned(),
        now: format!("changed: {what}"),
    }
}
