//! Arrow batches in, the same batches with answers out: for pipelines that do their own reading and
//! committing.

use std::io::{Read, Write};
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_ipc::reader::StreamReader;
use arrow_ipc::writer::StreamWriter;
use arrow_schema::{Schema, SchemaRef};
use arrow_select::concat::concat_batches;

use crate::input::text;
use crate::scorer::{Scorer, WINDOW};
use crate::{Asked, Counts, Progress, ScoreError};

/// Answers the batches of an Arrow IPC stream. Each batch is written with the answers behind its
/// columns, as soon as it is answered.
///
/// A batch is answered in windows of [`WINDOW`] rows, counted from its start, so that an answer
/// depends only on its batch.
///
/// # Errors
/// [`ScoreError::Arrow`] if the input isn't such a stream or ends early; [`ScoreError::NoColumn`],
/// [`ScoreError::Columns`], [`ScoreError::Clash`], [`ScoreError::TextColumns`].
pub fn stream(
    from: impl Read,
    to: impl Write,
    scorer: &dyn Scorer,
    asked: &Asked,
    columns: &[String],
    prefix: &str,
    progress: &Progress,
) -> Result<Counts, ScoreError> {
    let columns = match columns.is_empty() {
        true => asked.default_columns(),
        false => columns.to_vec(),
    };
    asked.check_columns(columns.len())?;
    let reader = StreamReader::try_new(from, None)?;
    let schema = answered(&reader.schema(), scorer, &columns, prefix)?;
    let mut writer = StreamWriter::try_new(to, &schema)?;
    writer.flush()?;
    for batch in reader {
        let batch = answer(&batch?, &schema, scorer, &columns, progress)?;
        writer.write(&batch)?;
        writer.flush()?;
    }
    writer.finish()?;
    Ok(progress.counts())
}

/// The columns of the output.
fn answered(
    schema: &SchemaRef,
    scorer: &dyn Scorer,
    columns: &[String],
    prefix: &str,
) -> Result<SchemaRef, ScoreError> {
    for name in columns {
        let names = || schema.fields().iter().map(|it| it.name().clone()).collect();
        match schema.field_with_name(name) {
            Ok(field) if text::is_text(field.data_type()) => {}
            Ok(field) => {
                return Err(ScoreError::Columns {
                    path: "the stream".into(),
                    reason: format!("'{name}' has {} values, expected texts", field.data_type()),
                });
            }
            Err(_) => {
                return Err(ScoreError::NoColumn {
                    path: "the stream".into(),
                    name: name.clone(),
                    found: names(),
                });
            }
        }
    }
    let mut fields = schema.fields().to_vec();
    for field in scorer.fields() {
        let name = format!("{prefix}{}", field.name());
        if schema.field_with_name(&name).is_ok() {
            return Err(ScoreError::Clash { name });
        }
        fields.push(Arc::new(field.with_name(name)));
    }
    Ok(Arc::new(Schema::new_with_metadata(
        fields,
        schema.metadata().clone(),
    )))
}

fn answer(
    batch: &RecordBatch,
    schema: &SchemaRef,
    scorer: &dyn Scorer,
    columns: &[String],
    progress: &Progress,
) -> Result<RecordBatch, ScoreError> {
    let mut windows = Vec::new();
    for start in (0..batch.num_rows()).step_by(WINDOW) {
        let rows = batch.slice(start, WINDOW.min(batch.num_rows() - start));
        let scored = scorer.score(&text::cells(&rows, columns))?;
        progress.add(Counts {
            rows: rows.num_rows() as u64,
            failed: scored.failed as u64,
            truncated: scored.truncated as u64,
            tokens: scored.tokens,
        });
        let columns = rows.columns().iter().cloned().chain(scored.columns);
        windows.push(RecordBatch::try_new(schema.clone(), columns.collect())?);
    }
    Ok(concat_batches(schema, &windows)?)
}
