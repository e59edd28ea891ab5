//! Files with rows: surveys their content, and reads the rows of a part.

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

/// What a survey of a file finds.
pub(crate) struct Surveyed {
    /// Its columns.
    pub columns: Columns,
    /// Its rows, in chunks that become parts.
    pub chunks: Vec<Chunk>,
}

/// The columns of a file.
pub(crate) enum Columns {
    /// With types from the file.
    Typed(Schema),
    /// With types inferred from the values.
    Inferred(Inferred),
}

/// Consecutive rows of one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Chunk {
    /// How many rows; at least one.
    pub rows: usize,
    /// Where they start: a byte of the decompressed content, or in Parquet a row.
    pub start: u64,
    /// The digest of their values, if the survey reads them.
    pub digest: Option<String>,
}

/// The limits of a chunk.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ChunkLimit {
    /// The most rows.
    pub rows: usize,
    /// The most bytes of the input's rows and their answers; a larger row is alone in its chunk.
    pub bytes: u64,
    /// Bytes that the answer to one row takes.
    pub answer: u64,
}

/// What to read of each row.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    /// The columns with text.
    pub texts: Vec<String>,
    /// The columns that the output keeps; if lines are kept as they are, one column of lines.
    pub kept: SchemaRef,
    /// Which fields of a line are kept; `None` for the whole line.
    pub line_fields: Option<Vec<String>>,
}

/// The rows of a part.
pub(crate) struct Table {
    /// The columns that the output keeps.
    pub columns: RecordBatch,
    /// For each text column, a cell for each row.
    pub texts: Vec<Vec<Cell>>,
}

/// A file whose rows are read part by part. Parts may be read in any order, but in theirs it is
/// fastest.
pub(crate) trait Source: Send {
    /// Reads the rows of a part.
    fn read(&mut self, part: &Part, wanted: &Wanted) -> Result<Table, ScoreError>;
}

/// Surveys a file.
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

/// Makes a batch of columns of equal length, of which there may be none.
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

/// The error of an input that has changed since it was planned.
fn changed(path: &Path, what: impl std::fmt::Display) -> ScoreError {
    ScoreError::Differs {
        what: path.display().to_string(),
        planned: "other rows".to_owned(),
        now: format!("changed: {what}"),
    }
}
