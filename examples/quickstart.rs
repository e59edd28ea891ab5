//! The README's ten lines: export a checkpoint, and let the artifact answer.
//!
//! ```text
//! cargo run --release --example quickstart
//! ```
#![allow(clippy::print_stdout, reason = "an example prints its answers")]

use nezha_onnx::export::{Checkpoint, ExportOptions, OpenOptions, export};
use nezha_onnx::runtime::TextClassification;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = tempfile::tempdir()?;
    let source = "models/nezha-tiny-zh-sentiment";

    let checkpoint = Checkpoint::open(source, &OpenOptions::default())?;
    export(&checkpoint, folder.path(), &ExportOptions::default())?;
    let classifier = TextClassification::load(folder.path())?;
    for labels in classifier.run(["房间很干净，服务热情，下次还会住。"])? {
        println!("{} {:.4}", labels[0].label, labels[0].score);
    }
    Ok(())
}
