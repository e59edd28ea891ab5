use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use tempfile::NamedTempFile;

use super::WriteError;

/// How the names of files in the making start and end.
const PARTIAL: (&str, &str) = (".nezha-", ".partial");

/// Bytes after which the disk is told to begin, so that it does not idle until all are there.
const EARLY: usize = 32 << 20;

/// A file that is complete and on disk, but not yet under its name; it deletes itself unless
/// [persisted](Self::persist).
#[derive(Debug)]
pub struct Staged(NamedTempFile);

impl Staged {
    /// Has `write` fill a new file in `folder`, and syncs it.
    ///
    /// # Errors
    /// [`WriteError::File`] where the file system refuses, and whatever `write` gives.
    pub fn new<T>(
        folder: &Path,
        write: impl FnOnce(&mut dyn Write) -> Result<T, WriteError>,
    ) -> Result<(Self, T), WriteError> {
        let at = |source| WriteError::File {
            path: folder.to_owned(),
            source,
        };
        let temporary = temporary_file(folder).map_err(at)?;
        let file = temporary.as_file();
        let written = thread::scope(|scope| {
            let (begin, begun) = sync_channel(1);
            let early = scope.spawn(|| sync_early(file, begun));
            let mut out = BufWriter::with_capacity(1 << 20, Early::new(file, begin));
            let written = write(&mut out)?;
            out.flush()?;
            drop(out);
            // What the disk could not take is said once only, perhaps to the other thread.
            early.join().unwrap_or_else(|_| file.sync_all())?;
            file.sync_all()?;
            Ok(written)
        });
        let written = written.map_err(|error| match error {
            WriteError::Io(source) => at(source),
            other => other,
        })?;
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

/// A file that says now and then that there is something to sync.
struct Early<'f> {
    file: &'f File,
    begin: SyncSender<()>,
    unsynced: usize,
}

impl<'f> Early<'f> {
    fn new(file: &'f File, begin: SyncSender<()>) -> Self {
        Self {
            file,
            begin,
            unsynced: 0,
        }
    }
}

impl Write for Early<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // Not more at a time, since a large tensor comes in one piece.
        let written = self.file.write(&bytes[..bytes.len().min(EARLY)])?;
        self.unsynced += written;
        if self.unsynced >= EARLY {
            self.unsynced = 0;
            // Where the last sync still runs, this one is left for later.
            let _ = self.begin.try_send(());
        }
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// Syncs whenever it is told to.
fn sync_early(file: &File, begun: Receiver<()>) -> io::Result<()> {
    begun.iter().try_for_each(|()| file.sync_data())
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
    write: impl FnOnce(&mut dyn Write) -> Result<(), WriteError>,
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
