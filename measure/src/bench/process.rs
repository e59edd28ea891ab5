//! A worker's process, from the side of the one that asks.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};

use super::WorkerError;
use super::protocol::{Reply, Request};

/// What a dead worker last said is shown up to here.
const LAST_WORDS: u64 = 2000;

/// A worker that has loaded its model.
pub(super) struct Process {
    child: Child,
    requests: ChildStdin,
    replies: BufReader<ChildStdout>,
    errors: File,
    /// What it said of the model.
    pub description: String,
    pub load_ms: f64,
}

impl Process {
    /// Starts a worker and waits until the model is loaded.
    ///
    /// # Errors
    /// What the worker says, or how it ended.
    pub(super) fn start(mut command: Command) -> Result<Self, WorkerError> {
        let file = tempfile::tempfile().and_then(|it| Ok((it.try_clone()?, it)));
        let (errors, theirs) = file.map_err(|source| WorkerError::TemporaryFile { source })?;
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(theirs);
        // Ctrl-C is for the one that asks: it lets the turn end and saves what is finished.
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let mut child = command
            .spawn()
            .map_err(|source| WorkerError::Start { source })?;
        let pipes = child.stdin.take().zip(child.stdout.take());
        // Both are piped, as was asked for above.
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

    /// Asks and waits for the answer.
    ///
    /// # Errors
    /// [`WorkerError::Dead`] where the process is gone; anything else is what the worker says.
    pub(super) fn ask(&mut self, request: &Request) -> Result<Reply, WorkerError> {
        let line = serde_json::to_string(request)?;
        // A process that is gone says so when it is asked for the reply.
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
        // What can't be read is not known; that the process is gone matters more.
        let _ = self.errors.seek(start);
        let _ = self.errors.read_to_string(&mut words);
        words.trim().to_owned()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may be gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What the engines and the allocators of Rust, C++ and the system say when there is no more.
const OUT_OF_MEMORY: [&str; 5] = [
    "Failed to allocate memory",
    "failed to allocate",
    "memory allocation of",
    "bad_alloc",
    "Cannot allocate memory",
];

/// A message after its cause, where `words` say that it is want of memory.
fn with_cause(words: &str, message: String) -> String {
    match OUT_OF_MEMORY.iter().any(|it| words.contains(it)) {
        true => format!("out of memory: {message}"),
        false => message,
    }
}

/// How a process ended that said some last words.
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
