//! Files that appear whole or not at all.

use std::fs::{self, File};
use std::io::{BufWriter, ErrorKind, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use crate::ScoreError;

/// How the names of files in the making start and end.
const PARTIAL: (&str, &str) = (".nezha-", ".partial");

/// Has `write` fill a file beside `path`, and puts it there in one step.
pub(crate) fn replace<T>(
    path: &Path,
    write: impl FnOnce(&mut (dyn Write + Send)) -> Result<T, ScoreError>,
) -> Result<T, ScoreError> {
    let (file, written) = staged(path, write)?;
    let persisted = file.persist(path);
    persisted.map_err(|it| ScoreError::write(path)(it.error))?;
    sync_folder(folder_of(path))?;
    Ok(written)
}

/// As [`replace`], but leaves what is there: whether it is ours that is there now.
pub(crate) fn put_once(
    path: &Path,
    write: impl FnOnce(&mut (dyn Write + Send)) -> Result<(), ScoreError>,
) -> Result<bool, ScoreError> {
    let (file, ()) = staged(path, write)?;
    let ours = match file.persist_noclobber(path) {
        Ok(_) => true,
        Err(refused) if refused.error.kind() == ErrorKind::AlreadyExists => false,
        // A file system without hard links: the content is the same, whoever comes last.
        Err(refused) => {
            let persisted = refused.file.persist(path);
            persisted.map_err(|it| ScoreError::write(path)(it.error))?;
            true
        }
    };
    sync_folder(folder_of(path))?;
    Ok(ours)
}

/// The folder that a file is in.
pub(crate) fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

fn staged<T>(
    path: &Path,
    write: impl FnOnce(&mut (dyn Write + Send)) -> Result<T, ScoreError>,
) -> Result<(NamedTempFile, T), ScoreError> {
    let failed = ScoreError::write(path);
    let mut builder = tempfile::Builder::new();
    builder.prefix(PARTIAL.0).suffix(PARTIAL.1);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(fs::Permissions::from_mode(0o666));
    }
    let file = builder.tempfile_in(folder_of(path)).map_err(&failed)?;
    let mut out = BufWriter::with_capacity(1 << 20, file.as_file());
    let written = write(&mut out)?;
    out.flush().map_err(&failed)?;
    drop(out);
    file.as_file().sync_all().map_err(&failed)?;
    Ok((file, written))
}

/// Makes renames in a folder last through a crash of the machine, where the system has the means.
pub(crate) fn sync_folder(folder: &Path) -> Result<(), ScoreError> {
    if !cfg!(unix) {
        return Ok(());
    }
    let synced = File::open(folder).and_then(|it| it.sync_all());
    synced.map_err(ScoreError::write(folder))
}

/// Removes what killed runs left in a folder, as far as it can be: leftovers do no harm.
pub(crate) fn remove_partial(folder: &Path) {
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
