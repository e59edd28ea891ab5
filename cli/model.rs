use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use nezha_graphs::Artifact;

/// The model that an argument names: the file itself, or `model.onnx` in a folder.
pub(crate) fn model_file(path: &Path) -> Result<PathBuf> {
    if !path.is_dir() {
        return Ok(path.to_owned());
    }
    match Artifact::in_folder(path).model_for(&[]) {
        Ok(name) => Ok(path.join(name)),
        Err(tried) => bail!(
            "{}: no {}, in any precision: name the .onnx file",
            path.display(),
            tried.join(", ")
        ),
    }
}
