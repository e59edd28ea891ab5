//! Where a checkpoint is: a path, or a model's name on the Hugging Face hub.

use std::path::{Path, PathBuf};

use anyhow::Result;
use nezha_hub::{Hub, ModelId};

use crate::export::progress::Bar;
use crate::output;

/// Endings of names that are meant as files, whether they are there or not.
const FILES: [&str; 9] = [
    "bin",
    "ckpt",
    "h5",
    "json",
    "onnx",
    "pdparams",
    "pt",
    "pth",
    "safetensors",
];

/// The path that is given, where there is one; else the folder in the hub's cache of the model that it
/// names, downloaded where it is not there yet.
pub(crate) fn checkpoint(given: &Path) -> Result<PathBuf> {
    let Some(model) = model(given) else {
        return Ok(given.to_owned());
    };
    output::note(format_args!(
        "note: no file or folder '{model}' is here: taken for a model on the hub"
    ));
    let mut bar = Bar::new();
    let fetched = Hub::from_env()?.fetch(&model, &mut |it| bar.show(it.done, it.total));
    bar.clear();
    let snapshot = fetched?;
    if let Some(reason) = &snapshot.unreachable {
        output::note(format_args!(
            "note: {reason}; taken from the cache, as it was when it was downloaded"
        ));
    }
    Ok(snapshot.folder)
}

/// The model that is meant, if no path is.
fn model(given: &Path) -> Option<ModelId> {
    if given.symlink_metadata().is_ok() {
        return None;
    }
    let ending = given.extension().and_then(|it| it.to_str());
    if ending.is_some_and(|it| FILES.contains(&it)) {
        return None;
    }
    let model: ModelId = given.to_str()?.parse().ok()?;
    // A name that is mistyped in a folder that is there.
    (!Path::new(model.owner()).exists()).then_some(model)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_is_meant_only_where_no_path_can_be() {
        let name = |given: &str| model(Path::new(given)).map(|it| it.to_string());
        for given in ["sijunhe/nezha-cn-base", "a/b@v1", "a/nezha-v1.0"] {
            assert_eq!(name(given).as_deref(), Some(given));
        }
        for given in [
            "models/nezha-tiny-zh",
            "models/mistyped",
            "nezha-tiny-zh",
            "./a/b",
            "/a/b",
            "out/model.onnx",
            "out/model.safetensors",
        ] {
            assert_eq!(name(given), None, "{given}");
        }
    }
}
