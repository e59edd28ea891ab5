//! Libraries of this machine that engines are in: loaded at run time, never linked.
//!
//! [`ort_library`](crate::ort_library) and [`openvino_library`](crate::openvino_library) look for
//! theirs in this order, and take the first that is new enough:
//!
//! 1. the path that is given, a file or the folder that holds it;
//! 2. an environment variable, likewise;
//! 3. where a Python interpreter runs this, the package beside it ([`set_interpreter_packages`]);
//! 4. the cache that [`setup`](crate::setup) fills;
//! 5. the package of the active Python environment (`VIRTUAL_ENV`, `CONDA_PREFIX`), then that of the
//!    `python3` on the path;
//! 6. the system: the loader's search path, the standard folders, `ldconfig`'s cache.
//!
//! What the user names (1 and 2) is taken or refused; only the rest is a search.

#[cfg(feature = "setup")]
mod search;

use std::fmt;
use std::path::PathBuf;
use std::sync::OnceLock;

use serde::{Serialize, Serializer};

#[cfg(feature = "setup")]
pub(crate) use self::search::Product;

/// Folders of packages of the interpreter that this process is.
static INTERPRETER_PACKAGES: OnceLock<Vec<PathBuf>> = OnceLock::new();

/// Says that a Python interpreter runs this, and where its packages are: the folders that may hold
/// `onnxruntime` and `openvino`.
///
/// The first call counts.
pub fn set_interpreter_packages(folders: Vec<PathBuf>) {
    INTERPRETER_PACKAGES.get_or_init(|| folders);
}

#[cfg(feature = "setup")]
pub(crate) fn interpreter_packages() -> Option<&'static [PathBuf]> {
    INTERPRETER_PACKAGES.get().map(Vec::as_slice)
}

/// A library that will do.
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
    /// Named by the caller.
    Option,
    /// Named by this environment variable.
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

/// A place without a library that can be used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RejectedLibrary {
    /// How the place came up.
    pub source: LibrarySource,
    /// The library; `None` where the place holds none.
    pub path: Option<PathBuf>,
    /// What is wrong.
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

/// There is no library that can be used.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
#[error(
    "no {product} of version {oldest} or later; tried{}\n`{setup}` installs one",
    rejected.iter().map(|it| format!("\n  {it}")).collect::<String>()
)]
#[non_exhaustive]
pub struct LibraryError {
    /// What was looked for, such as `ONNX Runtime`.
    pub product: &'static str,
    /// The oldest version that would do.
    pub oldest: &'static str,
    /// The command that installs one.
    pub setup: &'static str,
    /// What was tried, in order.
    pub rejected: Vec<RejectedLibrary>,
}
