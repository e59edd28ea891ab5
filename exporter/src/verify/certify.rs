use std::path::{Path, PathBuf};

use super::stored::FileDigest;
use super::{Verified, VerifyError};
use crate::checkpoint::file;
use crate::export::TargetFolder;
use crate::onnx::{replace_file, with_metadata};

/// The key of `metadata_props` that holds the summary of the last verification.
pub const SUMMARY_KEY: &str = "nezha.verification";

/// Where the result of verifying the artifact at `model` stands: `verification.json` beside
/// `model.onnx`, `<head>.verification.json` beside `<head>.onnx`.
pub fn document_path(model: &Path) -> PathBuf {
    let name = match model.file_stem().and_then(|it| it.to_str()) {
        None | Some("model") => "verification.json".to_owned(),
        Some(stem) => format!("{stem}.verification.json"),
    };
    model.with_file_name(name)
}

/// Writes the result of a verification: `summary` into the metadata of the artifact, then
/// the text that `document` makes for the files as they are then, to [`document_path`].
///
/// Each file is replaced in one step; whatever fails or is killed, it is the old or the new one.
///
/// # Errors
/// [`VerifyError::Changed`] where the artifact is another one by now; [`VerifyError::Write`].
pub fn certify(
    model: &Path,
    verified: &Verified,
    summary: &str,
    document: impl FnOnce(&[FileDigest]) -> String,
) -> Result<(), VerifyError> {
    let folder = match model.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let _locked = TargetFolder::open(folder)?;
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
        Ok(())
    })?;
    *compared = FileDigest::new(&compared.name, &file::load(model, true)?);
    let text = document(&files);
    replace_file(&document_path(model), true, |out| {
        Ok(out.write_all(text.as_bytes())?)
    })?;
    Ok(())
}
