//! The Python package: its wheel built, installed where nothing else is, and tested there.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, bail, ensure};

use crate::{Finish, root};

/// Where all of it happens.
const WORK: &str = "target/wheel";

/// What the name of a wheel says where it is for every interpreter from 3.9 on, and for other machines than this.
const TAGS: [&str; 2] = [
    "-cp39-abi3-",
    if cfg!(target_os = "linux") {
        "-manylinux_"
    } else {
        ""
    },
];

/// How the wheel is made.
#[derive(clap::Args)]
pub(crate) struct Wheel {
    /// A Python with venv; any from 3.9 on.
    #[arg(long, default_value = "python3")]
    python: PathBuf,
    /// Test this wheel in place of building one.
    #[arg(long, value_name = "FILE")]
    wheel: Option<PathBuf>,
    /// Passed on to pytest.
    #[arg(last = true)]
    pytest: Vec<String>,
}

/// Builds the wheel and tests it in an environment that has nothing else.
pub(crate) fn wheel(options: &Wheel) -> Result<()> {
    let built = match &options.wheel {
        Some(wheel) => wheel.clone(),
        None => build(options)?,
    };
    let name = built
        .file_name()
        .and_then(OsStr::to_str)
        .unwrap_or_default();
    for tag in TAGS {
        ensure!(
            name.contains(tag),
            "{name}: expected '{tag}' in the tags of its platform"
        );
    }
    let size = fs::metadata(root().join(&built))?.len();
    println!("{}: {:.1} MB", built.display(), size as f64 / 1e6);

    let installed = Environment::new(&options.python, "installed")?;
    // No compiler is called: what has no wheel is an error.
    installed
        .pip(&["--only-binary", ":all:"])
        .arg(&built)
        .finish()?;
    installed.script("nezha").arg("demo").finish()?;
    installed
        .pip(&["-r", "python/tests/requirements.txt"])
        .finish()?;
    let doctests = [
        "--doctest-modules",
        "--pyargs",
        "nezha_onnx",
        "-p",
        "no:cacheprovider",
    ];
    installed.module("pytest").args(doctests).finish()?;
    let mut tests = installed.module("pytest");
    tests.args(["python/tests", "-p", "no:cacheprovider"]);
    tests.args(&options.pytest).finish()?;
    let mut types = installed.module("mypy");
    types
        .args(["--strict", "--package", "nezha_onnx"])
        .finish()?;
    let mut users = installed.module("mypy");
    users.args(["--strict", "python/tests/typed.py"]).finish()?;
    let mut stubs = installed.module("mypy.stubtest");
    stubs
        .args(["nezha_onnx", "--ignore-disjoint-bases"])
        .finish()
}

/// The wheel, the only one in its folder.
fn build(options: &Wheel) -> Result<PathBuf> {
    let tools = Environment::new(&options.python, "tools")?;
    tools.pip(&["-r", "python/requirements.txt"]).finish()?;
    let dist = Path::new(WORK).join("dist");
    if root().join(&dist).exists() {
        fs::remove_dir_all(root().join(&dist))?;
    }
    let mut maturin = tools.module("maturin");
    maturin.args(["build", "--manifest-path", "python/Cargo.toml", "--release"]);
    maturin.arg("--out").arg(&dist);
    maturin.env("CARGO_TARGET_DIR", root().join("target"));
    maturin.finish()?;
    let files = fs::read_dir(root().join(&dist))?;
    let files = files.map(|it| Ok(it?.path())).collect::<Result<Vec<_>>>()?;
    match files.as_slice() {
        [wheel] => Ok(wheel.clone()),
        found => bail!("expected one wheel in {}, found {found:?}", dist.display()),
    }
}

/// A virtual environment.
struct Environment(PathBuf);

impl Environment {
    /// A new one, with nothing but pip.
    fn new(python: &Path, name: &str) -> Result<Self> {
        let folder = root().canonicalize()?.join(WORK).join(name);
        let mut made = Command::new(python);
        made.args(["-m", "venv", "--clear"]).arg(&folder).finish()?;
        Ok(Self(folder))
    }

    fn script(&self, name: &str) -> Command {
        let folder = if cfg!(windows) { "Scripts" } else { "bin" };
        let mut program = Command::new(self.0.join(folder).join(name));
        // As in an environment that is not activated: what is beside the interpreter has to be found.
        for variable in [
            "VIRTUAL_ENV",
            "CONDA_PREFIX",
            "ORT_DYLIB_PATH",
            "PYTHONPATH",
        ] {
            program.env_remove(variable);
        }
        program
    }

    fn module(&self, name: &str) -> Command {
        let mut module = self.script("python");
        module.args(["-m", name]);
        module
    }

    fn pip(&self, arguments: &[&str]) -> Command {
        let mut pip = self.module("pip");
        pip.args(["install", "--quiet", "--disable-pip-version-check"]);
        pip.args(arguments);
        pip
    }
}
