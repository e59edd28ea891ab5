//! Where a checkpoint is: a path, or a model's name on the Hugging Face hub.

use std::path::{Path, PathBuf};

use anyhow::Result;
use nezha_hub::{Hub, ModelId};

use crate::export::progress::Bar;
use crate::output;

/// The path that is given, where there is one; else the folder in the hub's cache of the model that it
/// names, downloaded where it is not there yet.
pub(crate) fn checkpoint(given: &Path) -> Result<PathBuf> {
    let Some(model) = ModelId::unless_path(given) else {
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
