//! The files of a work. They are staged in its folder, so that a killed run leaves nothing
//! elsewhere.

use std::io::Write;
use std::path::Path;

use nezha_graphs::files::{Staged, sync_folder};

use crate::ScoreError;

/// Lets `write` fill a file in `folder`, then moves it to `path`, which must be on the same file
/// system.
pub(crate) fn put(
    folder: &Path,
    path: &Path,
    write: impl FnOnce(&mut (dyn Write + Send)) -> Result<(), ScoreError>,
) -> Result<(), ScoreError> {
    let (staged, ()) = Staged::new(folder, write)?;
    staged.persist(path)?;
    Ok(sync_folder(folder_of(path))?)
}

/// Like [`put`], but keeps a file that is already at `path`.
pub(crate) fn put_first(
    folder: &Path,
    path: &Path,
    write: impl FnOnce(&mut (dyn Write + Send)) -> Result<(), ScoreError>,
) -> Result<(), ScoreError> {
    let (staged, ()) = Staged::new(folder, write)?;
    staged.persist_first(path)?;
    Ok(sync_folder(folder_of(path))?)
}

/// The folder that a file is in.
pub(crate) fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}
