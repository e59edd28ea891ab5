//! Installs a pinned ONNX Runtime or OpenVINO into the user's cache, through pip.
//!
//! pip knows the user's package index, proxy and certificates, so no address is written here. The
//! wheel is the same on every machine of a platform, for every version of Python. Its SHA-256 is
//! pinned, and so are those of the libraries in it.

mod openvino;
mod wheel;

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use nezha_graphs::map_file;
use sha2::{Digest, Sha256};
use wheel::{Wheel, wheel};
use zip::ZipArchive;

/// The version of ONNX Runtime that is installed.
pub const VERSION: &str = "1.31.1";

/// The version of OpenVINO that is installed.
pub const OPENVINO_VERSION: &str = "2026.4.1";

/// The environment variable that sets another folder for the cache.
const CACHE_VARIABLE: &str = "NEZHA_CACHE";

/// The command that runs Python.
pub(crate) const PYTHON: &str = if cfg!(windows) { "python" } else { "python3" };

/// What can be installed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Build {
    /// ONNX Runtime for the CPU.
    Cpu,
    /// ONNX Runtime for the CPU, CUDA and TensorRT; Linux on x86-64.
    Gpu,
    /// OpenVINO with its plugins for CPU, GPU and NPU, as far as the platform has them.
    OpenVino,
}

impl Build {
    /// All builds.
    pub const ALL: [Build; 3] = [Build::Cpu, Build::Gpu, Build::OpenVino];

    /// The name of its Python package.
    fn package(self) -> &'static str {
        match self {
            Build::Cpu => "onnxruntime",
            Build::Gpu => "onnxruntime-gpu",
            Build::OpenVino => "openvino",
        }
    }

    /// The version that is installed.
    pub fn version(self) -> &'static str {
        match self {
            Build::Cpu | Build::Gpu => VERSION,
            Build::OpenVino => OPENVINO_VERSION,
        }
    }

    /// The product's name, to be shown to people.
    fn product(self) -> &'static str {
        match self {
            Build::Cpu | Build::Gpu => "ONNX Runtime",
            Build::OpenVino => "OpenVINO",
        }
    }

    /// The environment variable that names its library, or the folder that holds it.
    pub(crate) const fn variable(self) -> &'static str {
        match self {
            Build::Cpu | Build::Gpu => "ORT_DYLIB_PATH",
            Build::OpenVino => "OPENVINO_DYLIB_PATH",
        }
    }
}

/// An installed build.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Installed {
    /// The library to load.
    pub library: PathBuf,
    /// Whether it was complete in the cache before.
    pub kept: bool,
}

/// Why a build can't be installed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SetupError {
    /// No package was built for this machine.
    #[error(
        "there is no package {} {} for {platform}: build {} and name its library, for example in {}, \
         or run in tract",
        build.package(), build.version(), build.product(), build.variable()
    )]
    Platform {
        /// The build.
        build: Build,
        /// The system and the architecture.
        platform: String,
    },
    /// The system doesn't say where the user's cache folder is.
    #[error("no folder for caches: set HOME or {CACHE_VARIABLE}")]
    NoCache,
    /// Python can't be started.
    #[error("{PYTHON} does not start (install Python 3 with pip, which downloads the package)")]
    NoPython(
        /// The system's message.
        #[source]
        io::Error,
    ),
    /// Python has no pip.
    #[error("{PYTHON} has no pip: `{PYTHON} -m ensurepip` installs it; it downloads the package")]
    NoPip,
    /// pip failed.
    #[error("pip could not download {package} {version}:\n{stderr}")]
    Pip {
        /// The package.
        package: &'static str,
        /// Its version.
        version: &'static str,
        /// pip's message.
        stderr: String,
    },
    /// A file differs from the pinned one.
    #[error("{}: SHA-256 is {found}, expected {expected}", path.display())]
    Checksum {
        /// The file.
        path: PathBuf,
        /// The pinned checksum.
        expected: &'static str,
        /// The checksum of the file.
        found: String,
    },
    /// A file can't be read or written.
    #[error("{}: can't be read or written", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The system's message.
        source: io::Error,
    },
    /// The wheel can't be unpacked.
    #[error("{}: can't be unpacked", path.display())]
    Unpack {
        /// The wheel.
        path: PathBuf,
        /// What is wrong.
        source: zip::result::ZipError,
    },
}

/// Installs a build into the cache; if it is already there and complete, it is kept.
///
/// # Errors
/// Any [`SetupError`]; a complete build in the cache is never touched.
pub fn setup(build: Build) -> Result<Installed, SetupError> {
    let folder = folder(build).ok_or(SetupError::NoCache)?;
    let wheel = wheel(build)?;
    install(wheel, &folder, |target| download(build, wheel, target))
}

/// The folder in the cache that a build is installed to; `None` if the user has no cache folder.
pub fn folder(build: Build) -> Option<PathBuf> {
    use etcetera::BaseStrategy;

    let named = std::env::var_os(CACHE_VARIABLE).filter(|path| !path.is_empty());
    let cache = match named {
        Some(path) => std::path::absolute(path).ok()?,
        None => etcetera::choose_base_strategy()
            .ok()?
            .cache_dir()
            .join("nezha"),
    };
    Some(cache.join(format!("{}-{}", build.package(), build.version())))
}

/// Fills `folder` in one step, by renaming a complete folder.
fn install(
    wheel: &Wheel,
    folder: &Path,
    download: impl FnOnce(&Path) -> Result<PathBuf, SetupError>,
) -> Result<Installed, SetupError> {
    let installed = |kept| Installed {
        library: folder.join(wheel.library()),
        kept,
    };
    if verify(wheel, folder).is_ok() {
        return Ok(installed(true));
    }
    let cache = folder.parent().ok_or(SetupError::NoCache)?;
    fs::create_dir_all(cache).map_err(at(cache))?;
    let scratch = tempfile::tempdir_in(cache).map_err(at(cache))?;
    let downloaded = download(scratch.path())?;
    check(&downloaded, wheel.sha256)?;
    let unpacked = scratch.path().join("unpacked");
    unpack(wheel, &downloaded, &unpacked)?;
    verify(wheel, &unpacked)?;
    if folder.exists() {
        fs::rename(folder, scratch.path().join("replaced")).map_err(at(folder))?;
    }
    match fs::rename(&unpacked, folder) {
        Ok(()) => Ok(installed(false)),
        // Another process was faster.
        Err(_) if verify(wheel, folder).is_ok() => Ok(installed(true)),
        Err(source) => Err(at(folder)(source)),
    }
}

/// Downloads the wheel into `target`, through pip.
fn download(build: Build, wheel: &Wheel, target: &Path) -> Result<PathBuf, SetupError> {
    let (package, version) = (build.package(), build.version());
    let output = Command::new(PYTHON)
        .args([
            "-m",
            "pip",
            "download",
            "--quiet",
            "--disable-pip-version-check",
        ])
        .args([
            "--no-deps",
            "--only-binary=:all:",
            "--python-version",
            "3.12",
        ])
        .args([
            "--implementation",
            "cp",
            "--abi",
            "cp312",
            "--platform",
            wheel.platform,
        ])
        .arg(format!("{package}=={version}"))
        .arg("--dest")
        .arg(target)
        .output()
        .map_err(SetupError::NoPython)?;
    let stderr = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    if stderr.contains("No module named pip") {
        return Err(SetupError::NoPip);
    }
    let mut files = fs::read_dir(target).map_err(at(target))?.flatten();
    match files.find(|file| file.path().extension().is_some_and(|it| it == "whl")) {
        Some(file) if output.status.success() => Ok(file.path()),
        _ => Err(SetupError::Pip {
            package,
            version,
            stderr,
        }),
    }
}

/// Unpacks the libraries that the wheel lists, and nothing else.
#[expect(
    clippy::disallowed_methods,
    reason = "the folder gets its name when it is whole"
)]
fn unpack(wheel: &Wheel, archive: &Path, folder: &Path) -> Result<(), SetupError> {
    let broken = |source| SetupError::Unpack {
        path: archive.to_path_buf(),
        source,
    };
    let file = File::open(archive).map_err(at(archive))?;
    let mut zip = ZipArchive::new(file).map_err(broken)?;
    fs::create_dir(folder).map_err(at(folder))?;
    for (name, _) in wheel.libraries {
        let path = folder.join(name);
        let mut library = zip
            .by_name(&format!("{}/{name}", wheel.folder))
            .map_err(broken)?;
        let mut target = File::create(&path).map_err(at(&path))?;
        io::copy(&mut library, &mut target).map_err(at(&path))?;
        target.sync_all().map_err(at(&path))?;
    }
    Ok(())
}

/// Checks that a folder holds all of the wheel's libraries, unchanged.
fn verify(wheel: &Wheel, folder: &Path) -> Result<(), SetupError> {
    wheel
        .libraries
        .iter()
        .try_for_each(|(name, sha256)| check(&folder.join(name), sha256))
}

fn check(path: &Path, expected: &'static str) -> Result<(), SetupError> {
    let content = map_file(path).map_err(at(path))?;
    let digest = Sha256::digest(&content);
    let found: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    match found == expected {
        true => Ok(()),
        false => Err(SetupError::Checksum {
            path: path.to_path_buf(),
            expected,
            found,
        }),
    }
}

fn at(path: &Path) -> impl FnOnce(io::Error) -> SetupError + use<> {
    let path = path.to_path_buf();
    |source| SetupError::File { path, source }
}

#[cfg(test)]
mod tests;
