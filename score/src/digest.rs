//! XXH3 digests of files: not cryptographic, but as fast as memory.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

use xxhash_rust::xxh3::{Xxh3Default, xxh3_128};

use crate::ScoreError;

/// Bytes of each sample, and samples of each file.
const SAMPLE: u64 = 64 << 10;
const SAMPLES: u64 = 64;

/// The digest of some bytes, as 32 hexadecimal digits.
pub(crate) fn of_bytes(bytes: &[u8]) -> String {
    format!("{:032x}", xxh3_128(bytes))
}

/// The digest of a whole file.
pub(crate) fn of_file(path: &Path) -> Result<String, ScoreError> {
    let digest = File::open(path).and_then(|mut file| {
        let mut hash = Xxh3Default::new();
        read_into(&mut hash, &mut file)?;
        Ok(hex(&hash))
    });
    digest.map_err(ScoreError::read(path))
}

/// The size of a file, and the digest of its size and of samples from all over it, including its
/// first and last bytes; a small file is read whole.
pub(crate) fn of_samples(path: &Path) -> Result<(u64, String), ScoreError> {
    let digest = File::open(path).and_then(|mut file| {
        let size = file.metadata()?.len();
        let mut hash = Xxh3Default::new();
        hash.update(&size.to_le_bytes());
        if size <= SAMPLE * SAMPLES {
            read_into(&mut hash, &mut file)?;
        } else {
            for sample in 0..SAMPLES {
                let at = u128::from(size - SAMPLE) * u128::from(sample) / u128::from(SAMPLES - 1);
                file.seek(SeekFrom::Start(at as u64))?;
                read_into(&mut hash, &mut (&mut file).take(SAMPLE))?;
            }
        }
        Ok((size, hex(&hash)))
    });
    digest.map_err(ScoreError::read(path))
}

/// The digest of rows, one after the other.
#[derive(Default)]
pub(crate) struct RowDigest(Xxh3Default);

impl RowDigest {
    /// Adds a value of a row. The value's length is part of the digest, so that values can't run
    /// together.
    pub(crate) fn add(&mut self, value: &[u8]) {
        self.0.update(&(value.len() as u64).to_le_bytes());
        self.0.update(value);
    }

    /// The digest of what was added.
    pub(crate) fn finish(&self) -> String {
        hex(&self.0)
    }
}

fn hex(hash: &Xxh3Default) -> String {
    format!("{:032x}", hash.digest128())
}

fn read_into(hash: &mut Xxh3Default, from: &mut impl Read) -> io::Result<()> {
    let mut buffer = vec![0; 1 << 20];
    loop {
        match from.read(&mut buffer)? {
            0 => return Ok(()),
            read => hash.update(&buffer[..read]),
        }
    }
}
