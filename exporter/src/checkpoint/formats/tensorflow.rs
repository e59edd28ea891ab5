//! The tensors of a TensorFlow bundle: an `.index`, which is a table of protobuf messages, and the
//! `.data` files with the elements.
//!
//! A tensor's checksum is verified whenever it is read.

use std::collections::BTreeMap;
use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use prost::{DecodeError, Message};

use super::table;
use crate::checkpoint::tensor::{Data, ElementType, StoredTensor};
use crate::checkpoint::{CheckpointError, Storage, file};

const FORMAT: &str = "TensorFlow index";

/// Suffix of an index's name, and the part of a shard's name after the prefix.
const INDEX: &str = ".index";
const SHARD: &str = ".data-";

/// The largest index that is read, in bytes.
const LARGEST_INDEX: u64 = 64 << 20;

/// The entry with the empty key, which describes the whole bundle.
#[derive(Clone, PartialEq, Message)]
struct BundleHeaderProto {
    #[prost(int32, tag = "1")]
    num_shards: i32,
    /// 0 is little-endian.
    #[prost(int32, tag = "2")]
    endianness: i32,
}

/// The entry of a tensor.
#[derive(Clone, PartialEq, Message)]
struct BundleEntryProto {
    #[prost(int32, tag = "1")]
    dtype: i32,
    #[prost(message, optional, tag = "2")]
    shape: Option<TensorShapeProto>,
    #[prost(int32, tag = "3")]
    shard_id: i32,
    #[prost(int64, tag = "4")]
    offset: i64,
    #[prost(int64, tag = "5")]
    size: i64,
    #[prost(fixed32, tag = "6")]
    crc32c: u32,
    /// Parts of a partitioned variable. Only their presence matters.
    #[prost(bytes = "bytes", repeated, tag = "7")]
    slices: Vec<Bytes>,
}

#[derive(Clone, PartialEq, Message)]
struct TensorShapeProto {
    #[prost(message, repeated, tag = "2")]
    dim: Vec<Dim>,
    #[prost(bool, tag = "3")]
    unknown_rank: bool,
}

#[derive(Clone, PartialEq, Message)]
struct Dim {
    #[prost(int64, tag = "1")]
    size: i64,
}

/// Whether this is the name of a shard. The first bytes of a shard don't identify it.
pub(in super::super) fn is_shard(name: &str) -> bool {
    name.contains(SHARD)
}

/// The index of the bundle for the path of one of its files, or for its prefix.
pub(in super::super) fn bundle_of(path: &Path) -> Option<PathBuf> {
    let name = path.file_name()?.to_str()?;
    let prefix = match name.rfind(SHARD) {
        Some(at) => name.get(..at)?,
        None => name.strip_suffix(".meta").unwrap_or(name),
    };
    let index = path.with_file_name(format!("{prefix}{INDEX}"));
    (index.is_file() && index != path).then_some(index)
}

/// The index that the text file `checkpoint` in `folder` calls the newest, if it exists.
pub(in super::super) fn newest_of(folder: &Path) -> Option<PathBuf> {
    let text = fs::read_to_string(folder.join("checkpoint")).ok()?;
    let line = text
        .lines()
        .find_map(|it| it.trim().strip_prefix("model_checkpoint_path:"))?;
    let prefix = line.trim().trim_matches('"');
    // The path is often of another machine, so only the name is used.
    let name = prefix
        .rsplit(['/', '\\'])
        .next()
        .filter(|it| !it.is_empty())?;
    let index = folder.join(format!("{name}{INDEX}"));
    index.is_file().then_some(index)
}

/// Lists the tensors of the bundle with the index at `path`, which has these bytes, without reading
/// their elements.
pub(super) fn tensors(
    index: &[u8],
    path: &Path,
    mmap: bool,
) -> Result<Vec<StoredTensor>, CheckpointError> {
    let entries = read_index(index, path)?;
    let mut shards = Shards {
        index: path,
        count: entries.count,
        mmap,
        open: BTreeMap::new(),
    };
    let mut tensors = Vec::with_capacity(entries.tensors.len());
    let mut ranges: BTreeMap<(i32, u64), (u64, String)> = BTreeMap::new();
    for (name, entry) in entries.tensors {
        let entry = Entry::new(path, &name, &entry)?;
        let shard = shards.open(entry.shard)?;
        if entry.range.end > shard.size {
            return Err(malformed(
                path,
                format!(
                    "tensor '{name}' ends at byte {} of a shard with {}",
                    entry.range.end, shard.size
                ),
            ));
        }
        let place = (entry.shard, entry.range.start);
        if !entry.range.is_empty()
            && let Some((_, other)) = ranges.insert(place, (entry.range.end, name.clone()))
        {
            return Err(overlap(path, &name, &other));
        }
        tensors.push(entry.tensor(name, shard));
    }
    let neighbours = ranges.iter().zip(ranges.iter().skip(1));
    for (((shard, _), (end, name)), ((next_shard, start), (_, next))) in neighbours {
        if shard == next_shard && end > start {
            return Err(overlap(path, name, next));
        }
    }
    Ok(tensors)
}

/// The content of an index.
struct Index {
    count: i32,
    tensors: Vec<(String, BundleEntryProto)>,
}

/// Decodes a message of an index. It takes at most 16 times the memory of its bytes, and an index
/// is small.
#[allow(
    clippy::disallowed_methods,
    reason = "not a model: an entry holds numbers, and an index is at most 64 MiB"
)]
fn decode<M: Message + Default>(bytes: &[u8]) -> Result<M, DecodeError> {
    M::decode(bytes)
}

/// The bytes of the index at `path`.
pub(super) fn load_index(path: &Path) -> Result<Bytes, CheckpointError> {
    file::require_file(path)?;
    let unreadable = |source| file::unreadable(path, source);
    let size = fs::metadata(path).map_err(unreadable)?.len();
    if size > LARGEST_INDEX {
        return Err(malformed(
            path,
            format!("its {size} bytes are more than any index has"),
        ));
    }
    fs::read(path).map(Bytes::from).map_err(unreadable)
}

fn read_index(bytes: &[u8], path: &Path) -> Result<Index, CheckpointError> {
    let entries = table::entries(bytes).map_err(|reason| malformed(path, reason))?;
    let mut entries = entries.into_iter();
    let header = match entries.next() {
        Some((key, value)) if key.is_empty() => {
            decode::<BundleHeaderProto>(&value).map_err(|it| malformed(path, it.to_string()))?
        }
        _ => {
            return Err(malformed(
                path,
                "it has no header; a checkpoint of TensorFlow before 0.12 is not read".to_owned(),
            ));
        }
    };
    if header.endianness != 0 {
        return Err(malformed(path, "it is big-endian".to_owned()));
    }
    let tensors = entries.map(|(key, value)| {
        let name = String::from_utf8(key).map_err(|it| malformed(path, it.to_string()))?;
        let entry = decode::<BundleEntryProto>(&value);
        let entry = entry.map_err(|it| malformed(path, format!("tensor '{name}': {it}")))?;
        Ok((name, entry))
    });
    Ok(Index {
        count: header.num_shards,
        tensors: tensors.collect::<Result<_, CheckpointError>>()?,
    })
}

/// A tensor's entry that was validated.
struct Entry {
    shape: Vec<usize>,
    element: ElementType,
    shard: i32,
    range: Range<u64>,
    checksum: u32,
}

impl Entry {
    fn new(path: &Path, name: &str, entry: &BundleEntryProto) -> Result<Self, CheckpointError> {
        let refused = |reason: &str| malformed(path, format!("tensor '{name}' {reason}"));
        if !entry.slices.is_empty() {
            return Err(refused(
                "is cut into slices (a partitioned variable), which are not put together here",
            ));
        }
        let shape = entry.shape.clone().unwrap_or_default();
        if shape.unknown_rank {
            return Err(refused("has no shape"));
        }
        let sizes = shape.dim.iter().map(|it| usize::try_from(it.size).ok());
        let shape: Option<Vec<usize>> = sizes.collect();
        let shape = shape.ok_or_else(|| refused("has a negative size"))?;
        let (element, size) = element_type(entry.dtype);
        let bytes = |size: u64| {
            shape
                .iter()
                .try_fold(size, |bytes, it| bytes.checked_mul(*it as u64))
        };
        let start = u64::try_from(entry.offset).ok();
        let length = u64::try_from(entry.size).ok();
        let end = start
            .zip(length)
            .and_then(|(start, length)| start.checked_add(length));
        let (Some(start), Some(length), Some(end)) = (start, length, end) else {
            return Err(refused(
                "lies before the start or after the end of all files",
            ));
        };
        if size.is_some_and(|size| bytes(size) != Some(length)) {
            return Err(refused(&format!("has shape {shape:?} and {length} bytes")));
        }
        Ok(Self {
            shape,
            element,
            shard: entry.shard_id,
            range: start..end,
            checksum: entry.crc32c,
        })
    }

    fn tensor(self, name: String, shard: &Shard) -> StoredTensor {
        let (shard, range, checksum) = (shard.clone(), self.range, self.checksum);
        let length = (range.end - range.start) as usize;
        let called = name.clone();
        StoredTensor {
            name,
            keys: Vec::new(),
            file: Arc::clone(&shard.path),
            shape: self.shape,
            element: self.element,
            length,
            data: Data::reading(move || {
                let bytes = shard.read(range.clone())?;
                match table::masked(crc32c::crc32c(&bytes)) == checksum {
                    true => Ok(bytes),
                    false => Err(CheckpointError::Malformed {
                        path: shard.path.to_path_buf(),
                        format: "TensorFlow data",
                        reason: format!(
                            "tensor '{called}' has another checksum than its index says"
                        ),
                    }),
                }
            }),
        }
    }
}

/// The element type for TensorFlow's number, and its size if a tensor's bytes are just its
/// elements.
fn element_type(dtype: i32) -> (ElementType, Option<u64>) {
    let weight = |storage: Storage| (ElementType::Weight(storage), Some(storage.size() as u64));
    match dtype {
        1 => weight(Storage::F32),
        2 => weight(Storage::F64),
        14 => weight(Storage::BF16),
        19 => weight(Storage::F16),
        4 | 6 | 10 => (ElementType::Integer, Some(1)),
        5 | 17 => (ElementType::Integer, Some(2)),
        3 | 22 => (ElementType::Integer, Some(4)),
        9 | 23 => (ElementType::Integer, Some(8)),
        7 => (ElementType::Other("strings".to_owned()), None),
        other => (
            ElementType::Other(format!("TensorFlow's type {other}")),
            None,
        ),
    }
}

/// The data files of a bundle; those that were opened are kept.
struct Shards<'p> {
    index: &'p Path,
    count: i32,
    mmap: bool,
    open: BTreeMap<i32, Shard>,
}

impl Shards<'_> {
    fn open(&mut self, number: i32) -> Result<&Shard, CheckpointError> {
        if number < 0 || number >= self.count {
            let count = self.count;
            return Err(malformed(
                self.index,
                format!("it names shard {number} of {count}"),
            ));
        }
        let name = self.index.file_name().unwrap_or_default().to_string_lossy();
        let prefix = name.strip_suffix(INDEX).unwrap_or(&name);
        let name = format!("{prefix}{SHARD}{number:05}-of-{:05}", self.count);
        match self.open.entry(number) {
            std::collections::btree_map::Entry::Occupied(open) => Ok(open.into_mut()),
            std::collections::btree_map::Entry::Vacant(place) => {
                let path = self.index.with_file_name(&name);
                let shard = Shard::open(&path, self.mmap).map_err(|error| match error {
                    CheckpointError::NotFound { .. } => CheckpointError::MissingShard {
                        index: self.index.to_owned(),
                        shard: name,
                    },
                    other => other,
                })?;
                Ok(place.insert(shard))
            }
        }
    }
}

/// A data file.
#[derive(Clone)]
struct Shard {
    path: Arc<Path>,
    size: u64,
    /// The whole file if it is mapped. Otherwise tensors are read one at a time, because most of
    /// the file may be an optimizer's state.
    map: Option<Bytes>,
}

impl Shard {
    fn open(path: &Path, mmap: bool) -> Result<Self, CheckpointError> {
        file::refuse_lfs_pointer(path)?;
        let map = mmap.then(|| file::load(path, true)).transpose()?;
        let size = fs::metadata(path)
            .map_err(|source| file::unreadable(path, source))?
            .len();
        let mapped = map.as_ref().map_or(size, |it| it.len() as u64);
        Ok(Self {
            path: Arc::from(path),
            size: size.min(mapped),
            map,
        })
    }

    fn read(&self, range: Range<u64>) -> Result<Bytes, CheckpointError> {
        match &self.map {
            // The range was compared with the file's size when the bundle was opened.
            Some(map) => Ok(map.slice(range.start as usize..range.end as usize)),
            None => file::read_range(&self.path, range),
        }
    }
}

fn overlap(path: &Path, first: &str, second: &str) -> CheckpointError {
    malformed(path, format!("tensors '{first}' and '{second}' overlap"))
}

fn malformed(path: &Path, reason: String) -> CheckpointError {
    CheckpointError::Malformed {
        path: path.to_owned(),
        format: FORMAT,
        reason,
    }
}
