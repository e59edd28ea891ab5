use std::fs::File;
use std::path::{Path, PathBuf};

use arrow_array::RecordBatch;
use arrow_schema::Schema;
use arrow_select::concat::concat_batches;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder,
};

use super::{Chunk, ChunkLimit, Columns, Source, Surveyed, Table, Wanted, batch, changed, text};
use crate::ScoreError;
use crate::plan::Part;

/// Reads only the footer.
pub(super) fn survey(path: &Path, limit: ChunkLimit) -> Result<Surveyed, ScoreError> {
    let (_, metadata) = open(path)?;
    let groups = metadata.metadata().row_groups();
    let rows: u64 = groups.iter().map(|it| it.num_rows().max(0) as u64).sum();
    let bytes: u64 = groups
        .iter()
        .map(|it| it.total_byte_size().max(0) as u64)
        .sum();
    let of_row = bytes.div_ceil(rows.max(1)) + limit.answer;
    let most = (limit.bytes / of_row.max(1)).clamp(1, limit.rows as u64);
    let starts = (0..rows).step_by(usize::try_from(most).unwrap_or(usize::MAX));
    let chunks = starts.map(|start| Chunk {
        rows: (rows - start).min(most) as usize,
        start,
        digest: None,
    });
    Ok(Surveyed {
        columns: Columns::Typed(Schema::new(metadata.schema().fields().clone())),
        chunks: chunks.collect(),
    })
}

fn open(path: &Path) -> Result<(File, ArrowReaderMetadata), ScoreError> {
    let file = File::open(path).map_err(ScoreError::read(path))?;
    let metadata = ArrowReaderMetadata::load(&file, ArrowReaderOptions::new());
    Ok((file, metadata.map_err(ScoreError::parquet(path))?))
}

/// A Parquet file.
pub(super) struct ParquetSource {
    path: PathBuf,
    file: File,
    metadata: ArrowReaderMetadata,
}

impl ParquetSource {
    /// Opens the file and reads its footer.
    pub(super) fn open(path: &Path) -> Result<Self, ScoreError> {
        let (file, metadata) = open(path)?;
        Ok(Self {
            path: path.to_owned(),
            file,
            metadata,
        })
    }

    /// The row groups that contain rows of the part, and where its rows start in the first group.
    fn groups(&self, part: &Part) -> (Vec<usize>, usize) {
        let (mut first_row, mut groups, mut offset) = (0, Vec::new(), 0);
        let end = part.start + part.rows as u64;
        for (number, group) in self.metadata.metadata().row_groups().iter().enumerate() {
            let next = first_row + group.num_rows().max(0) as u64;
            if next > part.start && first_row < end {
                if groups.is_empty() {
                    offset = (part.start - first_row) as usize;
                }
                groups.push(number);
            }
            first_row = next;
        }
        (groups, offset)
    }

    fn rows(&self, part: &Part, wanted: &Wanted) -> Result<RecordBatch, ScoreError> {
        let file = self.file.try_clone();
        let file = file.map_err(ScoreError::read(&self.path))?;
        let builder =
            ParquetRecordBatchReaderBuilder::new_with_metadata(file, self.metadata.clone());
        let is_wanted = |name: &String| {
            wanted.texts.contains(name) || wanted.kept.field_with_name(name).is_ok()
        };
        let fields = builder.schema().fields().iter().enumerate();
        let roots: Vec<usize> = fields
            .filter(|(_, field)| is_wanted(field.name()))
            .map(|(at, _)| at)
            .collect();
        let mask = ProjectionMask::roots(builder.parquet_schema(), roots);
        let (groups, offset) = self.groups(part);
        let reader = builder
            .with_projection(mask)
            .with_row_groups(groups)
            .with_offset(offset)
            .with_limit(part.rows)
            .with_batch_size(part.rows)
            .build()
            .map_err(ScoreError::parquet(&self.path))?;
        let schema = arrow_array::RecordBatchReader::schema(&reader);
        let batches = reader.collect::<Result<Vec<_>, _>>()?;
        Ok(concat_batches(&schema, &batches)?)
    }
}

impl Source for ParquetSource {
    fn read(&mut self, part: &Part, wanted: &Wanted) -> Result<Table, ScoreError> {
        let rows = self.rows(part, wanted)?;
        if rows.num_rows() != part.rows {
            return Err(changed(
                &self.path,
                format_args!("{} rows of {}", rows.num_rows(), part.rows),
            ));
        }
        let kept = wanted.kept.fields().iter();
        let columns = kept.map(|field| {
            let column = rows.column_by_name(field.name());
            column
                .cloned()
                .ok_or_else(|| changed(&self.path, format_args!("no column '{}'", field.name())))
        });
        let columns = columns.collect::<Result<Vec<_>, _>>()?;
        Ok(Table {
            columns: batch(wanted.kept.clone(), columns, part.rows)?,
            texts: text::cells(&rows, &wanted.texts),
        })
    }
}
