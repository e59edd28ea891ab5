//! Memory-mapped files.

#[cfg(not(any(unix, windows)))]
use std::fs;
#[cfg(any(unix, windows))]
use std::fs::File;
use std::io;
use std::path::Path;
#[cfg(any(unix, windows))]
use std::sync::{Arc, Mutex, PoisonError, Weak};

use bytes::Bytes;
#[cfg(any(unix, windows))]
use memmap2::Mmap;

/// The maps in use; [`release_pages`] looks them up.
#[cfg(any(unix, windows))]
static MAPS: Mutex<Vec<Weak<Mmap>>> = Mutex::new(Vec::new());

/// The owner of a map's [`Bytes`].
#[cfg(any(unix, windows))]
struct Owner(Arc<Mmap>);

#[cfg(any(unix, windows))]
impl AsRef<[u8]> for Owner {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

/// The bytes of the file at `path`, mapped.
///
/// Nobody may shorten the file while the bytes are in use: reading a page that no longer exists
/// ends the process. If another process writes to the file meanwhile, the bytes may change.
///
/// # Errors
/// The operating system's error.
#[cfg(any(unix, windows))]
#[allow(
    unsafe_code,
    reason = "mapping a file; this module has all of the crate's"
)]
pub fn map_file(path: impl AsRef<Path>) -> io::Result<Bytes> {
    let file = File::open(path)?;
    // SAFETY: the map is private and is only read, as bytes, for which every bit pattern is valid.
    // The contract of this function forbids shortening the file.
    let map = Arc::new(unsafe { Mmap::map(&file) }?);
    let mut maps = MAPS.lock().unwrap_or_else(PoisonError::into_inner);
    maps.retain(|it| it.strong_count() > 0);
    maps.push(Arc::downgrade(&map));
    Ok(Bytes::from_owner(Owner(map)))
}

/// The bytes of the file at `path`, read into memory: this system can't map files.
///
/// # Errors
/// The operating system's error.
#[cfg(not(any(unix, windows)))]
pub fn map_file(path: impl AsRef<Path>) -> io::Result<Bytes> {
    fs::read(path).map(Bytes::from)
}

/// Releases the memory pages of these bytes if they belong to a [mapped file](map_file): for
/// weights that were copied, and for files that are read once. The bytes stay valid: the next
/// access reads them from the file again. On Windows, and for other memory, nothing happens.
pub fn release_pages(bytes: &[u8]) {
    #[cfg(unix)]
    if let Some((map, offset)) = map_of(bytes) {
        release(&map, offset, bytes.len());
    }
    #[cfg(not(unix))]
    let _ = bytes;
}

/// The map that contains these bytes, and their offset in it.
#[cfg(unix)]
fn map_of(bytes: &[u8]) -> Option<(Arc<Mmap>, usize)> {
    let maps = MAPS.lock().unwrap_or_else(PoisonError::into_inner);
    let mut maps = maps.iter().filter_map(Weak::upgrade);
    maps.find_map(|map| {
        let offset = (bytes.as_ptr().addr()).checked_sub(map.as_ptr().addr())?;
        let end = offset.checked_add(bytes.len())?;
        (end <= map.len()).then_some((map, offset))
    })
}

#[cfg(unix)]
#[allow(unsafe_code, reason = "advice that drops pages")]
fn release(map: &Mmap, offset: usize, length: usize) {
    use memmap2::UncheckedAdvice;

    // SAFETY: nobody writes to the map, so its pages equal the file's, and are read from the file
    // again at the next access.
    let advised = unsafe { map.unchecked_advise_range(UncheckedAdvice::DontNeed, offset, length) };
    // If the system refuses, the pages stay in memory, which does no harm.
    drop(advised);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Kilobytes of files in this process's memory.
    #[cfg(target_os = "linux")]
    fn pages_of_files() -> u64 {
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let line = status.lines().find_map(|it| it.strip_prefix("RssFile:"));
        let number = line.and_then(|it| it.split_whitespace().next());
        number.unwrap().parse().unwrap()
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn released_pages_leave_the_process_and_are_read_again() {
        let content: Vec<u8> = (0..64_usize << 20).map(|it| (it / 4096) as u8).collect();
        let file = tempfile::NamedTempFile::new().unwrap();
        crate::files::write_file(file.path(), &content).unwrap();
        let bytes = map_file(file.path()).unwrap();
        assert!(bytes == content);
        let before = pages_of_files();
        release_pages(&bytes[1..]);
        let after = pages_of_files();
        assert!(before - after > 60 << 10, "{before} kB, then {after} kB");
        assert!(bytes == content, "read again");
    }

    #[test]
    fn bytes_of_other_memory_stay() {
        let content = vec![7; 1 << 20];
        release_pages(&content);
        release_pages(&[]);
        assert!(content.iter().all(|it| *it == 7));
    }
}
