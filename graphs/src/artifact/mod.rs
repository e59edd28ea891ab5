//! A model with all of its files: in a folder, in one packed file, or in memory.

mod error;
mod name;
mod packed;

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;

pub use error::{ArtifactError, PartError};
pub use packed::is_packed;

use crate::files::{FileError, replace_file, write_file};
use crate::{Head, Precision, map_file};

/// The files of a model, by name: graphs, external weights, tokenizer, config.
///
/// A folder's files are read when they are asked for. The parts of a packed file, or of memory that
/// a program provides, are views of it: neither opening nor cloning such an artifact copies them.
///
/// ```
/// use nezha_graphs::Artifact;
///
/// // In a program: include_bytes!("model.nezha"), or each file by itself.
/// static VOCABULARY: &[u8] = b"[PAD]\n[UNK]\n";
/// let artifact = Artifact::from_parts([("vocab.txt", VOCABULARY)])?;
/// let part = artifact.part("vocab.txt")?.unwrap();
/// assert_eq!(part.as_ptr(), VOCABULARY.as_ptr());
///
/// let mut packed = Vec::new();
/// artifact.pack(&mut packed)?;
/// let again = Artifact::from_packed(packed)?;
/// assert_eq!(again.names()?, ["vocab.txt"]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Artifact {
    /// The folder or the packed file; empty if the artifact is only in memory.
    origin: PathBuf,
    parts: Parts,
}

#[derive(Clone, Debug)]
enum Parts {
    InFolder,
    InMemory {
        parts: Arc<BTreeMap<String, Bytes>>,
        shared: bool,
    },
}

impl Artifact {
    /// Opens a folder, or maps a packed file: nobody may shorten the file while it is in use.
    ///
    /// # Errors
    /// [`ArtifactError::Read`]; for a packed file, also those of
    /// [`from_packed`](Self::from_packed).
    pub fn open(path: impl AsRef<Path>) -> Result<Self, ArtifactError> {
        let path = path.as_ref();
        let unread = |source| ArtifactError::Read {
            path: path.to_owned(),
            source,
        };
        match fs::metadata(path).map_err(unread)?.is_dir() {
            true => Ok(Self::in_folder(path)),
            false => {
                let bytes = map_file(path).map_err(unread)?;
                packed::read(path.to_owned(), bytes, packed::check_content)
            }
        }
    }

    /// An artifact of the files in a folder. No file is read yet.
    pub fn in_folder(path: impl Into<PathBuf>) -> Self {
        Self {
            origin: path.into(),
            parts: Parts::InFolder,
        }
    }

    /// An artifact of parts in memory, given by name. A static slice is not copied.
    ///
    /// # Errors
    /// [`ArtifactError::Part`] if a file can't have one of the names, or two parts have the same
    /// name.
    pub fn from_parts<N: Into<String>, B: Into<Bytes>>(
        parts: impl IntoIterator<Item = (N, B)>,
    ) -> Result<Self, ArtifactError> {
        let mut named = BTreeMap::new();
        let mut shared = true;
        for (part, bytes) in parts {
            let (part, bytes) = (part.into(), bytes.into());
            shared &= !bytes.is_unique();
            let refused = |error| ArtifactError::part(Path::new(""), &part, error);
            name::check(&part).map_err(refused)?;
            if named.insert(part.clone(), bytes).is_some() {
                return Err(refused(PartError::Repeated));
            }
        }
        Ok(Self::in_memory(PathBuf::new(), named, shared))
    }

    /// Reads the content of a packed file. A static slice is not copied.
    ///
    /// The place, length and SHA-256 of every part are checked once, here.
    ///
    /// # Errors
    /// [`ArtifactError::Container`], [`ArtifactError::Manifest`], [`ArtifactError::TooMany`],
    /// [`ArtifactError::Part`].
    pub fn from_packed(bytes: impl Into<Bytes>) -> Result<Self, ArtifactError> {
        packed::read(PathBuf::new(), bytes.into(), packed::check_content)
    }

    /// Like [`from_packed`](Self::from_packed), but doesn't check the SHA-256 of the parts. This is
    /// for a model inside the program: its weights need not be read before they are used.
    ///
    /// A part that was changed in place is not detected here. It causes an error or a wrong answer
    /// later, but never undefined behavior.
    ///
    /// # Errors
    /// Those of [`from_packed`](Self::from_packed), except [`PartError::Digest`].
    pub fn from_packed_trusted(bytes: impl Into<Bytes>) -> Result<Self, ArtifactError> {
        packed::read(PathBuf::new(), bytes.into(), packed::check_length)
    }

    /// Like [`from_packed`](Self::from_packed), with the bytes from a reader.
    ///
    /// # Errors
    /// Those of [`from_packed`](Self::from_packed), and [`ArtifactError::Read`].
    pub fn from_reader(mut reader: impl Read) -> Result<Self, ArtifactError> {
        let mut bytes = Vec::new();
        let read = reader.read_to_end(&mut bytes);
        read.map_err(|source| ArtifactError::Read {
            path: PathBuf::new(),
            source,
        })?;
        Self::from_packed(bytes)
    }

    fn in_memory(origin: PathBuf, parts: BTreeMap<String, Bytes>, shared: bool) -> Self {
        let parts = Arc::new(parts);
        Self {
            origin,
            parts: Parts::InMemory { parts, shared },
        }
    }

    /// Whether the parts are in memory (a mapped file included) instead of being files of a folder.
    pub fn is_in_memory(&self) -> bool {
        matches!(self.parts, Parts::InMemory { .. })
    }

    /// Whether the parts use no memory of their own: they are views of a mapped file, of the
    /// program, or of memory that had another owner when the artifact was made. An engine may then
    /// use the weights in place for as long as the artifact lives.
    pub fn is_shared(&self) -> bool {
        matches!(self.parts, Parts::InMemory { shared: true, .. })
    }

    /// The folder or the packed file; empty if the artifact is only in memory.
    pub fn origin(&self) -> &Path {
        &self.origin
    }

    /// The path of a part, whether it exists or not. If the artifact is not a folder, the path is
    /// only for messages.
    pub fn path_of(&self, part: &str) -> PathBuf {
        self.origin.join(part)
    }

    /// The bytes of a part; `None` if it doesn't exist. A file of a folder is read at each call.
    ///
    /// # Errors
    /// The operating system's error for a file that exists but can't be read.
    pub fn part(&self, part: &str) -> io::Result<Option<Bytes>> {
        self.part_by(part, |path| fs::read(path).map(Bytes::from))
    }

    /// The text of a part; `None` if it doesn't exist.
    ///
    /// # Errors
    /// Those of [`part`](Self::part); [`ErrorKind::InvalidData`] if the part is not UTF-8.
    pub fn text(&self, part: &str) -> io::Result<Option<String>> {
        let text = |bytes: Bytes| {
            let text = String::from_utf8(bytes.into());
            text.map_err(|error| io::Error::new(ErrorKind::InvalidData, error.utf8_error()))
        };
        self.part(part)?.map(text).transpose()
    }

    fn part_by(
        &self,
        part: &str,
        open: fn(&Path) -> io::Result<Bytes>,
    ) -> io::Result<Option<Bytes>> {
        match &self.parts {
            Parts::InMemory { parts, .. } => Ok(parts.get(part).cloned()),
            Parts::InFolder => match open(&self.origin.join(part)) {
                Ok(bytes) => Ok(Some(bytes)),
                Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
                Err(error) => Err(error),
            },
        }
    }

    /// Whether a part of this name exists.
    pub fn has(&self, part: &str) -> bool {
        match &self.parts {
            Parts::InMemory { parts, .. } => parts.contains_key(part),
            Parts::InFolder => self.origin.join(part).is_file(),
        }
    }

    /// The names of all parts, sorted. A file in a subfolder is named by its path, with `/`.
    ///
    /// # Errors
    /// [`ArtifactError::Read`] if a folder can't be listed; [`ArtifactError::Part`] for an entry
    /// that is not a file, or whose name not every system can have.
    pub fn names(&self) -> Result<Vec<String>, ArtifactError> {
        let mut names = match &self.parts {
            Parts::InMemory { parts, .. } => parts.keys().cloned().collect(),
            Parts::InFolder => name::of_folder(&self.origin)?,
        };
        names.sort_unstable();
        Ok(names)
    }

    /// The name of the graph for one of these heads: `model.onnx`, or the head's own file if there
    /// are several. If there are several precisions, the most precise one.
    ///
    /// # Errors
    /// The fp32 file names that were looked for; those of the other precisions are not listed.
    pub fn model_for(&self, heads: &[Head]) -> Result<String, Vec<String>> {
        let stems = || std::iter::once("model").chain(heads.iter().map(|head| head.name()));
        let named = |precision: Precision| stems().map(move |stem| precision.file_name(stem));
        let mut names = Precision::ALL.into_iter().flat_map(named);
        names
            .find(|name| self.has(name))
            .ok_or_else(|| named(Precision::Fp32).collect())
    }

    /// Writes the packed form: a zip archive of uncompressed parts, each at a multiple of 64 bytes,
    /// with a manifest of their SHA-256. The same parts give the same bytes.
    ///
    /// # Errors
    /// Those of [`names`](Self::names), [`ArtifactError::Read`], [`ArtifactError::TooMany`],
    /// [`ArtifactError::Write`].
    pub fn pack(&self, out: &mut (dyn Write + Send)) -> Result<(), ArtifactError> {
        packed::write(self, out)
    }

    /// Writes the packed form to a file, atomically.
    ///
    /// # Errors
    /// Those of [`pack`](Self::pack); [`ArtifactError::Write`] if the file exists and `force` is
    /// false.
    pub fn pack_to(&self, path: impl AsRef<Path>, force: bool) -> Result<(), ArtifactError> {
        replace_file(path.as_ref(), force, |out| self.pack(out))
    }

    /// Writes every part as a file in `folder`, and creates the folder if it is missing.
    ///
    /// # Errors
    /// Those of [`names`](Self::names); [`ArtifactError::Read`]; [`ArtifactError::Write`], also if
    /// a file exists and `force` is false.
    pub fn unpack(&self, folder: impl AsRef<Path>, force: bool) -> Result<(), ArtifactError> {
        let folder = folder.as_ref();
        let names = self.names()?;
        let there = |part: &&String| folder.join(part).symlink_metadata().is_ok();
        if let Some(part) = names.iter().find(there).filter(|_| !force) {
            let path = folder.join(part);
            return Err(FileError::Exists { path }.into());
        }
        for part in &names {
            let bytes = self.expect(part)?;
            let path = folder.join(part);
            let parent = path.parent().unwrap_or(folder);
            fs::create_dir_all(parent).map_err(|error| FileError::write(parent, error))?;
            write_file(&path, bytes)?;
        }
        Ok(())
    }

    /// A part that must exist. The file of a folder is mapped.
    pub(crate) fn expect(&self, part: &str) -> Result<Bytes, ArtifactError> {
        let read = self
            .part_by(part, |path| map_file(path))
            .map_err(|source| ArtifactError::Read {
                path: self.path_of(part),
                source,
            })?;
        read.ok_or_else(|| ArtifactError::part(&self.origin, part, PartError::Missing))
    }
}

#[cfg(test)]
mod tests;
