//! What the tests of several packages share.
//!
//! - [`fixtures`]: small checkpoints with transformers' answers;
//! - [`compare`]: the one comparison of numbers and of lists, which looks at lengths first and names
//!   case, tensor, index and both values;
//! - `engines`: the table of engines with their tolerances, and a fixture's graph in
//!   one of them (feature `engines`);
//! - [`command`]: the binary `nezha` and what it printed;
//! - `faults`: kills at any moment, disks that are full;
//! - [`random`]: random cases that can be run again.

pub mod command;
pub mod compare;
#[cfg(feature = "engines")]
pub mod engines;
#[cfg(target_os = "linux")]
pub mod faults;
pub mod fixtures;
pub mod random;

use std::path::{Path, PathBuf};

/// A path in the repository.
pub fn repository(path: &str) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2);
    root.expect("two folders above this package").join(path)
}

/// The checkpoint of `tests/fixtures/<name>`, such as `reach-4/base`.
pub fn fixture_folder(name: &str) -> PathBuf {
    repository("tests/fixtures").join(name)
}
