//! Finds OpenVINO on this machine; it is loaded at run time, never linked.
//!
//! [`find`] looks in the order that [`library`](crate::library) describes. The environment variable
//! is `OPENVINO_DYLIB_PATH`, the Python package `openvino`. Among the folders of the system, those
//! of OpenVINO's own installers, under `INTEL_OPENVINO_DIR` and `/opt/intel`, come after the
//! loader's search path. The library is that of OpenVINO's C interface, `libopenvino_c`, which
//! finds the rest of OpenVINO beside itself.

use std::env;
use std::path::{Path, PathBuf};

use crate::library::{Library, LibraryError, Product};
use crate::{native, setup};

/// The oldest OpenVINO that is accepted, as year and release. Older ones number element types
/// differently, and macOS needs a call that was added later.
pub const OLDEST_VERSION: (u32, u32) = if cfg!(target_os = "macos") {
    (2026, 4)
} else {
    (2025, 1)
};

const PRODUCT: Product = Product {
    name: "OpenVINO",
    oldest: if cfg!(target_os = "macos") {
        "2026.4"
    } else {
        "2025.1"
    },
    setup: "nezha setup --openvino",
    variable: setup::Build::OpenVino.variable(),
    builds: &[setup::Build::OpenVino],
    package: ("openvino", "libs"),
    stem: "openvino_c",
    folders,
    version: native::openvino_version,
    is_new_enough,
};

/// Looks for OpenVINO: at `named`, a file or a folder, or else in all places.
///
/// A library that is tried is loaded, and stays loaded.
///
/// # Errors
/// [`LibraryError`], with everything that was tried.
pub fn find(named: Option<&Path>) -> Result<Library, LibraryError> {
    PRODUCT.find(named)
}

/// Whether the library at `path` is the one that `requested`, a file or a folder, stands for.
pub(crate) fn is_at(path: &Path, requested: &Path) -> bool {
    PRODUCT.is_at(path, requested)
}

/// The folders that OpenVINO's archives and its `setupvars` use.
fn folders() -> Vec<PathBuf> {
    let named = env::var_os("INTEL_OPENVINO_DIR").filter(|path| !path.is_empty());
    let roots = named.map(PathBuf::from).into_iter();
    roots
        .chain([PathBuf::from("/opt/intel/openvino")])
        .flat_map(|root| {
            ["intel64", "aarch64", "arm64/Release"]
                .map(|folder| root.join("runtime/lib").join(folder))
        })
        .collect()
}

fn is_new_enough(version: &str) -> bool {
    let mut numbers = version.split('.').map(|it| it.parse::<u32>().ok());
    let year = numbers.next().flatten();
    let release = numbers.next().flatten();
    year.zip(release).is_some_and(|it| it >= OLDEST_VERSION)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::disallowed_methods, reason = "a test writes its inputs")]

    use super::*;

    #[test]
    fn a_library_of_2023_is_too_old() {
        let (year, release) = OLDEST_VERSION;
        assert_eq!(PRODUCT.oldest, format!("{year}.{release}"));
        for (version, expected) in [
            ("2023.3.0", false),
            ("2025.0.0", false),
            ("2026.4.1", true),
            ("2027.0.0", true),
            ("2026", false),
            ("", false),
        ] {
            assert_eq!(is_new_enough(version), expected, "{version}");
        }
    }

    #[test]
    fn a_file_that_is_no_openvino_is_refused_and_the_error_says_what_installs_one() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("libopenvino_c.so");
        std::fs::write(&file, b"not a library").unwrap();
        let error = find(Some(&file)).unwrap_err().to_string();
        assert!(error.contains("named: "), "{error}");
        assert!(
            error.ends_with("`nezha setup --openvino` installs one"),
            "{error}"
        );
    }
}
