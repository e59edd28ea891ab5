//! Reads files as bytes.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::Path;

use bytes::Bytes;
use nezha_graphs::{LFS_POINTER, map_file};

use super::CheckpointError;

/// The bytes of the file at `path`: mapped, or read into memory if `mmap` is false.
pub(crate) fn load(path: &Path, mmap: bool) -> Result<Bytes, CheckpointError> {
    require_file(path)?;
    // If another process shortens the file while it is mapped, the next read beyond its new end
    // ends this process. That can't be prevented here; `OpenOptions::mmap = false` avoids it.
    let bytes = match mmap {
        true => map_file(path),
        false => fs::read(path).map(Bytes::from),
    };
    bytes.map_err(|source| unreadable(path, source))
}

/// A range of the file at `path`, read into memory.
pub(super) fn read_range(path: &Path, range: Range<u64>) -> Result<Bytes, CheckpointError> {
    let unreadable = |source| unreadable(path, source);
    let length = range.end.saturating_sub(range.start);
    let mut file = File::open(path).map_err(unreadable)?;
    file.seek(SeekFrom::Start(range.start))
        .map_err(unreadable)?;
    let mut bytes = Vec::new();
    file.take(length)
        .read_to_end(&mut bytes)
        .map_err(unreadable)?;
    match bytes.len() as u64 == length {
        true => Ok(bytes.into()),
        false => Err(unreadable(ErrorKind::UnexpectedEof.into())),
    }
}

/// The text of the file at `path`.
pub(super) fn load_text(path: &Path) -> Result<String, CheckpointError> {
    require_file(path)?;
    fs::read_to_string(path).map_err(|source| unreadable(path, source))
}

/// Refuses anything but a file before opening it: opening a pipe would block, and opening a folder
/// fails late.
pub(super) fn require_file(path: &Path) -> Result<(), CheckpointError> {
    let metadata = fs::metadata(path).map_err(|source| unreadable(path, source))?;
    if metadata.is_file() {
        Ok(())
    } else {
        Err(CheckpointError::NotAFile {
            path: path.to_owned(),
        })
    }
}

/// Refuses a Git LFS pointer, the small text that Git leaves in place of a large file.
pub(crate) fn refuse_lfs_pointer(path: &Path) -> Result<(), CheckpointError> {
    require_file(path)?;
    let mut start = Vec::new();
    File::open(path)
        .and_then(|file| file.take(LFS_POINTER.len() as u64).read_to_end(&mut start))
        .map_err(|source| unreadable(path, source))?;
    if start == LFS_POINTER {
        return Err(CheckpointError::LfsPointer {
            path: path.to_owned(),
        });
    }
    Ok(())
}

/// The error for `path` when the operating system refuses to read it.
pub(super) fn unreadable(path: &Path, source: io::Error) -> CheckpointError {
    let path = path.to_owned();
    match source.kind() {
        ErrorKind::NotFound => CheckpointError::NotFound { path },
        _ => CheckpointError::Unreadable { path, source },
    }
}
