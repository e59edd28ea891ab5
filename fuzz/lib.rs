//! What the fuzz targets share: a checkpoint's folder in memory whose files the fuzzer writes.

use std::fs;
use std::path::Path;

use nezha_exporter::checkpoint::{Checkpoint, CheckpointError, OpenOptions};
use tempfile::TempDir;

/// A config that every reader accepts.
pub const CONFIG: &[u8] = include_bytes!("../exporter/tests/checkpoints/safetensors/config.json");

/// A file of weights that every reader accepts.
pub const WEIGHTS: &[u8] =
    include_bytes!("../exporter/tests/checkpoints/safetensors/model.safetensors");

/// A checkpoint's folder.
pub struct Folder(TempDir);

impl Folder {
    /// A folder with the given files; in memory where the system has such a file system.
    pub fn new(files: &[(&str, &[u8])]) -> Self {
        let memory = Path::new("/dev/shm");
        let folder = match memory.is_dir() {
            true => tempfile::tempdir_in(memory),
            false => tempfile::tempdir(),
        };
        let folder = Self(folder.expect("a folder for the fuzzer's files"));
        for (name, bytes) in files {
            folder.write(name, bytes);
        }
        folder
    }

    /// Puts a file there, in place of the one of that name.
    pub fn write(&self, name: &str, bytes: &[u8]) {
        fs::write(self.0.path().join(name), bytes).expect("a file of the fuzzer");
    }

    /// Opens the checkpoint and reads all that it has; an error is a good answer, too.
    pub fn read(&self, options: &OpenOptions) -> Result<Checkpoint, CheckpointError> {
        let checkpoint = Checkpoint::open(self.0.path(), options)?;
        // What can't be read fails here, and is not asked for again.
        let digest = checkpoint.digest();
        let mut elements = 0;
        for weight in checkpoint.weights() {
            let count = |chunk: &[f32]| {
                elements += chunk.len();
                Ok::<(), CheckpointError>(())
            };
            let read = checkpoint.read_f32_chunks(&weight.name, 1 << 10, count);
            assert!(
                digest.is_err() || read.is_ok(),
                "{} is not read",
                weight.name
            );
        }
        let expected: usize = checkpoint.weights().iter().map(|it| it.elements()).sum();
        assert!(
            digest.is_err() || elements == expected,
            "{elements} of {expected}"
        );
        Ok(checkpoint)
    }
}
