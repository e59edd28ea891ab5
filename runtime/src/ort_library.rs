//! Finds ONNX Runtime on this machine; it is loaded at run time, never linked.
//!
//! [`find`] looks in the order that [`library`](crate::library) describes. The environment variable
//! is `ORT_DYLIB_PATH`, the Python package `onnxruntime`. In the cache, the GPU build comes first.

use std::path::Path;

use crate::library::{Library, LibraryError, Product};
pub use crate::library::{LibrarySource, RejectedLibrary};
use crate::{native, setup};

/// The oldest ONNX Runtime that is accepted, as the `1.x` of its version.
pub const OLDEST_MINOR_VERSION: u32 = 20;

/// An ONNX Runtime library.
pub type OrtLibrary = Library;

/// No ONNX Runtime can be used.
pub type OrtLibraryError = LibraryError;

const PRODUCT: Product = Product {
    name: "ONNX Runtime",
    oldest: "1.20",
    setup: "nezha setup",
    variable: setup::Build::Cpu.variable(),
    builds: &[setup::Build::Gpu, setup::Build::Cpu],
    package: ("onnxruntime", "capi"),
    stem: "onnxruntime",
    folders: Vec::new,
    version: native::onnxruntime_version,
    is_new_enough,
};

/// Looks for ONNX Runtime: at `named`, a file or a folder, or else in all places.
///
/// A library that is tried is loaded, and stays loaded.
///
/// # Errors
/// [`OrtLibraryError`], with everything that was tried.
pub fn find(named: Option<&Path>) -> Result<OrtLibrary, OrtLibraryError> {
    PRODUCT.find(named)
}

/// Whether the library at `path` is the one that `requested`, a file or a folder, stands for.
pub(crate) fn is_at(path: &Path, requested: &Path) -> bool {
    PRODUCT.is_at(path, requested)
}

fn is_new_enough(version: &str) -> bool {
    let mut numbers = version.split('.').map(|it| it.parse::<u32>().ok());
    match (numbers.next().flatten(), numbers.next().flatten()) {
        (Some(1), Some(minor)) => minor >= OLDEST_MINOR_VERSION,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::disallowed_methods, reason = "a test writes its inputs")]

    use super::*;

    #[test]
    fn only_version_1_is_taken_for_new_enough() {
        assert!(is_new_enough("1.20.0"));
        assert_eq!(PRODUCT.oldest, format!("1.{OLDEST_MINOR_VERSION}"));
        for version in ["0.31.0", "2.0.0", "1", "", "one.two", "1.19.9"] {
            assert!(!is_new_enough(version), "{version} was taken");
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
