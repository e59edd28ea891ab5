//! The hub's entity tags, which are checksums: SHA-256 for a large file, Git's blob hash for a
//! small one.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use sha1::Sha1;
use sha2::{Digest, Sha256};

use crate::id::{is_commit, is_hexadecimal};

/// The checksum that a file's content must have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Checksum(String);

impl Checksum {
    /// Reads an `ETag`; `None` if it is neither of the two kinds.
    pub(crate) fn from_etag(etag: &str) -> Option<Self> {
        let etag = etag.trim();
        let digits = etag.strip_prefix("W/").unwrap_or(etag).trim_matches('"');
        let is_sha256 = digits.len() == 64 && is_hexadecimal(digits);
        (is_sha256 || is_commit(digits)).then(|| Self(digits.to_owned()))
    }

    /// The digits, which name the content in the cache.
    pub(crate) fn digits(&self) -> &str {
        &self.0
    }

    /// The checksum of the same kind for the file at `path`.
    pub(crate) fn of_file(&self, path: &Path) -> io::Result<Self> {
        let mut file = File::open(path)?;
        if self.0.len() == 64 {
            return Ok(Self(digest(Sha256::new(), &mut file)?));
        }
        let git = Sha1::new().chain_update(format!("blob {}\0", file.metadata()?.len()));
        Ok(Self(digest(git, &mut file)?))
    }
}

fn digest(mut hash: impl Digest, file: &mut File) -> io::Result<String> {
    let mut buffer = vec![0; 1 << 20];
    loop {
        match file.read(&mut buffer)? {
            0 => break,
            read => hash.update(&buffer[..read]),
        }
    }
    let digits = hash.finalize();
    Ok(digits.iter().map(|byte| format!("{byte:02x}")).collect())
}

impl fmt::Display for Checksum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::disallowed_methods, reason = "a test writes its inputs")]

    use std::fs;

    use super::*;

    /// From `printf 'hello\n' | sha256sum` and `git hash-object`.
    const SHA256: &str = "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03";
    const GIT: &str = "ce013625030ba8dba906f756967f9e9ca394464a";

    #[test]
    fn both_kinds_of_checksum_are_those_of_their_own_tools() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        fs::write(&path, "hello\n").unwrap();
        for digits in [SHA256, GIT] {
            for etag in [
                digits.to_owned(),
                format!("\"{digits}\""),
                format!("W/\"{digits}\""),
            ] {
                let checksum = Checksum::from_etag(&etag).unwrap();
                assert_eq!(checksum.digits(), digits);
                assert_eq!(checksum.of_file(&path).unwrap(), checksum);
            }
        }
    }

    #[test]
    fn an_entity_tag_that_is_no_checksum_names_no_file() {
        for etag in [
            "",
            "../../x",
            "\"abc\"",
            &GIT.to_uppercase(),
            &"/".repeat(64),
        ] {
            assert_eq!(Checksum::from_etag(etag), None, "{etag}");
        }
    }
}
