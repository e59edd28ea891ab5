//! A worker's process, from the side of the one that asks.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};

use anyhow::{Context, Result, anyhow, bail};

use super::protocol::{Reply, Request};

/// What a dead worker last said is shown up to here.
const LAST_WORDS: u64 = 2000;

/// A worker that has loaded its model.
pub struct Process {
    child: Child,
    requests: ChildStdin,
    replies: BufReader<ChildStdout>,
    errors: File,
    /// What it said of the model.
    pub description: String,
    pub load_ms: f64,
}

impl Process {
    /// Starts `nezha bench-worker` and waits until the model is loaded.
    ///
    /// # Errors
    /// What the worker says, or how it ended.
    pub fn start(arguments: &[&Path]) -> Result<Self> {
        let program = std::env::current_exe().context("this program's own file is unknown")?;
        let errors = tempfile::tempfile()?;
        let mut child = Command::new(program)
            .arg("bench-worker")
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(errors.try_clone()?)
            .spawn()?;
        let (requests, replies) = child
            .stdin
            .take()
            .zip(child.stdout.take())
            .context("a process without pipes")?;
        let mut process = Self {
            child,
            requests,
            replies: BufReader::new(replies),
            errors,
            description: String::new(),
            load_ms: 0.0,
        };
        match process.reply()? {
            Reply::Loaded {
                description,
                load_ms,
            } => {
                process.description = description;
                process.load_ms = load_ms;
                Ok(process)
            }
            other => bail!("the worker answered {other:?} instead of loading"),
        }
    }

    /// Asks and waits for the answer.
    ///
    /// # Errors
    /// [`Dead`] where the process is gone; anything else is what the worker says.
    pub fn ask(&mut self, request: &Request) -> Result<Reply> {
        let line = serde_json::to_string(request)?;
        // A process that is gone says so when it is asked for the reply.
        let _ = writeln!(self.requests, "{line}").and_then(|()| self.requests.flush());
        self.reply()
    }

    fn reply(&mut self) -> Result<Reply> {
        let mut line = String::new();
        match self.replies.read_line(&mut line) {
            Ok(length) if length > 0 => match serde_json::from_str(&line)? {
                Reply::Failed(reason) => Err(anyhow!(reason)),
                reply => Ok(reply),
            },
            _ => {
                let status = self.child.wait()?;
                Err(Dead(format!("{}{}", ending(status), self.last_words())).into())
            }
        }
    }

    fn last_words(&mut self) -> String {
        let mut words = String::new();
        let length = self.errors.metadata().map_or(0, |it| it.len());
        let start = SeekFrom::Start(length.saturating_sub(LAST_WORDS));
        // What can't be read is not known; that the process is gone matters more.
        let _ = self.errors.seek(start);
        let _ = self.errors.read_to_string(&mut words);
        match words.trim() {
            "" => String::new(),
            words => format!(": {words}"),
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may be gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The process of a worker ended.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Dead(String);

fn ending(status: ExitStatus) -> String {
    #[cfg(unix)]
    if let Some(signal) = std::os::unix::process::ExitStatusExt::signal(&status) {
        let reason = match signal {
            9 => " (killed, as the system does when memory runs out)",
            _ => "",
        };
        return format!("the process was ended by signal {signal}{reason}");
    }
    format!("the process ended with {status}")
}
