//! Writes rows to files, in any format.

mod csv;
mod json;

use std::io::Write;
use std::path::Path;

use ::parquet::arrow::ArrowWriter;
use ::parquet::basic::Compression;
use ::parquet::file::metadata::KeyValue;
use ::parquet::file::properties::WriterProperties;
use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;

use crate::{Format, Kind, ScoreError};

/// The most rows and bytes of a row group, which is held in memory.
const GROUP_ROWS: usize = 128 << 10;
const GROUP_BYTES: usize = 32 << 20;

/// Writes rows as a file of this format. With `lines`, the first column holds lines of JSON, to
/// which the other columns are added as fields.
pub(crate) fn write(
    path: &Path,
    format: Format,
    schema: &SchemaRef,
    lines: bool,
    digest: &str,
    batches: impl Iterator<Item = Result<RecordBatch, ScoreError>>,
    out: &mut (dyn Write + Send),
) -> Result<(), ScoreError> {
    let failed = ScoreError::write(path);
    format.compression.around(
        out,
        |out| match format.kind {
            Kind::Parquet => parquet(path, schema, digest, batches, out),
            Kind::Csv | Kind::Tsv => {
                csv::write(path, format.kind.delimiter(), schema, batches, out)
            }
            Kind::JsonLines => {
                for batch in batches {
                    let rows = json::rows(&batch?, lines)?;
                    out.write_all(&rows).map_err(&failed)?;
                }
                Ok(())
            }
        },
        &failed,
    )
}

fn parquet(
    path: &Path,
    schema: &SchemaRef,
    digest: &str,
    batches: impl Iterator<Item = Result<RecordBatch, ScoreError>>,
    out: &mut (dyn Write + Send),
) -> Result<(), ScoreError> {
    let entry = KeyValue::new("nezha.plan".to_owned(), digest.to_owned());
    let properties = WriterProperties::builder()
        .set_compression(Compression::SNAPPY)
        .set_max_row_group_row_count(Some(GROUP_ROWS))
        .set_key_value_metadata(Some(vec![entry]))
        .build();
    let failed = ScoreError::parquet(path);
    let mut writer =
        ArrowWriter::try_new(out, schema.clone(), Some(properties)).map_err(&failed)?;
    for batch in batches {
        writer.write(&batch?).map_err(&failed)?;
        if writer.in_progress_size() > GROUP_BYTES {
            writer.flush().map_err(&failed)?;
        }
    }
    writer.finish().map(drop).map_err(&failed)
}
