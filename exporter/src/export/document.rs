use std::path::{Path, PathBuf};

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
