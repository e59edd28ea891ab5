use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::{Artifact, WrittenFile};
use crate::onnx::{Links, Staged, WriteError, sync_folder};
use crate::verify::document_path;

/// The complete files of an export, none of which has its name yet.
pub(super) struct StagedFiles {
    pub weights: Option<StagedWeights>,
    /// Files beside the artifacts, and their names.
    pub sidecars: Vec<(Staged, PathBuf)>,
    pub artifacts: Vec<(Staged, Artifact)>,
}

/// An external weights file.
pub(super) struct StagedWeights {
    pub staged: Staged,
    pub file: WrittenFile,
    /// Where each weight lies in it.
    pub links: Links,
}

/// Files that have their names.
pub(super) struct Written {
    pub artifacts: Vec<Artifact>,
    pub weights: Option<WrittenFile>,
}

impl StagedFiles {
    /// Gives each file in `folder` its name; an artifact comes after all that it needs.
    pub fn commit(self, folder: &Path) -> Result<Written, WriteError> {
        let mut written = Written {
            artifacts: Vec::new(),
            weights: None,
        };
        if let Some(weights) = self.weights {
            weights.staged.persist(&weights.file.path)?;
            sync_folder(folder)?;
            written.weights = Some(weights.file);
        }
        for (staged, path) in self.sidecars {
            staged.persist(&path)?;
        }
        for (staged, artifact) in self.artifacts {
            // What an earlier verification said was said of another file.
            remove_if_there(&document_path(&artifact.file.path))?;
            staged.persist(&artifact.file.path)?;
            written.artifacts.push(artifact);
        }
        sync_folder(folder)?;
        Ok(written)
    }
}

fn remove_if_there(path: &Path) -> Result<(), WriteError> {
    match fs::remove_file(path) {
        Err(source) if source.kind() != ErrorKind::NotFound => Err(WriteError::File {
            path: path.to_owned(),
            source,
        }),
        _ => Ok(()),
    }
}
