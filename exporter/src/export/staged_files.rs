use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use nezha_graphs::files::{FileError, Staged, sync_folder};

use super::document::Document;
use super::{Artifact, WrittenFile};
use crate::onnx::{Links, WriteError};

/// The complete files of an export, before any of them has its final name.
pub(super) struct StagedFiles {
    pub weights: Option<StagedWeights>,
    /// Files beside the artifacts, with their paths.
    pub sidecars: Vec<(Staged, PathBuf)>,
    pub artifacts: Vec<(Staged, Artifact)>,
}

/// An external weights file.
pub(super) struct StagedWeights {
    pub staged: Staged,
    pub file: WrittenFile,
    /// The place of each weight in the file.
    pub links: Links,
}

/// Files that have their final names.
pub(super) struct Written {
    pub artifacts: Vec<Artifact>,
    pub weights: Option<WrittenFile>,
}

impl StagedFiles {
    /// Renames each file in `folder` to its final name. An artifact is renamed after all files that
    /// it needs.
    pub(super) fn commit(self, folder: &Path) -> Result<Written, WriteError> {
        let folders = self.folders(folder);
        for folder in &folders {
            fs::create_dir_all(folder).map_err(|source| FileError::write(folder, source))?;
        }
        let mut written = Written {
            artifacts: Vec::new(),
            weights: None,
        };
        if let Some(weights) = self.weights {
            weights.staged.persist(&weights.file.path)?;
            folders.iter().try_for_each(|it| sync_folder(it))?;
            written.weights = Some(weights.file);
        }
        for (staged, path) in self.sidecars {
            staged.persist(&path)?;
        }
        for (staged, artifact) in self.artifacts {
            // Results that were written before are about the old file.
            for document in Document::ALL {
                remove_if_there(&document.path(&artifact.file.path))?;
            }
            staged.persist(&artifact.file.path)?;
            written.artifacts.push(artifact);
        }
        folders.iter().try_for_each(|it| sync_folder(it))?;
        Ok(written)
    }

    /// The folders that files are written to, `folder` first.
    fn folders(&self, folder: &Path) -> Vec<PathBuf> {
        let sidecars = self.sidecars.iter().map(|(_, path)| path);
        let artifacts = self.artifacts.iter().map(|(_, it)| &it.file.path);
        let mut folders = vec![folder.to_owned()];
        for parent in sidecars.chain(artifacts).filter_map(|it| it.parent()) {
            if folders.iter().all(|it| it != parent) {
                folders.push(parent.to_owned());
            }
        }
        folders
    }
}

fn remove_if_there(path: &Path) -> Result<(), FileError> {
    match fs::remove_file(path) {
        Err(source) if source.kind() != ErrorKind::NotFound => Err(FileError::write(path, source)),
        _ => Ok(()),
    }
}
