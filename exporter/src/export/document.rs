use std::path::{Path, PathBuf};

/// A file beside an artifact with results about it. Exporting again removes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Document {
    /// The result of verifying the artifact against the checkpoint: `verification.json` beside
    /// `model.onnx`, `<head>.verification.json` beside `<head>.onnx`.
    Verification,
    /// The difference between its outputs and those of fp32: `agreement.json`.
    Agreement,
}

impl Document {
    /// Both documents.
    pub const ALL: [Self; 2] = [Document::Verification, Document::Agreement];

    /// Its path for the artifact at `model`.
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
