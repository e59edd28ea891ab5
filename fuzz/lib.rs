//! What the fuzz targets share: a checkpoint's folder in memory whose files the fuzzer writes, and
//! texts for the tokenizers that it makes.

use std::fs;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use nezha_exporter::checkpoint::{Checkpoint, CheckpointError, Format, OpenOptions};
use nezha_graphs::TokenizerFiles;
use nezha_runtime::{Tokenizer, VocabularyFile};
use tempfile::TempDir;

/// A config that every reader accepts.
pub const CONFIG: &str = include_str!("../exporter/tests/checkpoints/safetensors/config.json");

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
        fs::write(self.path(name), bytes).expect("a file of the fuzzer");
    }

    /// Opens the checkpoint and reads all that it has; an error is a good answer, too.
    pub fn read(&self, options: &OpenOptions) -> Result<Checkpoint, CheckpointError> {
        read(Checkpoint::open(self.0.path(), options)?)
    }

    /// Where a file of the folder is, or would be.
    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }
}

/// Opens the checkpoint of this config and these bytes and reads all that it has.
pub fn read_from_memory(
    path: impl AsRef<Path>,
    config: &str,
    weights: Bytes,
    format: Format,
    options: &OpenOptions,
) -> Result<Checkpoint, CheckpointError> {
    let opened = Checkpoint::from_memory(path.as_ref(), config, weights, format, options);
    read(opened?)
}

/// Reads all that a checkpoint has.
fn read(checkpoint: Checkpoint) -> Result<Checkpoint, CheckpointError> {
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

/// Texts of ideographs, of words, of what is neither, of special tokens.
const TEXTS: [&str; 5] = [
    "",
    "我喜欢北京。",
    "Ünïted\u{301} ab-c 12",
    "\u{2028}\u{0}\u{200d}\u{1f600}",
    "[CLS]a[MASK] b",
];

/// Makes a tokenizer and splits texts with it; an error is a good answer, too.
///
/// The vocabulary, `tokenizer_config.json`, `special_tokens_map.json` and `added_tokens.json` are
/// separated by zero bytes; those at the end may be missing.
pub fn encode<'i>(vocabulary: fn(&'i [u8]) -> VocabularyFile<'i>, input: &'i [u8]) {
    let mut parts = input.split(|it| *it == 0);
    let bytes = parts.next().unwrap_or_default();
    let mut text = || parts.next().and_then(|it| std::str::from_utf8(it).ok());
    let files = TokenizerFiles {
        tokenizer_config: text(),
        special_tokens_map: text(),
        added_tokens: text(),
    };
    let Ok(tokenizer) = Tokenizer::from_bytes(vocabulary(bytes), &files) else {
        return;
    };
    for text in TEXTS {
        for pair in [None, Some("ab 北京")] {
            if let Ok(encoding) = tokenizer.encode(text, pair, 16) {
                assert!(encoding.len() <= 16, "{} tokens", encoding.len());
                assert_eq!(encoding.offsets.len(), encoding.ids.len());
                let _ = tokenizer.decode(&encoding.ids, false);
            }
            let _ = tokenizer.windows(text, pair, 8, 2);
        }
    }
}
