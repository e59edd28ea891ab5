//! Exports every head that a checkpoint has weights for; all of them share one file of weights.
//!
//! ```text
//! cargo run --release --example all_heads -- models/nezha-tiny-zh out
//! ```
#![allow(clippy::print_stdout, reason = "an example prints its answers")]

use std::env;
use std::error::Error;

use nezha_onnx::export::{Checkpoint, ExportOptions, Heads, OpenOptions, export};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = env::args().skip(1);
    let (Some(source), Some(folder)) = (arguments.next(), arguments.next()) else {
        return Err("expected a checkpoint and the folder to write to".into());
    };
    let checkpoint = Checkpoint::open(source, &OpenOptions::default())?;
    let options = ExportOptions::default().heads(Heads::All);
    let exported = export(&checkpoint, folder, &options)?;
    for artifact in &exported.artifacts {
        println!("{}: {}", artifact.head, artifact.file.path.display());
    }
    for weights in &exported.weights {
        println!("weights: {}", weights.path.display());
    }
    for (head, reason) in &exported.skipped {
        println!("{head} was skipped: {reason}");
    }
    Ok(())
}
