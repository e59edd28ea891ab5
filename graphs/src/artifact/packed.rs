//! The packed form: a zip archive that is mapped and never unpacked.
//!
//! Parts are stored uncompressed, each at a multiple of 64 bytes, in the order of their names. Then
//! follows the manifest, in JSON:
//! `{"nezha_artifact": 1, "parts": {"NAME": {"bytes": N, "sha256": "HEX"}}}`.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::io::{self, Cursor, Read, Seek, SeekFrom, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use serde::de::{Error as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use sha2::{Digest, Sha256};
use zip::read::{ArchiveOffset, Config};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipArchive, ZipWriter};

use super::{Artifact, ArtifactError, PartError, name};
use crate::files::FileError;
use crate::release_pages;

/// The name of the manifest, the list of parts.
pub(super) const MANIFEST: &str = "nezha-artifact.json";

/// More files than any layout has.
pub(super) const MOST_PARTS: usize = 1024;

/// The longest manifest: every name has the greatest length, and all its characters are escaped.
const LONGEST_MANIFEST: u64 = 8 << 20;

/// Engines read weights as vectors of up to 64 bytes.
const ALIGNMENT: u16 = 64;

/// The version of the packed form that this crate reads and writes.
const VERSION: u32 = 1;

/// The first bytes of a zip archive that has an entry.
const MAGIC: [u8; 4] = *b"PK\x03\x04";

/// Bytes at the end of an archive that include the last entry of its directory, in the form for
/// large files too.
const END: u64 = 512;

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Manifest {
    nezha_artifact: u32,
    #[serde(deserialize_with = "each_once")]
    parts: BTreeMap<String, Listed>,
}

/// Reads a map in which a repeated key is an error.
fn each_once<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<BTreeMap<String, Listed>, D::Error> {
    struct Once;

    impl<'de> Visitor<'de> for Once {
        type Value = BTreeMap<String, Listed>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a map of parts")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut parts = BTreeMap::new();
            while let Some((part, listed)) = map.next_entry::<String, Listed>()? {
                if parts.insert(part.clone(), listed).is_some() {
                    return Err(A::Error::custom(format!("part '{part}' is there twice")));
                }
            }
            Ok(parts)
        }
    }

    deserializer.deserialize_map(Once)
}

/// The manifest's entry for a part.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Listed {
    bytes: u64,
    sha256: String,
}

/// Whether the file at `path` is a packed model, complete or cut short; `false` if it can't be
/// read.
///
/// PyTorch's files are zip archives too. A packed model differs by the list of parts at its end, or
/// by the extension `.nezha`.
pub fn is_packed(path: impl AsRef<Path>) -> bool {
    let path = path.as_ref();
    // Checked before opening: opening a pipe would block.
    path.is_file()
        && File::open(path).is_ok_and(|mut file| {
            let mut start = [0; MAGIC.len()];
            let is_archive = file.read_exact(&mut start).is_ok() && start == MAGIC;
            let is_named = path.extension().is_some_and(|it| it == "nezha");
            is_archive && (is_named || lists_parts(&mut file))
        })
}

/// Whether the last entry of a zip archive's directory, which is at the end of the file, is the
/// manifest.
fn lists_parts(file: &mut File) -> bool {
    let mut end = Vec::new();
    let length = file.seek(SeekFrom::End(0)).unwrap_or_default();
    let read = file
        .seek(SeekFrom::Start(length.saturating_sub(END)))
        .and_then(|_| file.read_to_end(&mut end));
    let mut places = end.windows(MANIFEST.len());
    read.is_ok() && places.any(|it| it == MANIFEST.as_bytes())
}

/// A check of a part against its entry in the manifest.
pub(super) type Check = fn(&[u8], &Listed) -> Result<(), PartError>;

/// Reads the packed bytes of the file at `origin` and checks each part. The parts are views of
/// these bytes.
pub(super) fn read(origin: PathBuf, bytes: Bytes, check: Check) -> Result<Artifact, ArtifactError> {
    let shared = !bytes.is_unique();
    let container = |reason: String| ArtifactError::Container {
        path: origin.clone(),
        reason,
    };
    if !bytes.starts_with(&MAGIC) {
        return Err(container("it is not a zip archive".to_owned()));
    }
    let config = Config {
        archive_offset: ArchiveOffset::Known(0),
    };
    let archive = ZipArchive::with_config(config, Cursor::new(&bytes[..]));
    let archive = archive.map_err(|error| container(error.to_string()))?;
    // The manifest itself is not a part.
    if archive.len() > MOST_PARTS + 1 {
        return Err(ArtifactError::TooMany {
            path: origin,
            found: archive.len(),
        });
    }
    let mut places = places(&origin, archive, bytes.len() as u64)?;
    let manifest = manifest(
        &origin,
        places.remove(MANIFEST).map(|it| slice(&bytes, &it)),
    )?;
    let mut parts = BTreeMap::new();
    for (part, listed) in manifest.parts {
        let refused = |error| ArtifactError::part(&origin, &part, error);
        name::check(&part).map_err(refused)?;
        let place = places.remove(&part);
        let place = place.ok_or_else(|| refused(PartError::Missing))?;
        let found = slice(&bytes, &place);
        check(&found, &listed).map_err(refused)?;
        parts.insert(part, found);
    }
    match places.pop_first() {
        Some((part, _)) => Err(ArtifactError::part(&origin, &part, PartError::Unlisted)),
        None => Ok(Artifact::in_memory(origin, parts, shared)),
    }
}

/// The range of bytes of each entry. Ranges don't overlap, and all are inside of the file's
/// `length` bytes.
fn places(
    origin: &Path,
    mut archive: ZipArchive<Cursor<&[u8]>>,
    length: u64,
) -> Result<BTreeMap<String, Range<u64>>, ArtifactError> {
    let mut places = BTreeMap::new();
    for index in 0..archive.len() {
        let entry = archive.by_index_raw(index);
        let entry = entry.map_err(|error| ArtifactError::Container {
            path: origin.to_owned(),
            reason: error.to_string(),
        })?;
        let part = String::from_utf8_lossy(entry.name_raw()).into_owned();
        let refused = |error| ArtifactError::part(origin, &part, error);
        if entry.compression() != CompressionMethod::Stored
            || entry.encrypted()
            || entry.size() != entry.compressed_size()
        {
            return Err(refused(PartError::Compressed));
        }
        let start = entry.data_start().unwrap_or(u64::MAX);
        let end = start.checked_add(entry.size()).filter(|it| *it <= length);
        let end = end.ok_or_else(|| refused(PartError::Place))?;
        if places.insert(part.clone(), start..end).is_some() {
            return Err(refused(PartError::Repeated));
        }
    }
    let mut ordered: Vec<(&String, &Range<u64>)> = places.iter().collect();
    ordered.sort_unstable_by_key(|(_, place)| (place.start, place.end));
    let mut pairs = ordered.windows(2);
    match pairs.find(|pair| pair[0].1.end > pair[1].1.start) {
        Some(pair) => Err(ArtifactError::part(origin, pair[1].0, PartError::Place)),
        None => Ok(places),
    }
}

/// The bytes of a range, which must lie inside of `bytes`.
fn slice(bytes: &Bytes, place: &Range<u64>) -> Bytes {
    bytes.slice(place.start as usize..place.end as usize)
}

fn manifest(origin: &Path, bytes: Option<Bytes>) -> Result<Manifest, ArtifactError> {
    let refused = |reason: String| ArtifactError::Manifest {
        path: origin.to_owned(),
        reason,
    };
    let bytes = bytes.ok_or_else(|| refused(format!("there is no {MANIFEST}")))?;
    if bytes.len() as u64 > LONGEST_MANIFEST {
        return Err(refused(format!("it has {} bytes", bytes.len())));
    }
    let manifest: Manifest =
        serde_json::from_slice(&bytes).map_err(|error| refused(error.to_string()))?;
    match manifest.nezha_artifact {
        VERSION => Ok(manifest),
        other => Err(refused(format!(
            "it is of version {other}, this program reads {VERSION}: pack the folder again"
        ))),
    }
}

/// Checks the length.
pub(super) fn check_length(bytes: &[u8], listed: &Listed) -> Result<(), PartError> {
    match bytes.len() as u64 {
        found if found == listed.bytes => Ok(()),
        found => Err(PartError::Size {
            expected: listed.bytes,
            found,
        }),
    }
}

/// Checks the length and the SHA-256.
pub(super) fn check_content(bytes: &[u8], listed: &Listed) -> Result<(), PartError> {
    check_length(bytes, listed)?;
    let found = sha256(bytes);
    match found == listed.sha256 {
        true => Ok(()),
        false => Err(PartError::Digest {
            expected: listed.sha256.clone(),
            found,
        }),
    }
}

/// The SHA-256 of bytes. The pages of a mapped file are released while it is computed.
fn sha256(bytes: &[u8]) -> String {
    let mut hasher = Sha256::new();
    for chunk in bytes.chunks(1 << 22) {
        hasher.update(chunk);
        release_pages(chunk);
    }
    let digest = hasher.finalize();
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Writes the packed form of an artifact.
pub(super) fn write(
    artifact: &Artifact,
    out: &mut (dyn Write + Send),
) -> Result<(), ArtifactError> {
    let names = artifact.names()?;
    if names.len() > MOST_PARTS {
        return Err(ArtifactError::TooMany {
            path: artifact.origin.clone(),
            found: names.len(),
        });
    }
    let written = |error: zip::result::ZipError| {
        let error = match error {
            zip::result::ZipError::Io(error) => error,
            other => io::Error::other(other.to_string()),
        };
        FileError::write("the packed model", error)
    };
    let mut zip = ZipWriter::new_stream(out);
    let mut manifest = Manifest {
        nezha_artifact: VERSION,
        parts: BTreeMap::new(),
    };
    for part in names {
        let bytes = artifact.expect(&part)?;
        let listed = Listed {
            bytes: bytes.len() as u64,
            sha256: sha256(&bytes),
        };
        add(&mut zip, &part, &bytes).map_err(written)?;
        manifest.parts.insert(part, listed);
    }
    let manifest = serde_json::to_vec(&manifest).map_err(io::Error::from);
    let manifest = manifest.map_err(|error| written(error.into()))?;
    add(&mut zip, MANIFEST, &manifest).map_err(written)?;
    zip.finish().map_err(written)?;
    Ok(())
}

fn add<W: Write + io::Seek>(
    zip: &mut ZipWriter<W>,
    name: &str,
    bytes: &[u8],
) -> zip::result::ZipResult<()> {
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Stored)
        .last_modified_time(DateTime::default())
        .large_file(bytes.len() as u64 > u64::from(u32::MAX))
        .with_alignment(ALIGNMENT);
    zip.start_file(name, options)?;
    Ok(zip.write_all(bytes)?)
}
