//! `nezha setup`: a pinned ONNX Runtime in the user's cache.

use anyhow::Result;
use nezha_runtime::setup::{Build, setup};

use crate::output;

/// Install a pinned ONNX Runtime into the user's cache, with pip.
#[derive(clap::Args)]
pub struct Args {
    /// The build with CUDA and TensorRT.
    #[arg(long)]
    gpu: bool,
}

/// Installs, or keeps what is there and whole.
pub fn run(args: Args) -> Result<()> {
    let installed = setup(if args.gpu { Build::Gpu } else { Build::Cpu })?;
    let what = if installed.kept { "found" } else { "installed" };
    output::line(format_args!("{what} {}", installed.library.display()))
}
