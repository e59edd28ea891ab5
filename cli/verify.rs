//! `nezha verify`: is an artifact what its checkpoint says, and do engines compute it right?

mod table;

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use nezha_exporter::checkpoint::Checkpoint;
use nezha_runtime::{EngineChoice, EngineKind, EngineOptions};
use nezha_verify::certify;

use crate::checkpoint_options::{self, CheckpointOptions};
use crate::engine::EngineResources;
use crate::model::model_file;
use crate::output;

/// Compare an artifact with its checkpoint: every weight, then the answers of every engine with
/// those of the built-in reference in f64.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// An .onnx file or a folder with one. The certificate is written beside it and into it, but not into a
    /// packed file.
    model: PathBuf,
    /// The checkpoint that it was exported from, or its name on the Hugging Face hub.
    checkpoint: PathBuf,
    #[command(flatten)]
    engines: EngineList,
    /// Print the certificate as JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    resources: EngineResources,
    #[command(flatten)]
    open: CheckpointOptions,
}

/// Which engines have to be right.
#[derive(clap::Args, Clone)]
pub(crate) struct EngineList {
    /// The engines to compare, each of which has to start. By default ort:cpu, openvino:cpu and tract, as
    /// far as they are installed.
    #[arg(long, value_name = "ENGINE", value_delimiter = ',')]
    engines: Vec<EngineKind>,
}

impl EngineList {
    /// The first that starts.
    pub(crate) fn choice(&self) -> EngineChoice {
        match self.engines.as_slice() {
            [] => EngineChoice::Auto,
            [one] => EngineChoice::Only(*one),
            several => EngineChoice::FirstOf(several.to_vec()),
        }
    }
}

/// Verifies, and prints a table.
pub(crate) fn run(args: Args) -> Result<()> {
    let path = checkpoint_options::locate(&args.checkpoint)?;
    let checkpoint = Checkpoint::open(&path, &args.open.open_options()?)?;
    let options = args.resources.options();
    let model = model_file(&args.model)?;
    let certificate = certify(&model, &checkpoint, &args.engines.engines, &options)?;
    match args.json {
        true => output::line(certificate.to_json())?,
        false => table::print(&certificate, &model)?,
    }
    if !certificate.passed {
        bail!("{}: verification failed", model.display());
    }
    Ok(())
}

/// Verifies the artifacts of an export, and prints a table for each.
pub(crate) fn exported(
    models: &[&Path],
    checkpoint: &Checkpoint,
    engines: &EngineList,
    options: &EngineOptions,
) -> Result<()> {
    let mut failed = Vec::new();
    for model in models {
        let certificate = certify(model, checkpoint, &engines.engines, options)?;
        table::print(&certificate, model)?;
        if !certificate.passed {
            failed.push(model.display().to_string());
        }
    }
    if !failed.is_empty() {
        bail!("{}: verification failed", failed.join(", "));
    }
    Ok(())
}
