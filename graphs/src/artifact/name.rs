//! Which names parts may have, and the names of a folder's files.

use std::fs;
use std::path::Path;

use super::packed::{MANIFEST, MOST_PARTS};
use super::{ArtifactError, PartError};

/// The longest name, in bytes.
const LONGEST: usize = 1024;

/// Refuses names that lead out of a folder, or that some system can't have.
pub(super) fn check(name: &str) -> Result<(), PartError> {
    let sound = |segment: &str| {
        let odd = |it: char| it.is_control() || matches!(it, '\\' | ':');
        !matches!(segment, "" | "." | "..") && segment.len() < 256 && !segment.contains(odd)
    };
    match name.len() <= LONGEST && name != MANIFEST && name.split('/').all(sound) {
        true => Ok(()),
        false => Err(PartError::Name),
    }
}

/// The names of the files in a folder and its subfolders, without the partial files of a killed
/// export.
pub(super) fn of_folder(folder: &Path) -> Result<Vec<String>, ArtifactError> {
    let mut names = Vec::new();
    let mut ahead = vec![String::new()];
    while let Some(prefix) = ahead.pop() {
        let place = folder.join(&prefix);
        let unread = |source| ArtifactError::Read {
            path: place.clone(),
            source,
        };
        for entry in fs::read_dir(&place).map_err(unread)? {
            let entry = entry.map_err(unread)?;
            let file = entry.file_name();
            let name = format!("{prefix}{}", file.to_string_lossy());
            let refused = |error| ArtifactError::part(folder, &name, error);
            let named = file
                .to_str()
                .ok_or(PartError::Name)
                .and_then(|_| check(&name));
            named.map_err(refused)?;
            // A link counts as what it leads to.
            let kind = fs::metadata(entry.path()).map_err(|_| refused(PartError::NotAFile))?;
            if kind.is_dir() {
                ahead.push(format!("{name}/"));
            } else if !kind.is_file() {
                return Err(refused(PartError::NotAFile));
            } else if !crate::files::is_partial(&entry.path()) {
                names.push(name);
            }
            // A link to a parent folder would never end.
            if names.len() + ahead.len() > MOST_PARTS {
                return Err(ArtifactError::TooMany {
                    path: folder.to_owned(),
                    found: names.len() + ahead.len(),
                });
            }
        }
    }
    Ok(names)
}
