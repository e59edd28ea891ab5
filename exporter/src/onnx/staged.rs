use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use super::WriteError;

/// How the names of files in the making start and end.
const PARTIAL: (&str, &str) = (".nezha-", ".partial");

/// A file that is complete and on disk, but not yet under its name; it deletes itself unless
/// [persisted](Self::persist).
pub struct Staged(NamedTempFile);

impl Staged {
    /// Has `write` fill a new file in `folder`, and syncs it.
    ///
    /// # Errors
    /// [`WriteError::File`] where the file system refuses, and whatever `write` gives.
    pub fn new<T>(
        folder: &Path,
        write: impl FnOnce(&mut BufWriter<&mut File>) -> Result<T, WriteError>,
    ) -> Result<(Self, T), WriteError> {
        let at = |source| WriteError::File {
            path: folder.to_owned(),
            source,
        };
        let mut temporary = temporary_file(folder).map_err(at)?;
        let mut buffered = BufWriter::with_capacity(1 << 20, temporary.as_file_mut());
        let written = write(&mut buffered).map_err(|error| match error {
            WriteError::Io(source) => at(source),
            other => other,
        })?;
        buffered.flush().map_err(at)?;
        drop(buffered);
        temporary.as_file().sync_all().map_err(at)?;
        Ok((Self(temporary), written))
    }

    /// Gives the file its name, in place of what had it before.
    ///
    /// # Errors
    /// [`WriteError::File`].
    pub fn persist(self, path: &Path) -> Result<(), WriteError> {
        let persisted = self.0.persist(path);
        persisted.map(drop).map_err(|error| WriteError::File {
            path: path.to_owned(),
            source: error.error,
        })
    }
}

/// Puts a file at `path` in one step: `write` fills a temporary file beside it, which is synced and
/// then renamed. Whatever fails or is killed, `path` is the old file or the new one, whole.
///
/// # Errors
/// [`WriteError::Exists`] unless `force`; [`WriteError::File`] with the path where the file system
/// refuses; and whatever `write` gives.
pub fn replace_file(
    path: &Path,
    force: bool,
    write: impl FnOnce(&mut BufWriter<&mut File>) -> Result<(), WriteError>,
) -> Result<(), WriteError> {
    if !force && path.symlink_metadata().is_ok() {
        return Err(WriteError::Exists {
            path: path.to_owned(),
        });
    }
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let (staged, ()) = Staged::new(folder, write)?;
    staged.persist(path)?;
    sync_folder(folder)
}

/// Makes renames in `folder` last through a crash of the machine, where the system has the means.
///
/// # Errors
/// [`WriteError::File`].
pub fn sync_folder(folder: &Path) -> Result<(), WriteError> {
    if !cfg!(unix) {
        return Ok(());
    }
    let synced = File::open(folder).and_then(|it| it.sync_all());
    synced.map_err(|source| WriteError::File {
        path: folder.to_owned(),
        source,
    })
}

/// Removes what killed exports left in `folder`, as far as it can be: leftovers do no harm.
///
/// Nothing may be writing to the folder.
pub fn remove_partial_files(folder: &Path) {
    let Ok(entries) = fs::read_dir(folder) else {
        return;
    };
    let partial = |path: &PathBuf| {
        let name = path.file_name().and_then(|it| it.to_str());
        name.is_some_and(|it| it.starts_with(PARTIAL.0) && it.ends_with(PARTIAL.1))
    };
    for path in entries.flatten().map(|it| it.path()).filter(partial) {
        let _ = fs::remove_file(path);
    }
}

/// A temporary file with the permissions of any new file.
fn temporary_file(folder: &Path) -> io::Result<NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(PARTIAL.0).suffix(PARTIAL.1);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(fs::Permissions::from_mode(0o666));
    }
    builder.tempfile_in(folder)
}
