//! Files that are read where they lie.

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

/// The maps in use, for [`release_pages`].
#[cfg(any(unix, windows))]
static MAPS: Mutex<Vec<Weak<Mmap>>> = Mutex::new(Vec::new());

/// What [`Bytes`] asks for its bytes.
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
/// Nobody may shorten the file while they are in use: reading a page that is gone ends the process.
/// What another process writes to the file meanwhile may be read.
///
/// # Errors
/// What the operating system says.
#[cfg(any(unix, windows))]
#[allow(
    unsafe_code,
    reason = "mapping a file; this module has all of the crate's"
)]
pub fn map_file(path: impl AsRef<Path>) -> io::Result<Bytes> {
    let file = File::open(path)?;
    // SAFETY: the map is private and only ever read, as bytes, for which every bit pattern is valid.
    // That nobody shortens the file is part of the contract.
    let map = Arc::new(unsafe { Mmap::map(&file) }?);
    let mut maps = MAPS.lock().unwrap_or_else(PoisonError::into_inner);
    maps.retain(|it| it.strong_count() > 0);
    maps.push(Arc::downgrade(&map));
    Ok(Bytes::from_owner(Owner(map)))
}

/// The bytes of the file at `path`, in memory: this system maps no files.
///
/// # Errors
/// What the system says.
#[cfg(not(any(unix, windows)))]
pub fn map_file(path: impl AsRef<Path>) -> io::Result<Bytes> {
    fs::read(path).map(Bytes::from)
}

/// Gives the pages back that these bytes take where they are of a [mapped file](map_file): for weights that
/// were copied, and files that were read once. The bytes stay as they are, and are read from the file
/// when somebody looks at them again. Nothing happens to bytes in other memory, and on Windows.
pub fn release_pages(bytes: &[u8]) {
    #[cfg(unix)]
    if let Some((map, offset)) = map_of(bytes) {
        release(&map, offset, bytes.len());
    }
    #[cfg(not(unix))]
    let _ = bytes;
}

/// The map that these bytes are in, and where.
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

    // SAFETY: nobody writes to the map, so that its pages are the file's, and are so again when they are
    // next read.
    let advised = unsafe { map.unchecked_advise_range(UncheckedAdvice::DontNeed, offset, length) };
    // Where the system refuses, the pages stay: there is nothing that anybody could do.
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
