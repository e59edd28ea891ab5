//! What starts this program again: some measurements are a process each.

use std::io;
use std::path::PathBuf;
use std::sync::OnceLock;

static PROGRAM: OnceLock<PathBuf> = OnceLock::new();

/// Says what starts this command again, where the process's own file does not, as in an interpreter.
///
/// The first call counts.
pub fn set_program(path: PathBuf) {
    PROGRAM.get_or_init(|| path);
}

/// What starts this command again.
pub(crate) fn program() -> io::Result<PathBuf> {
    PROGRAM
        .get()
        .cloned()
        .map_or_else(std::env::current_exe, Ok)
}
