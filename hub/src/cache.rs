//! The cache in the layout of the hub's own tools:
//!
//! ```text
//! models--OWNER--NAME/blobs/CHECKSUM              the content of a file
//! models--OWNER--NAME/blobs/CHECKSUM.incomplete   the part of it that has arrived
//! models--OWNER--NAME/snapshots/COMMIT/FILE       a link to the content
//! models--OWNER--NAME/refs/REVISION               the commit that a branch or tag stands for
//! .locks/models--OWNER--NAME/CHECKSUM.lock        held by the process that downloads it
//! ```

use std::fs::{self, File};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

use crate::checksum::Checksum;
use crate::files::{CONFIGS, Needed, Weights, shards};
use crate::id::is_commit;
use crate::{HubError, ModelId};

/// The cache folder, for all models.
#[derive(Debug)]
pub(crate) struct Cache {
    folder: PathBuf,
}

impl Cache {
    pub(crate) fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// A commit of `model` in the cache.
    pub(crate) fn revision(&self, model: &ModelId, commit: &str) -> Revision {
        Revision {
            model: self.folder.join(model.folder()),
            locks: self.folder.join(".locks").join(model.folder()),
            commit: commit.to_owned(),
        }
    }

    /// The snapshot of `model`, if the cache has all files that a checkpoint needs.
    pub(crate) fn snapshot(&self, model: &ModelId) -> Result<Option<Revision>, HubError> {
        let commit = match model.is_commit() {
            true => model.revision().to_owned(),
            false => {
                let branch = self.folder.join(model.folder()).join("refs");
                let branch = branch.join(model.revision());
                match fs::read_to_string(&branch) {
                    Ok(commit) => commit.trim().to_owned(),
                    Err(error) if is_absent(&error) => return Ok(None),
                    Err(source) => return Err(failed(&branch, source)),
                }
            }
        };
        if !is_commit(&commit) {
            return Ok(None);
        }
        let revision = self.revision(model, &commit);
        Ok(revision.is_complete()?.then_some(revision))
    }
}

/// A commit of a model in the cache.
#[derive(Clone)]
pub(crate) struct Revision {
    /// The folder of the model.
    model: PathBuf,
    locks: PathBuf,
    pub commit: String,
}

impl Revision {
    /// The folder of its files.
    pub(crate) fn folder(&self) -> PathBuf {
        self.model.join("snapshots").join(&self.commit)
    }

    /// The path of one of its files.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.folder().join(name)
    }

    /// Whether one of its files is there.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.file(name).is_file()
    }

    /// The path of the content with this checksum.
    pub(crate) fn content(&self, checksum: &Checksum) -> PathBuf {
        self.model.join("blobs").join(checksum.digits())
    }

    /// The path of content while it arrives.
    pub(crate) fn incomplete(&self, checksum: &Checksum) -> PathBuf {
        let name = format!("{}.incomplete", checksum.digits());
        self.model.join("blobs").join(name)
    }

    /// Creates the folders, and waits until no other process downloads the same content.
    pub(crate) fn lock(&self, checksum: &Checksum) -> Result<File, HubError> {
        for folder in [self.model.join("blobs"), self.locks.clone()] {
            fs::create_dir_all(&folder).map_err(|source| failed(&folder, source))?;
        }
        let path = self.locks.join(format!("{}.lock", checksum.digits()));
        #[expect(clippy::disallowed_methods, reason = "a lock has no content")]
        let lock = File::create(&path).and_then(|file| file.lock().map(|()| file));
        lock.map_err(|source| failed(&path, source))
    }

    /// Links content under the name of a file of this commit.
    pub(crate) fn link(&self, name: &str, checksum: &Checksum) -> Result<(), HubError> {
        let path = self.file(name);
        let folder = self.folder();
        let linked = fs::create_dir_all(&folder).and_then(|()| {
            match link(&self.content(checksum), &path) {
                // A faster process has made the same link; a broken link is replaced.
                Err(error) if error.kind() == ErrorKind::AlreadyExists && !path.exists() => {
                    fs::remove_file(&path)?;
                    link(&self.content(checksum), &path)
                }
                Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
                linked => linked,
            }
        });
        linked.map_err(|source| failed(&path, source))
    }

    /// Makes the revision of `model` point to this commit.
    pub(crate) fn publish(&self, model: &ModelId) -> Result<(), HubError> {
        if model.is_commit() {
            return Ok(());
        }
        let path = self.model.join("refs").join(model.revision());
        let Some(folder) = path.parent() else {
            return Ok(());
        };
        let written = fs::create_dir_all(folder).and_then(|()| {
            let mut file = tempfile::NamedTempFile::new_in(folder)?;
            file.write_all(self.commit.as_bytes())?;
            Ok(file.persist(&path)?)
        });
        written.map(drop).map_err(|source| failed(&path, source))
    }

    fn is_complete(&self) -> Result<bool, HubError> {
        let folder = self.folder();
        let entries = match fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(error) if is_absent(&error) => return Ok(false),
            Err(source) => return Err(failed(&folder, source)),
        };
        let mut files = Vec::new();
        for entry in entries {
            let name = entry.map_err(|source| failed(&folder, source))?.file_name();
            let name = name.to_string_lossy().into_owned();
            // A link may be broken.
            if self.has(&name) {
                files.push(name);
            }
        }
        let has = |name: &str| files.iter().any(|file| file == name);
        if !CONFIGS.into_iter().any(has) {
            return Ok(false);
        }
        let Ok(needed) = Needed::of(&files) else {
            return Ok(false);
        };
        Ok(match needed.weights {
            Weights::Whole => true,
            Weights::Index(index) => shards(&self.file(&index))?.iter().all(|it| has(it)),
        })
    }
}

/// A relative link in the model's folder, so that the cache can be moved.
#[cfg(unix)]
fn link(content: &Path, path: &Path) -> io::Result<()> {
    let name = content.file_name().unwrap_or_default();
    std::os::unix::fs::symlink(Path::new("../../blobs").join(name), path)
}

/// A second name of the same content, because few users may create symbolic links here.
#[cfg(not(unix))]
fn link(content: &Path, path: &Path) -> io::Result<()> {
    match fs::hard_link(content, path) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => fs::copy(content, path).map(drop),
        linked => linked,
    }
}

fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory)
}

fn failed(path: &Path, source: io::Error) -> HubError {
    HubError::Cache {
        path: path.to_owned(),
        source,
    }
}
