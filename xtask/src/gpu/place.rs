//! Where a run takes place: the pack's folder, the engine that is asked, and the time that is left.

use std::env;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

/// How often a command is asked whether it has ended.
const PAUSE: Duration = Duration::from_millis(50);

/// A run's surroundings.
pub(super) struct Place {
    /// The pack.
    pub(super) pack: PathBuf,
    /// What is written on the way.
    pub(super) work: PathBuf,
    /// What comes out.
    pub(super) results: PathBuf,
    /// The engine, such as ort:cuda.
    pub(super) engine: String,
    /// Batch x tokens of the benchmark.
    pub(super) shapes: String,
    /// When everything ends.
    pub(super) end: Instant,
}

impl Place {
    /// The binary, with the pack's libraries.
    pub(super) fn nezha<I: AsRef<std::ffi::OsStr>>(
        &self,
        arguments: impl IntoIterator<Item = I>,
    ) -> Command {
        let lib = self.pack.join("lib");
        let mut search = lib.clone().into_os_string();
        if let Some(others) = env::var_os("LD_LIBRARY_PATH") {
            search.push(":");
            search.push(others);
        }
        let mut command = Command::new(self.pack.join("nezha"));
        command.args(arguments);
        command.env("ORT_DYLIB_PATH", lib);
        command.env("LD_LIBRARY_PATH", search);
        command
    }

    /// Runs a command until it ends, `limit` is over or the whole time is; what it prints goes to the log
    /// of `step`, and its standard output is given back.
    pub(super) fn output(
        &self,
        step: &str,
        limit: Duration,
        command: &mut Command,
    ) -> Result<String> {
        let end = self.end.min(Instant::now() + limit);
        let path = self.results.join(format!("{step}.log"));
        let mut log = File::options().create(true).append(true).open(&path)?;
        writeln!(log, "$ {command:?}")?;
        // Files in place of pipes: a pipe that nobody empties would stop the command.
        let printed = tempfile::NamedTempFile::new_in(&self.work)?;
        let mut child = command
            .stdin(Stdio::null())
            .stdout(printed.reopen()?)
            .stderr(log.try_clone()?)
            .spawn()
            .with_context(|| format!("{command:?}"))?;
        let status = loop {
            if let Some(status) = child.try_wait()? {
                break status;
            }
            if Instant::now() >= end {
                child.kill()?;
                child.wait()?;
                bail!("out of time; {}", path.display());
            }
            thread::sleep(PAUSE);
        };
        let output = std::fs::read_to_string(printed.path())?;
        writeln!(log, "{output}")?;
        match status.success() {
            true => Ok(output),
            false => bail!("{status}: {}", last_line(&path)),
        }
    }

    /// Whether nothing is left to ask in.
    pub(super) fn is_over(&self) -> bool {
        Instant::now() >= self.end
    }
}

/// What a log ends with.
fn last_line(log: &Path) -> String {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let mut lines = text.lines().rev().filter(|it| !it.trim().is_empty());
    lines.next().unwrap_or("it printed nothing").to_owned()
}
