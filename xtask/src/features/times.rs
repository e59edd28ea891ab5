//! How long each crate takes to compile: cargo calls this program in place of rustc, and it counts.
//!
//! Seconds of the processor: other work on the machine doesn't add to them. What build scripts do is not
//! counted, such as the C of ring.
#![allow(clippy::disallowed_methods, reason = "scratch")]

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, ExitCode};
use std::time::Duration;

use anyhow::{Context, Result};
use wait4::Wait4;

/// The variable that says where the times are kept.
const TIMES: &str = "NEZHA_RUSTC_TIMES";

/// A file for each crate that was compiled, called after it and the hash of what it was compiled with.
pub(super) struct Times {
    folder: PathBuf,
}

impl Times {
    pub(super) fn new(folder: PathBuf) -> Result<Self> {
        fs::create_dir_all(&folder)?;
        Ok(Self { folder })
    }

    /// Has cargo keep the times of what it compiles.
    pub(super) fn keep(&self, cargo: &mut Command) -> Result<()> {
        cargo.env("RUSTC_WRAPPER", env::current_exe()?);
        cargo.env(TIMES, &self.folder);
        Ok(())
    }

    /// The seconds of all crates whose files these messages of cargo's name.
    pub(super) fn of(&self, messages: &str) -> Result<f64> {
        self.sum(|_, hash| messages.contains(hash))
    }

    /// The seconds of a crate.
    pub(super) fn of_crate(&self, name: &str) -> Result<f64> {
        self.sum(|it, _| it == name)
    }

    /// Forgets the times of a crate.
    pub(super) fn forget(&self, name: &str) -> Result<()> {
        for (file, _, _) in self.files()?.into_iter().filter(|it| it.1 == name) {
            fs::remove_file(file)?;
        }
        Ok(())
    }

    fn sum(&self, counts: impl Fn(&str, &str) -> bool) -> Result<f64> {
        let files = self.files()?.into_iter();
        let counted = files.filter(|(_, name, hash)| counts(name, hash));
        let seconds = counted.map(|(file, _, _)| Ok(fs::read_to_string(file)?.parse::<f64>()?));
        seconds.sum()
    }

    /// Files, and the crates and hashes that they are called after.
    fn files(&self) -> Result<Vec<(PathBuf, String, String)>> {
        let files = fs::read_dir(&self.folder)?.map(|it| Ok(it?.path()));
        let named = files.map(|path: Result<PathBuf>| {
            let path = path?;
            let stem = path.file_name().and_then(|it| it.to_str());
            let (name, hash) = stem.and_then(|it| it.rsplit_once('-')).context("a name")?;
            let (name, hash) = (name.to_owned(), format!("-{hash}"));
            Ok((path, name, hash))
        });
        named.collect()
    }
}

/// Where cargo calls this program in place of rustc: runs rustc and keeps what it took.
pub(crate) fn in_place_of_rustc() -> Option<Result<ExitCode>> {
    let folder = PathBuf::from(env::var_os(TIMES)?);
    Some(compile(&folder.join(""), env::args_os().skip(1).collect()))
}

fn compile(folder: &std::path::Path, arguments: Vec<OsString>) -> Result<ExitCode> {
    let (rustc, arguments) = arguments.split_first().context("rustc is not named")?;
    let mut child = Command::new(rustc).args(arguments).spawn()?;
    let ended = child.wait4()?;
    let texts: Vec<&str> = arguments.iter().filter_map(|it| it.to_str()).collect();
    let after = |option: &str| {
        let place = texts.iter().position(|it| *it == option)?;
        texts.get(place + 1).copied()
    };
    let hash = texts
        .iter()
        .find_map(|it| it.strip_prefix("extra-filename="));
    // Build scripts ask rustc what it can, and compile no crate.
    if let (Some(name), Some(hash)) = (after("--crate-name"), hash) {
        let took: Duration = ended.rusage.utime + ended.rusage.stime;
        fs::write(
            folder.join(format!("{name}{hash}")),
            took.as_secs_f64().to_string(),
        )?;
    }
    let code = ended.status.code().and_then(|it| u8::try_from(it).ok());
    Ok(code.unwrap_or(1).into())
}
