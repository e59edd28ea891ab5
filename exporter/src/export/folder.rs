//! The folder that an artifact is written to: its existing files, other exports to it, and the
//! files that become superfluous.

use std::fs::{self, File, TryLockError};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use nezha_graphs::files::{FileError, Staged, remove_partial_files};

use super::Warning;
use super::tokenizer::{TOKENIZER_FILES, TokenizerFolder};
use crate::checkpoint::Checkpoint;
use crate::onnx::WriteError;

/// Prefix and suffix of an external weights file's name; the digest is between them.
const WEIGHTS: (&str, &str) = ("weights.", ".onnx_data");

/// The name of the weights file with this digest.
pub(super) fn weights_name(digest: &str) -> String {
    format!("{}{digest}{}", WEIGHTS.0, WEIGHTS.1)
}

/// A folder to which no other process exports while this value exists.
pub(crate) struct TargetFolder<'p> {
    path: &'p Path,
    /// Whether this export created the folder.
    made: bool,
    /// The lock is released when the file is closed, even if the process is killed.
    _lock: Option<File>,
}

impl<'p> TargetFolder<'p> {
    /// Creates the folder if it is missing, locks it, and removes the partial files of killed
    /// exports.
    pub(crate) fn open(path: &'p Path) -> Result<Self, WriteError> {
        let mut above = path.ancestors();
        if let Some(file) = above.find(|it| it.exists() && !it.is_dir()) {
            return Err(WriteError::NotAFolder {
                path: file.to_owned(),
            });
        }
        let made = !path.exists();
        fs::create_dir_all(path).map_err(|source| FileError::write(path, source))?;
        let lock = lock(path)?;
        if lock.is_some() {
            remove_partial_files(path);
        }
        Ok(Self {
            path,
            made,
            _lock: lock,
        })
    }

    /// Removes the folder if a failed export created it and it is empty.
    pub(crate) fn discard(self) {
        if self.made {
            // This fails, as it should, if the folder contains something by now.
            let _ = fs::remove_dir(self.path);
        }
    }
}

/// Locks a folder, if the system can.
fn lock(folder: &Path) -> Result<Option<File>, WriteError> {
    if !cfg!(unix) {
        return Ok(None);
    }
    let Ok(file) = File::open(folder) else {
        return Ok(None);
    };
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Err(WriteError::Busy {
            path: folder.to_owned(),
        }),
        Err(TryLockError::Error(_)) => Ok(None),
    }
}

/// A file beside an artifact that must be written, because the folder doesn't have it with this
/// content.
pub(super) struct Sidecar {
    /// Its path in the folder.
    pub name: String,
    bytes: Vec<u8>,
}

impl Sidecar {
    /// The files `of_layout`, which include `config.json`, and the tokenizer's files, without those
    /// that `folder` already has with the same content.
    ///
    /// A file with other content is replaced only with `force`, since the folder may belong to
    /// another checkpoint. The checkpoint's own files are never replaced.
    pub(super) fn collect(
        checkpoint: &Checkpoint,
        folder: &Path,
        of_layout: Vec<(String, String)>,
        tokenizer: &TokenizerFolder,
        force: bool,
        warnings: &mut Vec<Warning>,
    ) -> Result<Vec<Self>, WriteError> {
        let of_layout = of_layout.into_iter();
        let mut sidecars: Vec<Self> = of_layout
            .map(|(name, text)| Self {
                name,
                bytes: text.into_bytes(),
            })
            .collect();
        for name in TOKENIZER_FILES {
            if let Some(bytes) = tokenizer.get(name) {
                sidecars.push(Self {
                    name: name.to_owned(),
                    bytes: bytes.to_vec(),
                });
            } else if folder.join(name).exists() {
                warnings.push(Warning::ForeignFile {
                    path: folder.join(name),
                });
            }
        }
        let there = |it: &Self| folder.join(&it.name);
        if is_same_folder(checkpoint.folder(), folder) {
            sidecars.retain(|it| !there(it).exists());
        }
        sidecars.retain(|it| !fs::read(there(it)).is_ok_and(|found| found == it.bytes));
        match sidecars.iter().map(there).find(|path| path.exists()) {
            Some(path) if !force => Err(FileError::Exists { path }.into()),
            _ => Ok(sidecars),
        }
    }

    /// Writes the file under a temporary name.
    pub(super) fn stage(&self, folder: &Path) -> Result<Staged, WriteError> {
        let staged = Staged::new(folder, |out| {
            Ok::<_, WriteError>(out.write_all(&self.bytes)?)
        });
        staged.map(|(staged, ())| staged)
    }
}

pub(super) fn is_same_folder(a: &Path, b: &Path) -> bool {
    let [a, b] = [a, b].map(|it| it.canonicalize().ok());
    a.is_some() && a == b
}

/// Removes the external weights files in `folder` that no `.onnx` there mentions.
///
/// Any occurrence of the name counts as a mention, so the `.onnx` files need not be parsed. If a
/// file can't be read, nothing is removed.
pub(super) fn remove_superseded_weights(folder: &Path) -> io::Result<()> {
    let mut weights = Vec::new();
    let mut models = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        match path.file_name().and_then(|it| it.to_str()) {
            Some(name) if is_weights(name) => weights.push(name.to_owned()),
            Some(name) if name.ends_with(".onnx") => models.push(path),
            _ => {}
        }
    }
    for model in models {
        if weights.is_empty() {
            break;
        }
        retain_unmentioned(&model, &mut weights)?;
    }
    weights
        .iter()
        .try_for_each(|name| fs::remove_file(folder.join(name)))
}

/// Whether the name has the form of [`weights_name`].
fn is_weights(name: &str) -> bool {
    let digest = name
        .strip_prefix(WEIGHTS.0)
        .and_then(|it| it.strip_suffix(WEIGHTS.1));
    digest.is_some_and(|it| it.len() == 32 && it.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

/// Removes from `names` those that occur in the file at `path`.
fn retain_unmentioned(path: &PathBuf, names: &mut Vec<String>) -> io::Result<()> {
    const CHUNK: u64 = 1 << 20;
    let mut file = File::open(path)?;
    let mut window = Vec::new();
    let overlap = names.iter().map(String::len).max().unwrap_or(0);
    loop {
        // A name may begin in one chunk and end in the next.
        let seen = window.len().saturating_sub(overlap);
        window.drain(..seen);
        if Read::by_ref(&mut file)
            .take(CHUNK)
            .read_to_end(&mut window)?
            == 0
        {
            return Ok(());
        }
        for (at, _) in window.iter().enumerate().filter(|(_, byte)| **byte == b'w') {
            names.retain(|name| !window[at..].starts_with(name.as_bytes()));
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::disallowed_methods, reason = "a test writes its inputs")]

    use super::*;

    #[test]
    fn a_name_is_found_wherever_it_lies_in_a_large_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model.onnx");
        let [mentioned, other] = ["0", "1"].map(|digit| weights_name(&digit.repeat(32)));
        for at in [0, 1000, (1 << 20) - 20, (1 << 20) - 1, 1 << 20, 3 << 20] {
            let mut bytes = vec![b'w'; at];
            bytes.extend(mentioned.as_bytes());
            bytes.resize(bytes.len() + 500, 0);
            fs::write(&path, bytes).unwrap();
            let mut names = vec![mentioned.clone(), other.clone()];
            retain_unmentioned(&path, &mut names).unwrap();
            assert_eq!(names, [other.as_str()], "at byte {at}");
        }
    }

    #[test]
    fn only_files_named_by_a_digest_are_ours() {
        assert!(is_weights(&weights_name(&"0f".repeat(16))));
        for name in [
            "weights.onnx_data",
            "weights.mine.onnx_data",
            "model.onnx_data",
            "weights.00000000000000000000000000000000.bin",
        ] {
            assert!(!is_weights(name), "{name}");
        }
    }
}
