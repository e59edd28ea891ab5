//! The README's ten lines: a checkpoint becomes an artifact, the artifact answers.
#![allow(clippy::print_stdout, reason = "an example prints its answers")]

use nezha_exporter::checkpoint::{Checkpoint, OpenOptions};
use nezha_exporter::{ExportOptions, export};
use nezha_runtime::{EngineOptions, TextClassification};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = tempfile::tempdir()?;
    let models = concat!(env!("CARGO_MANIFEST_DIR"), "/models");
    let source = format!("{models}/nezha-tiny-zh-sentiment");

    let checkpoint = Checkpoint::open(source.as_ref(), &OpenOptions::default())?;
    export(&checkpoint, folder.path(), &ExportOptions::default())?;
    let options = EngineOptions::default();
    let classifier = TextClassification::builder()
        .engine_options(options.clone())
        .load(folder.path())?;
    for labels in classifier.run(["房间很干净，服务热情，下次还会住。"])? {
        println!("{labels:?}");
    }
    Ok(())
}
