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

/// Writes a document of the artifact at `model`, in one step.
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

/// Writes the result of a verification: `summary` into the metadata of the artifact, then
/// the text that `document` makes for the files as they are then, as [`Document::Verification`].
///
/// Each file is replaced in one step; whatever fails or is killed, it is the old or the new one. A packed
/// file stays as it is, since it lists the digests of its parts: nothing is written.
///
/// # Errors
/// [`VerifyError::Changed`] where the artifact is another one by now; [`VerifyError::Write`].
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

/// The folder of the artifact at `model`.
fn folder(model: &Path) -> &Path {
    match model.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}
