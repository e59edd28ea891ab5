//! Joins the parts to the output, once all of them are there.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use arrow_array::RecordBatch;
use nezha_graphs::files::sync_folder;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use crate::scorer::WINDOW;
use crate::{Counts, Kind, Manifest, ScoreError, Work, files, manifest, output};

/// How many faulty parts an error names.
const NAMED: usize = 20;

impl Work {
    /// Checks that every part is there, belongs to this plan and has its rows, then joins them. The
    /// output appears in one step, and the parts are removed.
    ///
    /// # Errors
    /// [`ScoreError::Incomplete`]; if a part can't be read or the output can't be written, the
    /// error of that, and the parts stay.
    pub fn finish(self) -> Result<Manifest, ScoreError> {
        let counts = self.check_all()?;
        let manifest = Manifest::new(self.plan(), self.digest(), counts);
        match self.plan().output.folder {
            true => self.finish_folder(&manifest)?,
            false => self.finish_file(&manifest)?,
        }
        self.remove()?;
        Ok(manifest)
    }

    /// The counts of all parts together.
    fn check_all(&self) -> Result<Counts, ScoreError> {
        let mut counts = Counts::default();
        let (mut missing, mut problems) = (Vec::new(), Vec::new());
        for part in 0..self.plan().parts.len() {
            match self.check(part) {
                Ok(of_part) => counts = counts.and(of_part),
                Err(_) if !self.is_done(part) => missing.push(part),
                Err(reason) => problems.push(format!("part {part}: {reason}")),
            }
        }
        if !missing.is_empty() {
            problems.insert(0, format!("missing: {}", ranges(&missing)));
        }
        match problems.is_empty() {
            true => Ok(counts),
            false => {
                let more = problems.len().saturating_sub(NAMED);
                problems.truncate(NAMED);
                if more > 0 {
                    problems.push(format!("{more} more"));
                }
                Err(ScoreError::Incomplete { problems })
            }
        }
    }

    fn finish_file(&self, manifest: &Manifest) -> Result<(), ScoreError> {
        let parts = 0..self.plan().parts.len();
        let batches = parts.flat_map(|part| Rows::of(self.part_path(part)));
        self.write(self.output(), batches)?;
        // If the manifest is missing, the next run finds the plan and does this again.
        manifest.save(self.folder(), &Manifest::path(self.output()))
    }

    fn finish_folder(&self, manifest: &Manifest) -> Result<(), ScoreError> {
        let staged = self.folder().join("finished");
        if staged.exists() {
            fs::remove_dir_all(&staged).map_err(ScoreError::write(&staged))?;
        }
        fs::create_dir(&staged).map_err(ScoreError::write(&staged))?;
        let format = self.plan().output.format;
        for part in 0..self.plan().parts.len() {
            let path = staged.join(self.part_name(part, &format.ending()));
            match format.kind {
                Kind::Parquet => link(&staged, &self.part_path(part), &path)?,
                _ => self.write(&path, Rows::of(self.part_path(part)))?,
            }
        }
        manifest.save(&staged, &staged.join(manifest::IN_FOLDER))?;
        files::put(&staged, &staged.join("_SUCCESS"), |_| Ok(()))?;
        let output = self.output();
        // A run that was killed after the rename has left the complete output here.
        if Manifest::load(output)?.is_some_and(|it| it.digest == self.digest()) {
            return Ok(());
        }
        fs::rename(&staged, output).map_err(ScoreError::write(output))?;
        Ok(sync_folder(files::folder_of(output))?)
    }

    fn write(
        &self,
        path: &Path,
        batches: impl Iterator<Item = Result<RecordBatch, ScoreError>>,
    ) -> Result<(), ScoreError> {
        let plan = self.plan();
        let (format, schema) = (plan.output.format, plan.schema());
        files::put(self.folder(), path, |out| {
            output::write(
                path,
                format,
                &schema,
                plan.lines,
                self.digest(),
                batches,
                out,
            )
        })
    }
}

/// The rows of a part, read on demand.
enum Rows {
    NotOpen(PathBuf),
    Open(
        PathBuf,
        parquet::arrow::arrow_reader::ParquetRecordBatchReader,
    ),
    Ended,
}

impl Rows {
    fn of(path: PathBuf) -> Self {
        Rows::NotOpen(path)
    }

    fn open(
        path: &Path,
    ) -> Result<parquet::arrow::arrow_reader::ParquetRecordBatchReader, ScoreError> {
        let file = File::open(path).map_err(ScoreError::read(path))?;
        let builder = ParquetRecordBatchReaderBuilder::try_new(file);
        let builder = builder.map_err(ScoreError::parquet(path))?;
        let reader = builder.with_batch_size(WINDOW).build();
        reader.map_err(ScoreError::parquet(path))
    }
}

impl Iterator for Rows {
    type Item = Result<RecordBatch, ScoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        if let Rows::NotOpen(path) = self {
            match Self::open(path) {
                Ok(reader) => *self = Rows::Open(path.clone(), reader),
                Err(error) => {
                    *self = Rows::Ended;
                    return Some(Err(error));
                }
            }
        }
        match self {
            Rows::Open(path, reader) => {
                let batch = reader.next()?;
                Some(batch.map_err(|error| ScoreError::Content {
                    path: path.clone(),
                    reason: error.to_string(),
                }))
            }
            _ => None,
        }
    }
}

/// Gives a file a second name; copies it if the file system has no links.
fn link(folder: &Path, from: &Path, to: &Path) -> Result<(), ScoreError> {
    if fs::hard_link(from, to).is_ok() {
        return Ok(());
    }
    files::put(folder, to, |out| {
        let mut file = File::open(from).map_err(ScoreError::read(from))?;
        let copied = std::io::copy(&mut file, out);
        copied.map(drop).map_err(ScoreError::write(to))
    })
}

/// Sorted numbers with consecutive ones joined: `3, 17-19`.
fn ranges(numbers: &[usize]) -> String {
    let mut ranges: Vec<(usize, usize)> = Vec::new();
    for &number in numbers {
        match ranges.last_mut() {
            Some((_, last)) if *last + 1 == number => *last = number,
            _ => ranges.push((number, number)),
        }
    }
    let shown = ranges.iter().map(|(first, last)| match first == last {
        true => first.to_string(),
        false => format!("{first}-{last}"),
    });
    shown.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_parts_are_named_as_ranges() {
        assert_eq!(ranges(&[3, 17, 18, 19, 21]), "3, 17-19, 21");
    }
}
