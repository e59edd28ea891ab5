//! The kind and compression of a file, as its name tells.

use std::fs::File;
use std::io::{self, BufReader, Read, Write};
use std::path::Path;

use flate2::Compression as Level;
use flate2::read::MultiGzDecoder;
use flate2::write::GzEncoder;
use serde::{Deserialize, Serialize};

use crate::ScoreError;

/// A kind of file with rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Kind {
    /// Apache Parquet.
    Parquet,
    /// Values separated by commas, with a first row of names.
    Csv,
    /// Like CSV, but separated by tabs.
    Tsv,
    /// One JSON object per line.
    JsonLines,
}

/// The compression of a text file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Compression {
    /// None. Parquet compresses its own content.
    None,
    /// gzip.
    Gzip,
    /// Zstandard.
    Zstd,
}

/// Kind and compression of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Format {
    /// The kind.
    pub kind: Kind,
    /// The compression.
    pub compression: Compression,
}

impl Kind {
    /// The ending of its files' names.
    pub fn ending(self) -> &'static str {
        match self {
            Kind::Parquet => "parquet",
            Kind::Csv => "csv",
            Kind::Tsv => "tsv",
            Kind::JsonLines => "jsonl",
        }
    }

    /// The byte that separates the values of a row.
    pub(crate) fn delimiter(self) -> u8 {
        match self {
            Kind::Tsv => b'\t',
            _ => b',',
        }
    }
}

impl Format {
    /// The format that a name's ending tells; `None` if it tells none.
    ///
    /// ```
    /// use nezha_score::{Compression, Format, Kind};
    ///
    /// let format = Format::of("reviews.jsonl.zst").unwrap();
    /// assert_eq!(format.kind, Kind::JsonLines);
    /// assert_eq!(format.compression, Compression::Zstd);
    /// assert_eq!(Format::of("scored/"), None);
    /// ```
    pub fn of(path: impl AsRef<Path>) -> Option<Self> {
        let name = path.as_ref().file_name()?.to_str()?.to_ascii_lowercase();
        let (name, compression) = match name.rsplit_once('.')? {
            (name, "gz") => (name, Compression::Gzip),
            (name, "zst") => (name, Compression::Zstd),
            _ => (name.as_str(), Compression::None),
        };
        let kind = match name.rsplit_once('.')?.1 {
            "parquet" | "pq" => Kind::Parquet,
            "csv" => Kind::Csv,
            "tsv" => Kind::Tsv,
            "jsonl" | "ndjson" => Kind::JsonLines,
            _ => return None,
        };
        let twice = kind == Kind::Parquet && compression != Compression::None;
        (!twice).then_some(Self { kind, compression })
    }

    /// The ending of its files' names, such as `jsonl.zst`.
    pub fn ending(self) -> String {
        let around = match self.compression {
            Compression::None => "",
            Compression::Gzip => ".gz",
            Compression::Zstd => ".zst",
        };
        format!("{}{around}", self.kind.ending())
    }
}

impl Compression {
    /// Opens a file and decompresses its content.
    pub(crate) fn open(self, path: &Path) -> Result<Box<dyn Read + Send>, ScoreError> {
        let file = File::open(path).map_err(ScoreError::read(path))?;
        Ok(match self {
            Compression::None => Box::new(file),
            Compression::Gzip => Box::new(MultiGzDecoder::new(BufReader::new(file))),
            Compression::Zstd => {
                Box::new(zstd::Decoder::new(file).map_err(ScoreError::read(path))?)
            }
        })
    }

    /// Lets `write` fill the content, then ends the compression.
    pub(crate) fn around(
        self,
        out: &mut (dyn Write + Send),
        write: impl FnOnce(&mut (dyn Write + Send)) -> Result<(), ScoreError>,
        failed: impl Fn(io::Error) -> ScoreError,
    ) -> Result<(), ScoreError> {
        match self {
            Compression::None => write(out),
            Compression::Gzip => {
                let mut encoder = GzEncoder::new(out, Level::default());
                write(&mut encoder)?;
                encoder.finish().map(drop).map_err(failed)
            }
            Compression::Zstd => {
                let mut encoder =
                    zstd::Encoder::new(out, zstd::DEFAULT_COMPRESSION_LEVEL).map_err(&failed)?;
                write(&mut encoder)?;
                encoder.finish().map(drop).map_err(failed)
            }
        }
    }
}
