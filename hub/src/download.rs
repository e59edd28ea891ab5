//! Downloads files into the cache: each continues where it stopped, and gets its name only when its
//! checksum is right.

use std::fs::{self, OpenOptions};
use std::io::{self, Read, Write};
use std::path::Path;
use std::thread;
use std::time::Duration;

use crate::cache::Revision;
use crate::checksum::Checksum;
use crate::remote::{FileInfo, Remote};
use crate::{BoxedError, HubError, ModelId, Progress};

/// How often a transfer may fail without receiving another byte.
const ATTEMPTS: u32 = 5;

/// The wait before the second attempt; it doubles with each further attempt.
const WAIT: Duration = Duration::from_millis(250);

/// Downloads files of one commit.
pub(crate) struct Download<'d> {
    remote: &'d Remote,
    model: &'d ModelId,
    revision: &'d Revision,
    progress: &'d mut dyn FnMut(Progress<'_>),
    /// Bytes of the files that are complete.
    done: u64,
    /// Bytes of all files.
    total: u64,
    waiting: Vec<(String, FileInfo)>,
}

impl<'d> Download<'d> {
    pub(crate) fn new(
        remote: &'d Remote,
        model: &'d ModelId,
        revision: &'d Revision,
        progress: &'d mut dyn FnMut(Progress<'_>),
    ) -> Self {
        Self {
            remote,
            model,
            revision,
            progress,
            done: 0,
            total: 0,
            waiting: Vec::new(),
        }
    }

    /// Asks for the sizes of those files that are not in the cache.
    pub(crate) fn add(&mut self, files: Vec<String>) -> Result<(), HubError> {
        for file in files {
            if self.revision.has(&file) {
                continue;
            }
            let commit = &self.revision.commit;
            let info = self.remote.info(self.model, commit, &file)?;
            self.total += info.size.unwrap_or(0);
            self.waiting.push((file, info));
        }
        Ok(())
    }

    /// Downloads the files that were added.
    pub(crate) fn run(&mut self) -> Result<(), HubError> {
        for (file, info) in std::mem::take(&mut self.waiting) {
            let lock = self.revision.lock(&info.checksum)?;
            if !self.is_here(&info) {
                self.fetch(&file, &info)?;
            }
            self.revision.link(&file, &info.checksum)?;
            drop(lock);
            self.done += info.size.unwrap_or(0);
            self.tell(&file, 0);
        }
        Ok(())
    }

    /// Whether the same content is already there, from another commit or another process.
    fn is_here(&self, info: &FileInfo) -> bool {
        let content = fs::metadata(self.revision.content(&info.checksum));
        content.is_ok_and(|it| info.size.is_none_or(|size| size == it.len()))
    }

    /// Downloads the content of a file.
    fn fetch(&mut self, file: &str, info: &FileInfo) -> Result<(), HubError> {
        let path = self.revision.incomplete(&info.checksum);
        let failed = |source| HubError::Cache {
            path: path.clone(),
            source,
        };
        let mut had = length(&path);
        loop {
            self.receive(file, info, &path)?;
            let found = info.checksum.of_file(&path).map_err(failed)?;
            if found == info.checksum {
                break;
            }
            fs::remove_file(&path).map_err(failed)?;
            // The part from an earlier download may have been wrong: start once more from the
            // beginning.
            if std::mem::take(&mut had) == 0 {
                return Err(mismatch(file, &info.checksum, &found));
            }
        }
        fs::rename(&path, self.revision.content(&info.checksum)).map_err(failed)
    }

    /// Receives until the file has its full length.
    fn receive(&mut self, file: &str, info: &FileInfo, path: &Path) -> Result<(), HubError> {
        let mut failures = 0;
        loop {
            let before = length(path);
            let error = match self.receive_once(file, info, path) {
                Ok(()) => return Ok(()),
                Err(Failure::Final(error)) => return Err(error),
                Err(Failure::Passing(error)) => error,
            };
            let received = length(path);
            failures = if received > before { 1 } else { failures + 1 };
            if failures >= ATTEMPTS {
                return Err(HubError::Interrupted {
                    file: file.to_owned(),
                    received,
                    attempts: ATTEMPTS,
                    source: error,
                });
            }
            thread::sleep(WAIT * (1 << (failures - 1)));
        }
    }

    fn receive_once(&mut self, file: &str, info: &FileInfo, path: &Path) -> Result<(), Failure> {
        let failed = |source| {
            let path = path.to_owned();
            Failure::Final(HubError::Cache { path, source })
        };
        let here = length(path);
        if info.size == Some(here) && here > 0 {
            return Ok(());
        }
        // A file that is longer than expected is the beginning of something else.
        let start = if info.size.is_some_and(|size| here > size) {
            0
        } else {
            here
        };
        let commit = &self.revision.commit;
        let mut transfer = self.remote.content(self.model, commit, file, start)?;
        let mut out = OpenOptions::new()
            .create(true)
            .append(true)
            .open(path)
            .map_err(failed)?;
        out.set_len(transfer.start).map_err(failed)?;
        let mut received = transfer.start;
        let mut buffer = vec![0; 1 << 16];
        loop {
            self.tell(file, received);
            let read = match transfer.content.read(&mut buffer) {
                Ok(0) => break,
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(Failure::Passing(error.into())),
            };
            out.write_all(&buffer[..read]).map_err(failed)?;
            received += read as u64;
        }
        out.sync_all().map_err(failed)?;
        match info.size {
            Some(size) if received < size => {
                let reason = format!("{received} of {size} bytes came");
                Err(Failure::Passing(reason.into()))
            }
            _ => Ok(()),
        }
    }

    fn tell(&mut self, file: &str, received: u64) {
        (self.progress)(Progress {
            file,
            done: self.done + received,
            total: self.total,
        });
    }
}

/// Why a transfer ended early.
enum Failure {
    /// Another attempt may succeed.
    Passing(BoxedError),
    Final(HubError),
}

impl From<HubError> for Failure {
    fn from(error: HubError) -> Self {
        match error {
            HubError::Unreachable { source, .. } => Failure::Passing(source),
            HubError::Status { status, .. } if status == 429 || status >= 500 => {
                Failure::Passing(error.into())
            }
            other => Failure::Final(other),
        }
    }
}

fn mismatch(file: &str, expected: &Checksum, found: &Checksum) -> HubError {
    HubError::Checksum {
        file: file.to_owned(),
        expected: expected.to_string(),
        found: found.to_string(),
    }
}

/// The length in bytes of the file at `path`; 0 if there is none.
fn length(path: &Path) -> u64 {
    fs::metadata(path).map_or(0, |it| it.len())
}
