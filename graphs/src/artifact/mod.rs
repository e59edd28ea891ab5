//! A model with all that belongs to it: in a folder, in one packed file, or in memory.

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

/// The files of a model by their names: graphs, external weights, tokenizer, config.
///
/// A folder's files are read when they are asked for. Those of a packed file, or of a program's own memory,
/// are views of it: nothing is copied, and cloning an artifact copies nothing either.
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
    /// The folder or the packed file; empty for what is only in memory.
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
    /// Opens a folder or a packed file, which is mapped: nobody may shorten it while it is in use.
    ///
    /// # Errors
    /// [`ArtifactError::Read`]; where it is a packed file, those of [`from_packed`](Self::from_packed).
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

    /// The files of a folder; none is read yet.
    pub fn in_folder(path: impl Into<PathBuf>) -> Self {
        Self {
            origin: path.into(),
            parts: Parts::InFolder,
        }
    }

    /// Parts in memory by their names; a static slice is not copied.
    ///
    /// # Errors
    /// [`ArtifactError::Part`] for a name that no file of a folder can have, or that comes twice.
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

    /// The content of a packed file; a static slice is not copied.
    ///
    /// Every part is looked at once: its place, its length, its SHA-256.
    ///
    /// # Errors
    /// [`ArtifactError::Container`], [`ArtifactError::Manifest`], [`ArtifactError::TooMany`],
    /// [`ArtifactError::Part`].
    pub fn from_packed(bytes: impl Into<Bytes>) -> Result<Self, ArtifactError> {
        packed::read(PathBuf::new(), bytes.into(), packed::check_content)
    }

    /// As [`from_packed`](Self::from_packed), without the SHA-256 of the parts: for a model in the program
    /// itself, whose weights need not be read before one of them is used.
    ///
    /// A part that was changed in place is not noticed here. It is an error or a wrong answer later, and
    /// never unsound.
    ///
    /// # Errors
    /// As [`from_packed`](Self::from_packed), without [`PartError::Digest`].
    pub fn from_packed_trusted(bytes: impl Into<Bytes>) -> Result<Self, ArtifactError> {
        packed::read(PathBuf::new(), bytes.into(), packed::check_length)
    }

    /// As [`from_packed`](Self::from_packed), from whatever gives the bytes.
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

    /// Whether the parts are views of memory, and no files by themselves.
    pub fn is_in_memory(&self) -> bool {
        matches!(self.parts, Parts::InMemory { .. })
    }

    /// Whether the parts take no memory by themselves: they are views of a mapped file, of the program, or
    /// of memory that somebody else held when the artifact was made. An engine may then read weights where
    /// they lie for as long as it lives.
    pub fn is_shared(&self) -> bool {
        matches!(self.parts, Parts::InMemory { shared: true, .. })
    }

    /// The folder or the packed file; empty for what is only in memory.
    pub fn origin(&self) -> &Path {
        &self.origin
    }

    /// Where a part is, or would be: a path for people where the artifact is no folder.
    pub fn path_of(&self, part: &str) -> PathBuf {
        self.origin.join(part)
    }

    /// A part; `None` where there is none. A file of a folder is read.
    ///
    /// # Errors
    /// What the system says of a file that is there and can't be read.
    pub fn part(&self, part: &str) -> io::Result<Option<Bytes>> {
        self.part_by(part, |path| fs::read(path).map(Bytes::from))
    }

    /// A part that is a text; `None` where there is none.
    ///
    /// # Errors
    /// As [`part`](Self::part), and where it is no UTF-8.
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

    /// Whether there is a part of this name.
    pub fn has(&self, part: &str) -> bool {
        match &self.parts {
            Parts::InMemory { parts, .. } => parts.contains_key(part),
            Parts::InFolder => self.origin.join(part).is_file(),
        }
    }

    /// The names of all parts, sorted; those in folders of a folder with a `/`.
    ///
    /// # Errors
    /// [`ArtifactError::Read`] where a folder can't be listed, [`ArtifactError::Part`] for what is no file
    /// or has a name that not every system can read.
    pub fn names(&self) -> Result<Vec<String>, ArtifactError> {
        let mut names = match &self.parts {
            Parts::InMemory { parts, .. } => parts.keys().cloned().collect(),
            Parts::InFolder => name::of_folder(&self.origin)?,
        };
        names.sort_unstable();
        Ok(names)
    }

    /// The graph for one of these heads: `model.onnx`, or the head's own where there are several; of
    /// several precisions the most precise.
    ///
    /// # Errors
    /// The names that were looked for, in single precision.
    pub fn model_for(&self, heads: &[Head]) -> Result<String, Vec<String>> {
        let stems = || std::iter::once("model").chain(heads.iter().map(|head| head.name()));
        let named = |precision: Precision| stems().map(move |stem| precision.file_name(stem));
        let mut names = Precision::ALL.into_iter().flat_map(named);
        names
            .find(|name| self.has(name))
            .ok_or_else(|| named(Precision::Fp32).collect())
    }

    /// Writes the packed form: a zip archive of uncompressed parts, each at a multiple of 64 bytes, and a
    /// manifest of their SHA-256. The same parts give the same bytes.
    ///
    /// # Errors
    /// Those of [`names`](Self::names), [`ArtifactError::Read`], [`ArtifactError::TooMany`],
    /// [`ArtifactError::Write`].
    pub fn pack(&self, out: &mut (dyn Write + Send)) -> Result<(), ArtifactError> {
        packed::write(self, out)
    }

    /// Writes the packed form to a file, in one step.
    ///
    /// # Errors
    /// Those of [`pack`](Self::pack); [`ArtifactError::Write`] where the file is there, unless `force`.
    pub fn pack_to(&self, path: impl AsRef<Path>, force: bool) -> Result<(), ArtifactError> {
        replace_file(path.as_ref(), force, |out| self.pack(out))
    }

    /// Writes every part as a file of `folder`, which is made where it is missing.
    ///
    /// # Errors
    /// Those of [`names`](Self::names), [`ArtifactError::Read`]; [`ArtifactError::Write`], also where a
    /// file is there, unless `force`.
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

    /// A part that has to be there; a file is mapped.
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
