//! Atomic writing: a file is written beside its destination, synced, then renamed, so it is
//! complete or absent.

use std::fs::{self, File};
use std::io::{self, BufWriter, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use tempfile::NamedTempFile;

/// Why a file was not written. The file that was there before is unchanged.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FileError {
    /// The destination exists already.
    #[error("{} exists already, and the option 'force' is off", path.display())]
    Exists {
        /// The destination.
        path: PathBuf,
    },
    /// The file system refuses to write.
    #[error("{}: can't be written{}", path.display(), advice(source))]
    Write {
        /// The file or folder.
        path: PathBuf,
        /// The operating system's error.
        source: io::Error,
    },
}

impl FileError {
    /// The error for `path` when the file system refuses to write there.
    pub fn write(path: impl Into<PathBuf>, source: io::Error) -> Self {
        FileError::Write {
            path: path.into(),
            source,
        }
    }
}

/// Advice for an error of the file system.
fn advice(error: &io::Error) -> &'static str {
    match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
            " (free some space or choose a folder on another disk)"
        }
        ErrorKind::FileTooLarge => " (choose a folder on a file system that takes larger files)",
        ErrorKind::ReadOnlyFilesystem | ErrorKind::PermissionDenied => {
            " (choose a folder that you may write to)"
        }
        _ => "",
    }
}

/// Prefix and suffix of the names of partial files.
const PARTIAL: (&str, &str) = (".nezha-", ".partial");

/// Bytes after which a sync begins, so that the disk doesn't stay idle until everything is written.
const EARLY: usize = 32 << 20;

/// A file that is complete and synced, but doesn't have its final name yet. It is deleted on drop
/// unless it is [persisted](Self::persist).
#[derive(Debug)]
pub struct Staged(NamedTempFile);

impl Staged {
    /// Lets `write` fill a new file in `folder`, then syncs it.
    ///
    /// # Errors
    /// [`FileError::Write`] if the file system refuses, even if `write` returned another error for
    /// it; any other error that `write` returns.
    pub fn new<T, E: From<FileError>>(
        folder: &Path,
        write: impl FnOnce(&mut (dyn Write + Send)) -> Result<T, E>,
    ) -> Result<(Self, T), E> {
        let at = |source| FileError::write(folder, source);
        let temporary = temporary_file(folder).map_err(at)?;
        let file = temporary.as_file();
        let written = thread::scope(|scope| {
            let (begin, begun) = sync_channel(1);
            let early = scope.spawn(|| sync_early(file, begun));
            let mut out = BufWriter::with_capacity(1 << 20, Early::new(file, begin));
            let written = write(&mut out);
            let flushed = match &written {
                Ok(_) => out.flush(),
                Err(_) => Ok(()),
            };
            let (out, _) = out.into_parts();
            if let Some(refused) = out.refused {
                return Err(at(refused).into());
            }
            flushed.map_err(at)?;
            let written = written?;
            drop(out.begin);
            // A sync reports a failed write only once, and the other thread may be the one that
            // hears of it.
            early
                .join()
                .unwrap_or_else(|_| file.sync_all())
                .and_then(|()| file.sync_all())
                .map_err(at)?;
            Ok(written)
        });
        written.map(|written| (Self(temporary), written))
    }

    /// Renames the file to `path`, and replaces the file that was there.
    ///
    /// # Errors
    /// [`FileError::Write`].
    pub fn persist(self, path: &Path) -> Result<(), FileError> {
        let persisted = self.0.persist(path);
        persisted
            .map(drop)
            .map_err(|error| FileError::write(path, error.error))
    }

    /// Renames the file to `path` unless a file exists there, which is then kept. Returns whether
    /// this file is at `path` now.
    ///
    /// The file system decides which of several writers was first. A file system without hard links
    /// can't: there the last writer replaces the others' files.
    ///
    /// # Errors
    /// [`FileError::Write`].
    pub fn persist_first(self, path: &Path) -> Result<bool, FileError> {
        match self.0.persist_noclobber(path) {
            Ok(_) => Ok(true),
            Err(refused) if refused.error.kind() == ErrorKind::AlreadyExists => Ok(false),
            Err(refused) => Self(refused.file).persist(path).map(|()| true),
        }
    }
}

/// A file that tells a syncing thread from time to time that there is something to sync.
struct Early<'f> {
    file: &'f File,
    begin: SyncSender<()>,
    unsynced: usize,
    /// The file system's error, if it refused to write.
    refused: Option<io::Error>,
}

impl<'f> Early<'f> {
    fn new(file: &'f File, begin: SyncSender<()>) -> Self {
        Self {
            file,
            begin,
            unsynced: 0,
            refused: None,
        }
    }

    /// Keeps the error, and returns a similar one.
    fn refuse(&mut self, error: io::Error) -> io::Error {
        let like_it = match error.raw_os_error() {
            Some(code) => io::Error::from_raw_os_error(code),
            None => error.kind().into(),
        };
        if error.kind() != ErrorKind::Interrupted {
            self.refused = Some(error);
        }
        like_it
    }
}

impl Write for Early<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // Writes are limited in size, since a large tensor comes in one piece.
        let part = &bytes[..bytes.len().min(EARLY)];
        let written = self.file.write(part).map_err(|it| self.refuse(it))?;
        self.unsynced += written;
        if self.unsynced >= EARLY {
            self.unsynced = 0;
            // If the last sync still runs, this one is skipped.
            let _ = self.begin.try_send(());
        }
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// Syncs each time it is told to.
fn sync_early(file: &File, begun: Receiver<()>) -> io::Result<()> {
    begun.iter().try_for_each(|()| file.sync_data())
}

/// Writes the file at `path` atomically: `write` fills a temporary file in the same folder, which
/// is synced and then renamed. Even if something fails or the process is killed, `path` is the
/// complete old file or the complete new one.
///
/// # Errors
/// [`FileError::Exists`] if the file exists and `force` is false; [`FileError::Write`] with the
/// path if the file system refuses; any error that `write` returns.
pub fn replace_file<E: From<FileError>>(
    path: &Path,
    force: bool,
    write: impl FnOnce(&mut (dyn Write + Send)) -> Result<(), E>,
) -> Result<(), E> {
    if !force && path.symlink_metadata().is_ok() {
        let path = path.to_owned();
        return Err(FileError::Exists { path }.into());
    }
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let (staged, ()) = Staged::new(folder, write)?;
    staged.persist(path)?;
    Ok(sync_folder(folder)?)
}

/// Writes these bytes to the file at `path` atomically, like [`replace_file`]; an existing file is
/// replaced.
///
/// # Errors
/// [`FileError::Write`].
pub fn write_file(path: impl AsRef<Path>, bytes: impl AsRef<[u8]>) -> Result<(), FileError> {
    let path = path.as_ref();
    replace_file(path, true, |out| {
        out.write_all(bytes.as_ref())
            .map_err(|source| FileError::write(path, source))
    })
}

/// Makes renames in `folder` survive a crash of the machine, if the system can.
///
/// # Errors
/// [`FileError::Write`].
pub fn sync_folder(folder: &Path) -> Result<(), FileError> {
    if !cfg!(unix) {
        return Ok(());
    }
    let synced = File::open(folder).and_then(|it| it.sync_all());
    synced.map_err(|source| FileError::write(folder, source))
}

/// Removes the partial files that killed exports left in `folder`. A file that can't be removed is
/// ignored: it does no harm.
///
/// Nothing else may be writing to the folder.
pub fn remove_partial_files(folder: &Path) {
    let Ok(entries) = fs::read_dir(folder) else {
        return;
    };
    let paths = entries.flatten().map(|it| it.path());
    for path in paths.filter(|it| is_partial(it)) {
        let _ = fs::remove_file(path);
    }
}

/// Whether this is the name of a partial file.
pub(crate) fn is_partial(path: &Path) -> bool {
    let name = path.file_name().and_then(|it| it.to_str());
    name.is_some_and(|it| it.starts_with(PARTIAL.0) && it.ends_with(PARTIAL.1))
}

/// A temporary file with the permissions of an ordinary new file.
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
