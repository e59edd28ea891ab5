//! Models in memory and in one file answer as those in a folder do, and what is broken is told by name.
#![allow(clippy::disallowed_methods, reason = "a test writes its inputs")]

mod limits;
mod memory;
mod packed;

use std::path::Path;

use nezha_exporter::checkpoint::{Checkpoint, OpenOptions};
use nezha_exporter::{ExportOptions, Heads, Placement, export};
use nezha_graphs::Head;
use tempfile::TempDir;

/// A head of a checkpoint with its weights in the graph or in a file beside it.
fn exported(checkpoint: &Path, head: Head, weights: Placement) -> TempDir {
    let folder = TempDir::new().unwrap();
    let checkpoint = Checkpoint::open(checkpoint, &OpenOptions::default()).unwrap();
    let options = ExportOptions::default()
        .heads(Heads::Named(vec![head]))
        .weights(weights);
    export(&checkpoint, folder.path(), &options).unwrap();
    folder
}

/// The bundled checkpoint that tells whether a hotel's guest was pleased.
fn sentiment(weights: Placement) -> TempDir {
    let checkpoint = testkit::repository("models/nezha-tiny-zh-sentiment");
    exported(&checkpoint, Head::SequenceClassification, weights)
}
