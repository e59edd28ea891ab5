use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::{self, ThreadId};
use std::time::{Duration, Instant};

use super::profile::Profile;
use super::trace::{self, Event};
use super::{EngineError, EngineKind};

/// Records the runs of an engine, in the format of ONNX Runtime's profiles.
pub(super) struct Recorder {
    began: Instant,
    /// `None` after profiling has ended.
    recording: Mutex<Option<Recording>>,
}

struct Recording {
    path: PathBuf,
    file: File,
    events: Vec<Event>,
    /// Small numbers that stand for threads, because the id of a thread can't be read as a number.
    threads: HashMap<ThreadId, u64>,
}

/// The computation of one node, and when it ran.
pub(super) struct Step<'n> {
    pub(super) node: &'n str,
    pub(super) op_type: String,
    pub(super) begin: Instant,
    pub(super) took: Duration,
}

impl Recorder {
    /// Like [`create`](Self::create), with an error that names the engine and its option `profile`.
    pub(super) fn start(engine: EngineKind, profile: &Path) -> Result<Self, EngineError> {
        Self::create(profile).map_err(|error| EngineError::Option {
            engine,
            option: "profile",
            reason: format!("{}: {error}", profile.display()),
        })
    }

    /// Ends the recording of an engine's runs, if there is one.
    pub(super) fn end_of(
        engine: EngineKind,
        recorder: Option<&Self>,
    ) -> Result<Profile, EngineError> {
        let ended = recorder.map(Self::end).transpose();
        let ended = ended.map_err(|(path, reason)| EngineError::Profile {
            engine,
            path,
            reason,
        })?;
        ended.flatten().ok_or(EngineError::NotProfiled { engine })
    }

    /// Creates the file, whose name begins with that of `prefix`.
    fn create(prefix: &Path) -> io::Result<Self> {
        let folder = prefix.parent().filter(|it| !it.as_os_str().is_empty());
        let (file, path) = tempfile::Builder::new()
            .prefix(prefix.file_name().unwrap_or_default())
            .suffix(".json")
            .tempfile_in(folder.unwrap_or(Path::new(".")))?
            .keep()?;
        Ok(Self {
            began: Instant::now(),
            recording: Mutex::new(Some(Recording {
                path,
                file,
                events: Vec::new(),
                threads: HashMap::new(),
            })),
        })
    }

    /// Whether it still records.
    pub(super) fn is_recording(&self) -> bool {
        self.recording().is_some()
    }

    /// Adds a run that was computed on this thread.
    pub(super) fn add<'n>(
        &self,
        provider: &str,
        begin: Instant,
        took: Duration,
        steps: impl Iterator<Item = Step<'n>>,
    ) {
        let mut recording = self.recording();
        let Some(recording) = recording.as_mut() else {
            return;
        };
        let count = recording.threads.len() as u64;
        let id = thread::current().id();
        let thread = *recording.threads.entry(id).or_insert(count);
        let since = |begin: Instant| begin.saturating_duration_since(self.began);
        let steps = steps.map(|it| {
            Event::node(
                it.node,
                &it.op_type,
                provider,
                thread,
                since(it.begin),
                it.took,
            )
        });
        recording.events.extend(steps);
        let run = Event::run(thread, since(begin), took);
        recording.events.push(run);
    }

    /// Writes the file; `None` if it was written before.
    ///
    /// # Errors
    /// The file's path, and why it can't be written.
    fn end(&self) -> Result<Option<Profile>, (PathBuf, String)> {
        let Some(recording) = self.recording().take() else {
            return Ok(None);
        };
        let Recording {
            path, file, events, ..
        } = recording;
        write(file, &events).map_err(|error| (path.clone(), error.to_string()))?;
        Ok(Some(Profile {
            files: vec![path],
            ..trace::profile(events)
        }))
    }

    fn recording(&self) -> MutexGuard<'_, Option<Recording>> {
        self.recording
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

fn write(file: File, events: &[Event]) -> io::Result<()> {
    let mut out = BufWriter::new(file);
    serde_json::to_writer(&mut out, events)?;
    out.flush()
}
