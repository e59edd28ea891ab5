//! The process of a worker, as the benchmark sees it.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};

use super::WorkerError;
use super::protocol::{Reply, Request};

/// How many bytes of a dead worker's last messages are shown.
const LAST_WORDS: u64 = 2000;

/// A worker that has loaded its model.
pub(super) struct Process {
    child: Child,
    requests: ChildStdin,
    replies: BufReader<ChildStdout>,
    errors: File,
    /// The engine's description, from the worker.
    pub description: String,
    pub load_ms: f64,
}

impl Process {
    /// Starts a worker and waits until the model is loaded.
    ///
    /// # Errors
    /// [`WorkerError`], with the worker's message or the way it ended.
    pub(super) fn start(mut command: Command) -> Result<Self, WorkerError> {
        let file = tempfile::tempfile().and_then(|it| Ok((it.try_clone()?, it)));
        let (errors, theirs) = file.map_err(|source| WorkerError::TemporaryFile { source })?;
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(theirs);
        // Ctrl-C goes only to the benchmark, which lets the turn end and saves what is finished.
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let mut child = command
            .spawn()
            .map_err(|source| WorkerError::Start { source })?;
        let pipes = child.stdin.take().zip(child.stdout.take());
        // Both were set to pipes above.
        let (requests, replies) = pipes.ok_or(WorkerError::OutOfTurn)?;
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
            _ => Err(WorkerError::OutOfTurn),
        }
    }

    /// Sends a request and waits for the reply.
    ///
    /// # Errors
    /// [`WorkerError::Dead`] if the process has died; other errors come from the worker.
    pub(super) fn ask(&mut self, request: &Request) -> Result<Reply, WorkerError> {
        let line = serde_json::to_string(request)?;
        // If the process has died, reading the reply fails.
        let _ = writeln!(self.requests, "{line}").and_then(|()| self.requests.flush());
        self.reply()
    }

    fn reply(&mut self) -> Result<Reply, WorkerError> {
        let mut line = String::new();
        match self.replies.read_line(&mut line) {
            Ok(length) if length > 0 => match serde_json::from_str(&line)? {
                Reply::Failed(reason) => {
                    Err(WorkerError::Failed(with_cause(&reason, reason.clone())))
                }
                reply => Ok(reply),
            },
            _ => {
                let status = self.child.wait();
                let status = status.map_err(|source| WorkerError::Wait { source })?;
                Err(WorkerError::Dead(ending(status, &self.last_words())))
            }
        }
    }

    fn last_words(&mut self) -> String {
        let mut words = String::new();
        let length = self.errors.metadata().map_or(0, |it| it.len());
        let start = SeekFrom::Start(length.saturating_sub(LAST_WORDS));
        // Messages that can't be read are omitted: it matters more that the process has died.
        let _ = self.errors.seek(start);
        let _ = self.errors.read_to_string(&mut words);
        words.trim().to_owned()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What the engines and the allocators of Rust, C++ and the system print when memory runs out.
const OUT_OF_MEMORY: [&str; 5] = [
    "Failed to allocate memory",
    "failed to allocate",
    "memory allocation of",
    "bad_alloc",
    "Cannot allocate memory",
];

/// A message, preceded by its cause if `words` tell that memory ran out.
fn with_cause(words: &str, message: String) -> String {
    match OUT_OF_MEMORY.iter().any(|it| words.contains(it)) {
        true => format!("out of memory: {message}"),
        false => message,
    }
}

/// How a process ended, with its last messages.
fn ending(status: ExitStatus, words: &str) -> String {
    #[cfg(unix)]
    let signal = std::os::unix::process::ExitStatusExt::signal(&status);
    #[cfg(not(unix))]
    let signal: Option<i32> = None;
    let ended = match signal {
        Some(9) => {
            "the process was killed by signal 9, as the system does when memory runs out".to_owned()
        }
        Some(signal) => format!("the process was ended by signal {signal}"),
        None => format!("the process ended with {status}"),
    };
    match words {
        "" => ended,
        words => with_cause(words, format!("{ended}: {words}")),
    }
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::process::ExitStatusExt;

    use super::*;

    #[test]
    fn a_process_without_memory_is_told_from_one_that_fails() {
        for (status, words, expected) in [
            (
                9,
                "",
                "the process was killed by signal 9, as the system does when memory runs out",
            ),
            (
                6,
                "memory allocation of 17179869184 bytes failed",
                "out of memory: the process was ended by signal 6: memory allocation of 17179869184 \
                 bytes failed",
            ),
            (
                1 << 8,
                "error: no",
                "the process ended with exit status: 1: error: no",
            ),
        ] {
            assert_eq!(ending(ExitStatus::from_raw(status), words), expected);
        }
    }
}
