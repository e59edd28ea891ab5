use std::path::Path;

use nezha_graphs::files::{replace_file, write_file};
use nezha_graphs::is_packed;

use super::stored::FileDigest;
use super::{Verified, VerifyError};
use crate::checkpoint::file;
use crate::export::{Document, TargetFolder};
use crate::onnx::{WriteError, with_metadata};

/// The key of `metadata_props` that holds the summary of the last verification.
pub const SUMMARY_KEY: &str = "nezha.verification";

/// Writes a document about the artifact at `model`, atomically.
///
/// # Errors
/// [`VerifyError::Write`].
pub fn write_document(
    model: impl AsRef<Path>,
    document: Document,
    text: &str,
) -> Result<(), VerifyError> {
    let model = model.as_ref();
    let _locked = TargetFolder::open(folder(model))?;
    Ok(write_file(document.path(model), text).map_err(WriteError::from)?)
}

/// Writes the result of a verification: `summary` to the metadata of the artifact, then the text
/// that `document` makes from the digests of the files, as [`Document::Verification`].
///
/// Each file is replaced atomically: even if something fails or the process is killed, it is the
/// complete old one or the complete new one. For a packed file nothing is written, because it
/// contains the digests of its parts.
///
/// # Errors
/// [`VerifyError::Changed`] if the artifact was replaced meanwhile; [`VerifyError::Write`].
pub fn certify(
    model: impl AsRef<Path>,
    verified: &Verified,
    summary: &str,
    document: impl FnOnce(&[FileDigest]) -> String,
) -> Result<(), VerifyError> {
    let model = model.as_ref();
    if is_packed(model) {
        return Ok(());
    }
    let _locked = TargetFolder::open(folder(model))?;
    let bytes = file::load(model, true)?;
    let mut files = verified.files.clone();
    let [compared, ..] = files.as_mut_slice() else {
        return Ok(());
    };
    if FileDigest::new(&compared.name, &bytes) != *compared {
        return Err(VerifyError::Changed {
            path: model.to_owned(),
        });
    }
    let parts = with_metadata(&bytes, SUMMARY_KEY, summary)?;
    replace_file(model, true, |out| {
        for part in &parts {
            out.write_all(part)?;
        }
        Ok::<_, WriteError>(())
    })?;
    *compared = FileDigest::new(&compared.name, &file::load(model, true)?);
    let text = document(&files);
    let path = Document::Verification.path(model);
    Ok(write_file(path, text).map_err(WriteError::from)?)
}

/// The folder that contains the artifact at `model`.
fn folder(model: &Path) -> &Path {
    match model.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}
