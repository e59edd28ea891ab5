//! `cargo xtask gpu`: one command that proves CUDA and TensorRT where a GPU is.
//!
//! `pack` makes pieces of everything that is needed on a machine without Rust and without a network;
//! `run`, there, asks the questions and writes the answers as they come.

mod checkpoint;
mod pack;
mod place;
mod run;
mod steps;

use anyhow::Result;
use clap::Subcommand;

/// Both sides.
#[derive(Subcommand)]
pub(crate) enum Gpu {
    /// Pack binary, fixtures and ONNX Runtime's build for GPUs into pieces that a script joins.
    Pack(pack::Pack),
    /// Ask everything, the most important first, in at most eight minutes; run by `run.sh` of the pack.
    Run(run::Run),
}

pub(crate) fn gpu(command: &Gpu) -> Result<()> {
    match command {
        Gpu::Pack(pack) => pack.make(),
        Gpu::Run(run) => run.all(),
    }
}
