//! Where ONNX Runtime is: a library of this machine, loaded at run time, never linked.
//!
//! [`find`] looks in this order and takes the first that is new enough:
//!
//! 1. the path that is given, a file or the folder that holds it;
//! 2. the environment variable `ORT_DYLIB_PATH`, likewise;
//! 3. the cache that [`setup`] fills, the GPU build first;
//! 4. the `onnxruntime` package of the active Python environment (`VIRTUAL_ENV`, `CONDA_PREFIX`),
//!    then that of the `python3` on the path;
//! 5. the system: the loader's search path, the standard folders, `ldconfig`'s cache.
//!
//! What the user names (1 and 2) is taken or refused; only the rest is a search.

use std::env;
use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Serialize;

use crate::{native, setup};

/// The oldest ONNX Runtime that is accepted, as the `1.x` of its version.
pub const OLDEST_MINOR_VERSION: u32 = 20;

/// An ONNX Runtime library.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrtLibrary {
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum LibrarySource {
    /// Named by the caller.
    Option,
    /// Named by `ORT_DYLIB_PATH`.
    Environment,
    /// In the cache that `nezha setup` fills.
    Cache,
    /// In the active Python environment.
    Python,
    /// Where the system keeps libraries.
    System,
}

impl fmt::Display for LibrarySource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            LibrarySource::Option => "named",
            LibrarySource::Environment => "ORT_DYLIB_PATH",
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

/// There is no ONNX Runtime that can be used.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
#[error(
    "no ONNX Runtime of version 1.{OLDEST_MINOR_VERSION} or later; tried{}\n\
     `nezha setup` installs one",
    rejected.iter().map(|it| format!("\n  {it}")).collect::<String>()
)]
pub struct OrtLibraryError {
    /// What was tried, in order.
    pub rejected: Vec<RejectedLibrary>,
}

/// Looks for ONNX Runtime, in the order that the [module](self) describes.
///
/// A library that is tried is loaded, and stays loaded.
///
/// # Errors
/// [`OrtLibraryError`], with everything that was tried.
pub fn find(named: Option<&Path>) -> Result<OrtLibrary, OrtLibraryError> {
    let variable = env::var_os("ORT_DYLIB_PATH").filter(|path| !path.is_empty());
    let named = match (named, variable) {
        (Some(path), _) => Some((LibrarySource::Option, path.to_path_buf())),
        (None, Some(path)) => Some((LibrarySource::Environment, path.into())),
        (None, None) => None,
    };
    match named {
        Some((source, path)) => first_usable([(source, at(&path))], native::onnxruntime_version),
        None => {
            let places = [
                (LibrarySource::Cache, in_cache as fn() -> Vec<PathBuf>),
                (LibrarySource::Python, in_python),
                (LibrarySource::System, in_system),
            ];
            let places = places.into_iter().map(|(source, look)| (source, look()));
            first_usable(places, native::onnxruntime_version)
        }
    }
}

/// Whether `requested`, a file or a folder, is where the library `path` is.
pub(crate) fn is_at(path: &Path, requested: &Path) -> bool {
    let canonical = |path: &Path| path.canonicalize().ok();
    at(requested)
        .iter()
        .any(|it| canonical(it).is_some_and(|it| Some(it) == canonical(path)))
}

/// The first library that says a version and whose version will do.
fn first_usable(
    places: impl IntoIterator<Item = (LibrarySource, Vec<PathBuf>)>,
    version: impl Fn(&Path) -> Result<String, String>,
) -> Result<OrtLibrary, OrtLibraryError> {
    let mut rejected = Vec::new();
    for (source, libraries) in places {
        if libraries.is_empty() {
            rejected.push(RejectedLibrary {
                source,
                path: None,
                reason: "none there".to_owned(),
            });
        }
        for path in libraries {
            match version(&path).and_then(new_enough) {
                Ok(version) => {
                    return Ok(OrtLibrary {
                        path,
                        version,
                        source,
                        rejected,
                    });
                }
                Err(reason) => rejected.push(RejectedLibrary {
                    source,
                    path: Some(path),
                    reason,
                }),
            }
        }
    }
    Err(OrtLibraryError { rejected })
}

fn new_enough(version: String) -> Result<String, String> {
    let mut numbers = version.split('.').map(|it| it.parse::<u32>().ok());
    match (numbers.next().flatten(), numbers.next().flatten()) {
        (Some(1), Some(minor)) if minor >= OLDEST_MINOR_VERSION => Ok(version),
        _ => Err(format!(
            "version {version}, expected 1.{OLDEST_MINOR_VERSION} or later"
        )),
    }
}

/// A path that the user named: the file itself, or the libraries in the folder.
///
/// Absolute, because a bare file name would send the loader searching.
fn at(path: &Path) -> Vec<PathBuf> {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf());
    match path.is_dir() {
        true => in_folder(&path),
        false => vec![path],
    }
}

fn in_cache() -> Vec<PathBuf> {
    let folders = setup::Build::ALL.map(setup::folder);
    folders
        .iter()
        .rev()
        .flatten()
        .flat_map(|folder| in_folder(folder))
        .collect()
}

fn in_python() -> Vec<PathBuf> {
    let environments = ["VIRTUAL_ENV", "CONDA_PREFIX"]
        .into_iter()
        .filter_map(env::var_os)
        .filter(|path| !path.is_empty())
        .flat_map(|path| site_packages(Path::new(&path)))
        .map(|packages| packages.join("onnxruntime"));
    environments
        .chain(python_package())
        .flat_map(|package| in_folder(&package.join("capi")))
        .collect()
}

/// The package folders of a Python environment: one for each Python it has had.
fn site_packages(environment: &Path) -> Vec<PathBuf> {
    let pythons = entries(&environment.join("lib"))
        .into_iter()
        .filter(|path| file_name(path).starts_with("python"))
        .map(|path| path.join("site-packages"));
    let windows = environment.join("Lib").join("site-packages");
    pythons.chain([windows]).collect()
}

/// The folder of the package `onnxruntime`, as the Python on the path finds it, not importing it.
fn python_package() -> Option<PathBuf> {
    const CODE: &str = "import importlib.util, os\n\
        spec = importlib.util.find_spec('onnxruntime')\n\
        print(os.path.dirname(spec.origin) if spec and spec.origin else '')";
    let output = Command::new(setup::PYTHON)
        .args(["-c", CODE])
        .output()
        .ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    Some(text.trim())
        .filter(|path| output.status.success() && !path.is_empty())
        .map(PathBuf::from)
}

fn in_system() -> Vec<PathBuf> {
    let variable = match env::consts::OS {
        "windows" => "PATH",
        "macos" => "DYLD_LIBRARY_PATH",
        _ => "LD_LIBRARY_PATH",
    };
    let searched = env::var_os(variable).unwrap_or_else(OsString::new);
    let standard = [
        "/usr/local/lib",
        "/usr/local/lib64",
        "/usr/lib",
        "/usr/lib64",
        "/usr/lib/x86_64-linux-gnu",
        "/usr/lib/aarch64-linux-gnu",
        "/opt/homebrew/lib",
    ];
    env::split_paths(&searched)
        .filter(|folder| folder.is_absolute())
        .chain(standard.map(PathBuf::from))
        .flat_map(|folder| in_folder(&folder))
        .chain(in_ldconfig())
        .collect()
}

/// Lines of `ldconfig -p` look like `libonnxruntime.so.1 (libc6,x86-64) => /usr/lib/libonnxruntime.so.1`.
fn in_ldconfig() -> Vec<PathBuf> {
    let output = Command::new("ldconfig").arg("-p").output();
    let text = output.map_or(Vec::new(), |output| output.stdout);
    String::from_utf8_lossy(&text)
        .lines()
        .filter_map(|line| line.split_once(" => "))
        .map(|(_, path)| PathBuf::from(path.trim()))
        .filter(|path| is_library(path))
        .collect()
}

/// The libraries of a folder, sorted by name.
fn in_folder(folder: &Path) -> Vec<PathBuf> {
    let mut libraries = entries(folder);
    libraries.retain(|path| is_library(path));
    libraries.sort();
    libraries
}

/// `libonnxruntime.so`, with a version behind it or not, and its like on macOS and Windows.
fn is_library(path: &Path) -> bool {
    let name = file_name(path);
    match env::consts::OS {
        "windows" => name == "onnxruntime.dll",
        "macos" => name.starts_with("libonnxruntime.") && name.ends_with(".dylib"),
        _ => name == "libonnxruntime.so" || name.starts_with("libonnxruntime.so."),
    }
}

fn file_name(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default();
    name.to_string_lossy().into_owned()
}

/// What a folder holds; nothing where there is no such folder.
fn entries(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten();
    entries.flatten().map(|entry| entry.path()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(path: &Path) -> Result<String, String> {
        match path.to_str() {
            Some("new") => Ok("1.31.1".to_owned()),
            Some("old") => Ok("1.19.2".to_owned()),
            _ => Err("cannot open shared object file".to_owned()),
        }
    }

    fn places(names: [&str; 2]) -> [(LibrarySource, Vec<PathBuf>); 3] {
        let [python, system] = names.map(|name| vec![PathBuf::from(name)]);
        [
            (LibrarySource::Cache, Vec::new()),
            (LibrarySource::Python, python),
            (LibrarySource::System, system),
        ]
    }

    #[test]
    fn an_old_library_gives_way_to_a_newer_one_further_on() {
        let found = first_usable(places(["old", "new"]), version).unwrap();
        assert_eq!(
            (found.version.as_str(), found.source),
            ("1.31.1", LibrarySource::System)
        );
        let rejected: Vec<String> = found.rejected.iter().map(ToString::to_string).collect();
        assert_eq!(
            rejected,
            [
                "cache of nezha setup: none there",
                "Python environment: old: version 1.19.2, expected 1.20 or later",
            ]
        );
    }

    #[test]
    fn without_a_usable_library_the_error_lists_what_was_tried_and_names_setup() {
        let error = first_usable(places(["old", "broken"]), version).unwrap_err();
        assert_eq!(
            error.to_string(),
            "no ONNX Runtime of version 1.20 or later; tried\n  \
             cache of nezha setup: none there\n  \
             Python environment: old: version 1.19.2, expected 1.20 or later\n  \
             system: broken: cannot open shared object file\n\
             `nezha setup` installs one"
        );
    }

    #[test]
    fn only_version_1_is_taken_for_new_enough() {
        assert!(new_enough("1.20.0".to_owned()).is_ok());
        for version in ["0.31.0", "2.0.0", "1", "", "one.two"] {
            assert!(
                new_enough(version.to_owned()).is_err(),
                "{version} was taken"
            );
        }
    }

    #[test]
    fn a_library_the_user_names_is_the_only_one_tried() {
        let error = find(Some(Path::new("/nowhere/libonnxruntime.so"))).unwrap_err();
        let sources: Vec<LibrarySource> = error.rejected.iter().map(|it| it.source).collect();
        assert_eq!(sources, [LibrarySource::Option], "{error}");
    }

    #[test]
    fn a_file_that_is_no_onnx_runtime_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("libonnxruntime.so");
        std::fs::write(&file, b"not a library").unwrap();
        assert!(find(Some(&file)).is_err());
    }
}
