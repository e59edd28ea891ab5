use std::path::{Path, PathBuf};

use super::stored::FileDigest;
use super::{Verified, VerifyError};
use crate::checkpoint::file;
use crate::export::TargetFolder;
use crate::onnx::{replace_file, with_metadata};

/// The key of `metadata_props` that holds the summary of the last verification.
pub const SUMMARY_KEY: &str = "nezha.verification";

/// A file beside an artifact that says what was found out about it; exporting again removes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Document {
    /// Whether it is the checkpoint's: `verification.json` beside `model.onnx`,
    /// `<head>.verification.json` beside `<head>.onnx`.
    Verification,
    /// How near its answers are to those in single precision: `agreement.json`.
    Agreement,
}

impl Document {
    /// Both.
    pub const ALL: [Self; 2] = [Document::Verification, Document::Agreement];

    /// Where it stands for the artifact at `model`.
    pub fn path(self, model: &Path) -> PathBuf {
        let name = match self {
            Document::Verification => "verification.json",
            Document::Agreement => "agreement.json",
        };
        match model.file_stem().and_then(|it| it.to_str()) {
            None | Some("model") => model.with_file_name(name),
            Some(stem) => model.with_file_name(format!("{stem}.{name}")),
        }
    }
}

/// Writes a document of the artifact at `model`, in one step.
///
/// # Errors
/// [`VerifyError::Write`].
pub fn write_document(model: &Path, document: Document, text: &str) -> Result<(), VerifyError> {
    let _locked = TargetFolder::open(folder(model))?;
    replace_file(&document.path(model), true, |out| {
        Ok(out.write_all(text.as_bytes())?)
    })?;
    Ok(())
}

/// Writes the result of a verification: `summary` into the metadata of the artifact, then
/// the text that `document` makes for the files as they are then, as [`Document::Verification`].
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
        Ok(())
    })?;
    *compared = FileDigest::new(&compared.name, &file::load(model, true)?);
    let text = document(&files);
    replace_file(&Document::Verification.path(model), true, |out| {
        Ok(out.write_all(text.as_bytes())?)
    })?;
    Ok(())
}

/// The folder of the artifact at `model`.
fn folder(model: &Path) -> &Path {
    match model.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}
