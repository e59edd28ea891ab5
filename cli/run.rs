//! `nezha run`: raw tensors in and out.

use std::path::PathBuf;

use anyhow::Result;
use nezha_runtime::{Profile, Session, tensors_file};

use crate::engine::{EngineArgs, announce};
use crate::model::model_file;
use crate::output;

/// Compute a model's outputs for tensors in a safetensors file.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The artifact.
    model: PathBuf,
    /// The inputs, by the graph's names. A missing mask is all ones, missing token types are all zeros.
    #[arg(long, value_name = "FILE.safetensors")]
    inputs: PathBuf,
    /// Where to write the outputs, by the graph's names.
    #[arg(long, value_name = "FILE.safetensors")]
    outputs: PathBuf,
    /// Write how long each node takes, as a trace for <chrome://tracing> or Perfetto, and print how many
    /// nodes each execution provider computes. PATH is the beginning of the trace's file name.
    #[arg(long, value_name = "PATH")]
    profile: Option<PathBuf>,
    #[command(flatten)]
    engine: EngineArgs,
}

/// Runs once.
pub(crate) fn run(args: Args) -> Result<()> {
    let inputs = tensors_file::read(&args.inputs)?;
    let options = args.engine.options().profile(args.profile);
    let session = Session::builder()
        .engine(&args.engine.engine)
        .engine_options(options.clone())
        .load(model_file(&args.model)?)?;
    announce(&session);
    let outputs = session.run(inputs)?;
    tensors_file::write(&args.outputs, &outputs)?;
    for (name, tensor) in outputs.iter() {
        output::line(format_args!("{name}: {tensor}"))?;
    }
    if options.profile.is_some() {
        report(&session.end_profiling()?);
    }
    Ok(())
}

/// Says on standard error what computed the nodes.
fn report(profile: &Profile) {
    for (provider, nodes) in profile.providers() {
        output::note(format_args!("{provider}: {nodes} nodes"));
    }
    for file in &profile.files {
        output::note(format_args!("profile: {}", file.display()));
    }
}
