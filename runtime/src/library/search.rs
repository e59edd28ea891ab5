use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{Library, LibraryError, LibrarySource, RejectedLibrary, interpreter_packages};
use crate::setup;

/// A library that is looked for.
pub(crate) struct Product {
    /// Its name, to be shown to people.
    pub(crate) name: &'static str,
    /// The oldest version that is accepted.
    pub(crate) oldest: &'static str,
    /// The command that installs it.
    pub(crate) setup: &'static str,
    /// The environment variable that names the library, or its folder.
    pub(crate) variable: &'static str,
    /// The builds that the cache may hold, the preferred one first.
    pub(crate) builds: &'static [setup::Build],
    /// The Python package that contains it, and the folder in the package.
    pub(crate) package: (&'static str, &'static str),
    /// Its file name without the prefix and extension of the system: `onnxruntime` for
    /// `libonnxruntime.so.1`.
    pub(crate) stem: &'static str,
    /// The folders that its own installers use.
    pub(crate) folders: fn() -> Vec<PathBuf>,
    /// The version that a library reports. To ask, the library is loaded, and it stays loaded.
    pub(crate) version: fn(&Path) -> Result<String, String>,
    /// Whether a version is accepted.
    pub(crate) is_new_enough: fn(&str) -> bool,
}

impl Product {
    /// Looks for the library, in the order that the [module](super) describes.
    pub(crate) fn find(&self, named: Option<&Path>) -> Result<Library, LibraryError> {
        let variable = env::var_os(self.variable).filter(|path| !path.is_empty());
        let named = match (named, variable) {
            (Some(path), _) => Some((LibrarySource::Option, path.to_path_buf())),
            (None, Some(path)) => Some((LibrarySource::Environment(self.variable), path.into())),
            (None, None) => None,
        };
        match named {
            Some((source, path)) => self.first_usable([(source, self.at(&path))]),
            None => {
                let places = [
                    (
                        LibrarySource::Python,
                        Self::in_interpreter as fn(&Self) -> _,
                    ),
                    (LibrarySource::Cache, Self::in_cache),
                    (LibrarySource::Python, Self::in_python),
                    (LibrarySource::System, Self::in_system),
                ];
                let is_interpreter = interpreter_packages().is_some();
                // If this process is no interpreter, that place is skipped, and not listed as
                // tried.
                let places = places.into_iter().skip(usize::from(!is_interpreter));
                self.first_usable(places.map(|(source, look)| (source, look(self))))
            }
        }
    }

    /// Whether the library at `path` is the one that `requested`, a file or a folder, stands for.
    pub(crate) fn is_at(&self, path: &Path, requested: &Path) -> bool {
        let canonical = |path: &Path| path.canonicalize().ok();
        self.at(requested)
            .iter()
            .any(|it| canonical(it).is_some_and(|it| Some(it) == canonical(path)))
    }

    /// The first library that reports a version that is accepted.
    fn first_usable(
        &self,
        places: impl IntoIterator<Item = (LibrarySource, Vec<PathBuf>)>,
    ) -> Result<Library, LibraryError> {
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
                match (self.version)(&path).and_then(|it| self.new_enough(it)) {
                    Ok(version) => {
                        return Ok(Library {
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
        Err(LibraryError {
            product: self.name,
            oldest: self.oldest,
            setup: self.setup,
            rejected,
        })
    }

    fn new_enough(&self, version: String) -> Result<String, String> {
        match (self.is_new_enough)(&version) {
            true => Ok(version),
            false => Err(format!(
                "version {version}, expected {} or later",
                self.oldest
            )),
        }
    }

    /// The libraries at a path that the user named: the file itself, or those in the folder.
    ///
    /// Their paths are absolute, because the loader would search for a bare file name.
    fn at(&self, path: &Path) -> Vec<PathBuf> {
        let path = std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf());
        match path.is_dir() {
            true => self.in_folder(&path),
            false => vec![path],
        }
    }

    fn in_cache(&self) -> Vec<PathBuf> {
        let folders = self.builds.iter().filter_map(|it| setup::folder(*it));
        folders.flat_map(|folder| self.in_folder(&folder)).collect()
    }

    fn in_interpreter(&self) -> Vec<PathBuf> {
        let (package, folder) = self.package;
        let packages = interpreter_packages().into_iter().flatten();
        packages
            .flat_map(|it| self.in_folder(&it.join(package).join(folder)))
            .collect()
    }

    fn in_python(&self) -> Vec<PathBuf> {
        let (package, folder) = self.package;
        let environments = ["VIRTUAL_ENV", "CONDA_PREFIX"]
            .into_iter()
            .filter_map(env::var_os)
            .filter(|path| !path.is_empty())
            .flat_map(|path| site_packages(Path::new(&path)))
            .map(|packages| packages.join(package));
        environments
            .chain(python_package(package))
            .flat_map(|package| self.in_folder(&package.join(folder)))
            .collect()
    }

    fn in_system(&self) -> Vec<PathBuf> {
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
            .chain((self.folders)())
            .chain(standard.map(PathBuf::from))
            .flat_map(|folder| self.in_folder(&folder))
            .chain(self.in_ldconfig())
            .collect()
    }

    /// Lines of `ldconfig -p` look like
    /// `libonnxruntime.so.1 (libc6,x86-64) => /usr/lib/libonnxruntime.so.1`.
    fn in_ldconfig(&self) -> Vec<PathBuf> {
        let output = Command::new("ldconfig").arg("-p").output();
        let text = output.map_or(Vec::new(), |output| output.stdout);
        String::from_utf8_lossy(&text)
            .lines()
            .filter_map(|line| line.split_once(" => "))
            .map(|(_, path)| PathBuf::from(path.trim()))
            .filter(|path| self.is_library(path))
            .collect()
    }

    /// The libraries of a folder, sorted by name.
    fn in_folder(&self, folder: &Path) -> Vec<PathBuf> {
        let mut libraries = entries(folder);
        libraries.retain(|path| self.is_library(path));
        libraries.sort();
        libraries
    }

    /// Whether a file is named `libonnxruntime.so`, with or without a version after it, or the
    /// corresponding name on macOS or Windows.
    fn is_library(&self, path: &Path) -> bool {
        let (name, stem) = (file_name(path), self.stem);
        match env::consts::OS {
            "windows" => name == format!("{stem}.dll"),
            "macos" => name.starts_with(&format!("lib{stem}.")) && name.ends_with(".dylib"),
            _ => name == format!("lib{stem}.so") || name.starts_with(&format!("lib{stem}.so.")),
        }
    }
}

/// The package folders of a Python environment, one for each version of Python in it.
fn site_packages(environment: &Path) -> Vec<PathBuf> {
    let pythons = entries(&environment.join("lib"))
        .into_iter()
        .filter(|path| file_name(path).starts_with("python"))
        .map(|path| path.join("site-packages"));
    let windows = environment.join("Lib").join("site-packages");
    pythons.chain([windows]).collect()
}

/// The folder of a package, as the Python on the path finds it without importing it.
fn python_package(package: &str) -> Option<PathBuf> {
    const CODE: &str = "import importlib.util, os, sys\n\
        spec = importlib.util.find_spec(sys.argv[1])\n\
        print(os.path.dirname(spec.origin) if spec and spec.origin else '')";
    let output = Command::new(setup::PYTHON)
        .args(["-c", CODE, package])
        .output()
        .ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    Some(text.trim())
        .filter(|path| output.status.success() && !path.is_empty())
        .map(PathBuf::from)
}

fn file_name(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default();
    name.to_string_lossy().into_owned()
}

/// The entries of a folder; none if it doesn't exist.
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

    const PRODUCT: Product = Product {
        name: "ONNX Runtime",
        oldest: "1.20",
        setup: "nezha setup",
        variable: "",
        builds: &[],
        package: ("onnxruntime", "capi"),
        stem: "onnxruntime",
        folders: Vec::new,
        version,
        is_new_enough: |version| version != "1.19.2",
    };

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
        let found = PRODUCT.first_usable(places(["old", "new"])).unwrap();
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
        let error = PRODUCT.first_usable(places(["old", "broken"])).unwrap_err();
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
    fn a_library_has_the_products_name_whatever_its_version() {
        if env::consts::OS == "linux" {
            for (name, expected) in [
                ("libonnxruntime.so", true),
                ("libonnxruntime.so.1.31.1", true),
                ("libonnxruntime_providers_cuda.so", false),
                ("libopenvino_c.so", false),
            ] {
                assert_eq!(PRODUCT.is_library(Path::new(name)), expected, "{name}");
            }
        }
    }
}
