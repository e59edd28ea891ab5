use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::plan::Plan;
use crate::{Counts, ScoreError, files};

/// The file beside an output that says how it was made, and that it is complete.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// The plan's digest.
    pub digest: String,
    /// Rows, as many as in the inputs.
    pub rows: u64,
    /// Rows with an error.
    pub failed: u64,
    /// Rows whose text was truncated.
    pub truncated: u64,
    /// Tokens that the model read.
    pub tokens: u64,
    /// The plan, without its parts.
    pub plan: Plan,
}

impl Manifest {
    pub(crate) fn new(plan: &Plan, digest: &str, counts: Counts) -> Self {
        Self {
            digest: digest.to_owned(),
            rows: counts.rows,
            failed: counts.failed,
            truncated: counts.truncated,
            tokens: counts.tokens,
            plan: plan.without_parts(),
        }
    }

    /// The manifest of an output; `None` if there is none, or if the output itself is missing.
    ///
    /// # Errors
    /// [`ScoreError::Read`], [`ScoreError::Plan`].
    pub fn load(output: &Path) -> Result<Option<Self>, ScoreError> {
        let path = Self::path(output);
        if !output.exists() {
            return Ok(None);
        }
        match fs::read(&path) {
            Ok(bytes) => match serde_json::from_slice(&bytes) {
                Ok(manifest) => Ok(Some(manifest)),
                Err(source) => Err(ScoreError::Plan { path, source }),
            },
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(ScoreError::read(&path)(error)),
        }
    }

    /// Writes it to `path`, staged in `folder`.
    pub(crate) fn save(&self, folder: &Path, path: &Path) -> Result<(), ScoreError> {
        files::put(folder, path, |out| {
            let written = serde_json::to_writer_pretty(out, self);
            written.map_err(|it| ScoreError::write(path)(it.into()))
        })
    }

    pub(crate) fn remove(output: &Path) -> Result<(), ScoreError> {
        let path = Self::path(output);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                Err(ScoreError::write(&path)(error))
            }
            _ => Ok(()),
        }
    }

    /// Its path: in the output folder, or beside the output file.
    pub(crate) fn path(output: &Path) -> PathBuf {
        match output.is_dir() {
            true => output.join(IN_FOLDER),
            false => {
                let mut name = output.file_name().unwrap_or_default().to_owned();
                name.push(".nezha.json");
                output.with_file_name(name)
            }
        }
    }
}

/// Its name in an output folder.
pub(crate) const IN_FOLDER: &str = "_nezha.json";
