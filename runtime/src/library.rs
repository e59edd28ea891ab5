//! The libraries of the engines: found on this machine and loaded at run time, never linked.
//!
//! [`ort_library`](crate::ort_library) and [`openvino_library`](crate::openvino_library) look for
//! their library in this order, and take the first that is new enough:
//!
//! 1. the path that the caller gives: the file, or the folder that holds it;
//! 2. the path in an environment variable, likewise;
//! 3. in a Python interpreter, the interpreter's own package ([`set_interpreter_packages`]);
//! 4. the cache that [`setup`](crate::setup) fills;
//! 5. the package of the active Python environment (`VIRTUAL_ENV`, `CONDA_PREFIX`), then that of
//!    the `python3` on the path;
//! 6. the system: the loader's search path, the standard folders, the cache of `ldconfig`.
//!
//! If the user names a path (1 or 2), nothing else is tried.

#[cfg(feature = "setup")]
mod search;

use std::fmt;
use std::path::PathBuf;
use std::sync::OnceLock;

use serde::{Serialize, Serializer};

#[cfg(feature = "setup")]
pub(crate) use self::search::Product;

/// The package folders of the Python interpreter that this process is.
static INTERPRETER_PACKAGES: OnceLock<Vec<PathBuf>> = OnceLock::new();

/// Tells that this process is a Python interpreter, and where its packages are: the folders that
/// may hold `onnxruntime` and `openvino`.
///
/// Only the first call has an effect.
pub fn set_interpreter_packages(folders: Vec<PathBuf>) {
    INTERPRETER_PACKAGES.get_or_init(|| folders);
}

#[cfg(feature = "setup")]
pub(crate) fn interpreter_packages() -> Option<&'static [PathBuf]> {
    INTERPRETER_PACKAGES.get().map(Vec::as_slice)
}

/// A library that can be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Library {
    /// The file.
    pub path: PathBuf,
    /// Its version, such as `1.31.1`.
    pub version: String,
    /// How it was found.
    pub source: LibrarySource,
    /// What was tried before it.
    pub rejected: Vec<RejectedLibrary>,
}

/// How a library was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LibrarySource {
    /// The caller named its path.
    Option,
    /// This environment variable names its path.
    Environment(&'static str),
    /// In the cache that `nezha setup` fills.
    Cache,
    /// In the active Python environment.
    Python,
    /// Where the system keeps libraries.
    System,
}

impl Serialize for LibrarySource {
    /// `option`, `environment`, `cache`, `python`, `system`.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(match self {
            LibrarySource::Option => "option",
            LibrarySource::Environment(_) => "environment",
            LibrarySource::Cache => "cache",
            LibrarySource::Python => "python",
            LibrarySource::System => "system",
        })
    }
}

impl fmt::Display for LibrarySource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            LibrarySource::Option => "named",
            LibrarySource::Environment(variable) => variable,
            LibrarySource::Cache => "cache of nezha setup",
            LibrarySource::Python => "Python environment",
            LibrarySource::System => "system",
        })
    }
}

/// A place where no usable library was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RejectedLibrary {
    /// How the place was chosen.
    pub source: LibrarySource,
    /// The library; `None` if the place holds none.
    pub path: Option<PathBuf>,
    /// Why it can't be used.
    pub reason: String,
}

impl fmt::Display for RejectedLibrary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.path {
            Some(path) => write!(f, "{}: {}: {}", self.source, path.display(), self.reason),
            None => write!(f, "{}: {}", self.source, self.reason),
        }
    }
}

/// No library can be used.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
#[error(
    "no {product} of version {oldest} or later; tried{}\n`{setup}` installs one",
    rejected.iter().map(|it| format!("\n  {it}")).collect::<String>()
)]
#[non_exhaustive]
pub struct LibraryError {
    /// What was looked for, such as `ONNX Runtime`.
    pub product: &'static str,
    /// The oldest version that is accepted.
    pub oldest: &'static str,
    /// The command that installs one.
    pub setup: &'static str,
    /// What was tried, in order.
    pub rejected: Vec<RejectedLibrary>,
}
