//! The folder of a work: the plan, and the parts that are done.
//!
//! The folder of `scored.parquet` is `scored.parquet.parts`. A part is written to a temporary file,
//! synced and then linked to its name. So under its name it is complete and exists once, no matter
//! which process made it and how often.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::ErrorKind;
use std::ops::Range;
use std::path::{Path, PathBuf};

use arrow_array::RecordBatch;
use nezha_graphs::files::remove_partial_files;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions};
use parquet::basic::Compression;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;

use crate::plan::{Plan, Planned};
use crate::scorer::Scorer;
use crate::{Manifest, Request, ScoreError, files};

const PLAN: &str = "plan.json";
const LOCK: &str = "lock";

/// A plan that is being worked on.
#[derive(Debug)]
pub struct Work {
    output: PathBuf,
    folder: PathBuf,
    plan: Plan,
    digest: String,
    /// Held by a process that plans, does the whole work or finishes it.
    lock: Option<File>,
}

/// What there is to do.
#[derive(Debug)]
pub enum Begun {
    /// Parts, some of which may already be done.
    Work(Box<Work>),
    /// Nothing: the output is complete.
    Finished(Box<Manifest>),
}

/// The counts of a part, or of several.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Rows.
    pub rows: u64,
    /// Rows with an error.
    pub failed: u64,
    /// Rows whose text was truncated.
    pub truncated: u64,
    /// Tokens that the model read.
    pub tokens: u64,
}

impl Counts {
    /// The sum of these and other counts.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            rows: self.rows + other.rows,
            failed: self.failed + other.failed,
            truncated: self.truncated + other.truncated,
            tokens: self.tokens + other.tokens,
        }
    }
}

impl Work {
    /// Makes the plan, or continues with an existing one.
    ///
    /// The work is locked for this process until the value is dropped. Workers that do single parts
    /// ignore the lock.
    ///
    /// # Errors
    /// [`ScoreError::Busy`] if another process has begun the work or finishes it;
    /// [`ScoreError::Differs`] if an input, the model, the engine or an option is not what was
    /// planned; [`ScoreError::Exists`]; and the errors of an invalid request.
    pub fn begin(request: &Request, scorer: &dyn Scorer) -> Result<Begun, ScoreError> {
        let output = absolute(&request.output)?;
        let folder = folder_of(&output);
        let finished = Manifest::load(&output)?;
        let there = folder.join(PLAN).is_file();
        if finished.is_none() && !there && is_taken(&output) {
            return Err(ScoreError::Exists { path: output });
        }
        let outline = Plan::outline(request, scorer, &folder)?;
        if let (Some(manifest), false) = (finished, there) {
            outline.check_same(&manifest.plan)?;
            // A run that was killed while it cleaned up has left this.
            let _ = fs::remove_dir_all(&folder);
            return Ok(Begun::Finished(Box::new(manifest)));
        }
        fs::create_dir_all(&folder).map_err(ScoreError::write(&folder))?;
        let lock = lock(&folder)?;
        let path = folder.join(PLAN);
        if path.is_file() {
            outline.check_same(&Plan::load(&path)?.plan)?;
        } else {
            clear(&folder)?;
            let plan = match outline.with_parts() {
                Ok(plan) => plan,
                Err(error) => {
                    // Nothing was begun, so nothing must be left.
                    let _ = fs::remove_dir_all(&folder);
                    return Err(error);
                }
            };
            files::put_first(&folder, &path, |out| {
                let written = serde_json::to_writer(&mut *out, &plan);
                written.map_err(|it| ScoreError::write(&path)(it.into()))
            })?;
        }
        Ok(Begun::Work(Box::new(Self::load(
            output,
            folder,
            Some(lock),
        )?)))
    }

    /// Deletes the work for an output, and the output if the work was finished.
    ///
    /// # Errors
    /// [`ScoreError::Busy`], [`ScoreError::Write`].
    pub fn discard(output: &Path) -> Result<(), ScoreError> {
        let output = absolute(output)?;
        let folder = folder_of(&output);
        let finished = Manifest::load(&output)?.is_some();
        if folder.is_dir() {
            let _lock = lock(&folder)?;
            fs::remove_dir_all(&folder).map_err(ScoreError::write(&folder))?;
        }
        if finished {
            Manifest::remove(&output)?;
            remove(&output)?;
        }
        Ok(())
    }

    /// Opens the work for an output, to do some of its parts or to inspect it.
    ///
    /// # Errors
    /// [`ScoreError::NoPlan`], [`ScoreError::Read`], [`ScoreError::Plan`].
    pub fn open(output: &Path) -> Result<Self, ScoreError> {
        let output = absolute(output)?;
        let folder = folder_of(&output);
        Self::load(output, folder, None)
    }

    /// Like [`open`](Self::open), but locks the work for this process.
    ///
    /// # Errors
    /// Those of [`open`](Self::open), and [`ScoreError::Busy`].
    pub fn open_alone(output: &Path) -> Result<Self, ScoreError> {
        let work = Self::open(output)?;
        let lock = lock(&work.folder)?;
        Ok(Self {
            lock: Some(lock),
            ..work
        })
    }

    fn load(output: PathBuf, folder: PathBuf, lock: Option<File>) -> Result<Self, ScoreError> {
        let Planned { plan, digest } = Plan::load(&folder.join(PLAN))?;
        Ok(Self {
            output,
            folder,
            plan,
            digest,
            lock,
        })
    }

    /// The plan.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// The plan's digest.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// Where the output goes.
    pub fn output(&self) -> &Path {
        &self.output
    }

    /// The folder of the parts.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// A part's file name; all numbers have the same number of digits.
    pub(crate) fn part_name(&self, part: usize, ending: &str) -> String {
        let digits = self.plan.parts.len().to_string().len().max(5);
        format!("part-{part:0digits$}.{ending}")
    }

    /// The path of a part's file, which exists once the part is done.
    pub fn part_path(&self, part: usize) -> PathBuf {
        self.folder.join(self.part_name(part, "parquet"))
    }

    /// Whether a part is done.
    pub fn is_done(&self, part: usize) -> bool {
        self.part_path(part).is_file()
    }

    /// The parts in a range that are not done.
    ///
    /// # Errors
    /// [`ScoreError::NoPart`] if the plan has fewer parts.
    pub fn missing(&self, parts: Range<usize>) -> Result<Vec<usize>, ScoreError> {
        let count = self.plan.parts.len();
        match parts.end > count {
            true => Err(ScoreError::NoPart {
                part: parts.end - 1,
                last: count - 1,
            }),
            false => Ok(parts.filter(|part| !self.is_done(*part)).collect()),
        }
    }

    /// Removes what killed runs have left. Call it only with the lock, while no worker does parts.
    pub fn remove_leftovers(&self) {
        remove_partial_files(&self.folder);
    }

    /// Writes a part's file, unless another process was faster.
    pub(crate) fn commit(
        &self,
        part: usize,
        batches: &[RecordBatch],
        counts: Counts,
    ) -> Result<(), ScoreError> {
        let path = self.part_path(part);
        let entries = [
            ("nezha.plan", self.digest.clone()),
            ("nezha.part", part.to_string()),
            ("nezha.failed", counts.failed.to_string()),
            ("nezha.truncated", counts.truncated.to_string()),
            ("nezha.tokens", counts.tokens.to_string()),
        ];
        let entries = entries.map(|(key, value)| KeyValue::new(key.to_owned(), value));
        let properties = WriterProperties::builder()
            .set_compression(Compression::SNAPPY)
            .set_key_value_metadata(Some(entries.to_vec()))
            .build();
        files::put_first(&self.folder, &path, |out| {
            let failed = ScoreError::parquet(&path);
            let writer = ArrowWriter::try_new(out, self.plan.schema(), Some(properties));
            let mut writer = writer.map_err(&failed)?;
            for batch in batches {
                writer.write(batch).map_err(&failed)?;
            }
            writer.finish().map_err(&failed)?;
            Ok(())
        })
    }

    /// The counts of a part that is done.
    ///
    /// # Errors
    /// What is wrong with its file, to be shown to people.
    pub(crate) fn check(&self, part: usize) -> Result<Counts, String> {
        let path = self.part_path(part);
        let file = File::open(&path).map_err(|error| match error.kind() {
            ErrorKind::NotFound => "missing".to_owned(),
            _ => error.to_string(),
        })?;
        let metadata = ArrowReaderMetadata::load(&file, ArrowReaderOptions::new());
        let metadata =
            metadata.map_err(|error| format!("cut short, or not a Parquet file: {error}"))?;
        let footer = metadata.metadata().file_metadata();
        let entries = footer.key_value_metadata();
        let entry = |key: &str| {
            let mut entries = entries.into_iter().flatten();
            entries
                .find(|it| it.key == key)
                .and_then(|it| it.value.as_deref())
                .ok_or_else(|| format!("its footer has no '{key}'"))
        };
        let number = |key: &str| {
            let number = entry(key)?.parse();
            number.map_err(|_| format!("'{key}' in its footer is not a number"))
        };
        if entry("nezha.plan")? != self.digest {
            return Err("it belongs to another plan".to_owned());
        }
        if entry("nezha.part")? != part.to_string() {
            return Err(format!("the file holds part {}", entry("nezha.part")?));
        }
        let expected = self.plan.parts.get(part).map_or(0, |it| it.rows);
        if footer.num_rows() != expected as i64 {
            return Err(format!("{} rows, expected {expected}", footer.num_rows()));
        }
        Ok(Counts {
            rows: expected as u64,
            failed: number("nezha.failed")?,
            truncated: number("nezha.truncated")?,
            tokens: number("nezha.tokens")?,
        })
    }

    /// Removes the folder, once the output is complete.
    pub(crate) fn remove(self) -> Result<(), ScoreError> {
        // The plan goes first: without it, the rest of an interrupted removal is not taken for a
        // work.
        let plan = self.folder.join(PLAN);
        fs::remove_file(&plan).map_err(ScoreError::write(&plan))?;
        // A worker that repeats a part may still be writing: the next work here removes its file.
        let _ = fs::remove_dir_all(&self.folder);
        drop(self.lock);
        Ok(())
    }
}

fn absolute(output: &Path) -> Result<PathBuf, ScoreError> {
    let absolute = std::path::absolute(output).map_err(ScoreError::read(output))?;
    let parent = files::folder_of(&absolute);
    let parent = parent.canonicalize().map_err(ScoreError::read(parent))?;
    Ok(parent.join(absolute.file_name().unwrap_or_default()))
}

/// The folder of the work for an output.
fn folder_of(output: &Path) -> PathBuf {
    let mut name = output.file_name().unwrap_or_default().to_owned();
    name.push(".parts");
    output.with_file_name(name)
}

/// Whether the output's path is in use; an empty folder doesn't count.
fn is_taken(output: &Path) -> bool {
    match fs::read_dir(output) {
        Ok(mut entries) => entries.next().is_some(),
        Err(_) => output.symlink_metadata().is_ok(),
    }
}

fn remove(output: &Path) -> Result<(), ScoreError> {
    let removed = match output.is_dir() {
        true => fs::remove_dir_all(output),
        false => fs::remove_file(output),
    };
    match removed {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(ScoreError::write(output)(error)),
        _ => Ok(()),
    }
}

/// Empties a folder without a plan: it has parts of earlier work.
fn clear(folder: &Path) -> Result<(), ScoreError> {
    for entry in fs::read_dir(folder).map_err(ScoreError::read(folder))? {
        let entry = entry.map_err(ScoreError::read(folder))?;
        if entry.file_name() != LOCK {
            remove(&entry.path())?;
        }
    }
    Ok(())
}

fn lock(folder: &Path) -> Result<File, ScoreError> {
    let path = folder.join(LOCK);
    let mut options = OpenOptions::new();
    options.create(true).truncate(false).write(true);
    let file = options.open(&path).map_err(ScoreError::write(&path))?;
    match file.try_lock() {
        Err(TryLockError::WouldBlock) => Err(ScoreError::Busy {
            path: folder.to_owned(),
        }),
        // On a file system without locks, parts are still written only once.
        Ok(()) | Err(TryLockError::Error(_)) => Ok(file),
    }
}
