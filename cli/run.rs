//! `nezha run`: raw tensors in and out.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use nezha_exporter::onnx::replace_file;
use nezha_graphs::DType;
use nezha_runtime::{EngineOptions, Profile, Session, Tensor, Tensors};
use safetensors::tensor::{Dtype, SafeTensors, TensorView};

use crate::engine::{EngineArgs, announce};

/// Compute a model's outputs for tensors in a safetensors file.
#[derive(clap::Args)]
pub struct Args {
    /// The artifact.
    model: PathBuf,
    /// The inputs, by the graph's names; a missing mask is all ones, missing types all zeros.
    #[arg(long, value_name = "FILE.safetensors")]
    inputs: PathBuf,
    /// Where to write the outputs, by the graph's names.
    #[arg(long, value_name = "FILE.safetensors")]
    outputs: PathBuf,
    /// Have ONNX Runtime write how long each node takes, and tell which execution provider computes
    /// how many: the start of a file name, which gets the date and the time behind it.
    #[arg(long, value_name = "PATH")]
    profile: Option<PathBuf>,
    #[command(flatten)]
    engine: EngineArgs,
}

/// The element types that both formats have.
const DTYPES: [(Dtype, DType); 7] = [
    (Dtype::F32, DType::F32),
    (Dtype::F16, DType::F16),
    (Dtype::I64, DType::I64),
    (Dtype::I32, DType::I32),
    (Dtype::U8, DType::U8),
    (Dtype::I8, DType::I8),
    (Dtype::BOOL, DType::Bool),
];

/// Runs once.
pub fn run(args: Args) -> Result<()> {
    let inputs = read(&args.inputs)?;
    let options = EngineOptions {
        profile: args.profile,
        ..args.engine.options()
    };
    let session = Session::load(&args.model, &args.engine.engine, &options)?;
    announce(&session);
    let outputs = session.run(inputs)?;
    write(&args.outputs, &outputs)?;
    for (name, tensor) in outputs.iter() {
        println!("{name}: {tensor}");
    }
    if options.profile.is_some() {
        report(&session.end_profiling()?);
    }
    Ok(())
}

/// Says on standard error what computed the nodes.
fn report(profile: &Profile) {
    for (provider, nodes) in profile.providers() {
        eprintln!("{provider}: {nodes} nodes");
    }
    for file in &profile.files {
        eprintln!("profile: {}", file.display());
    }
}

fn read(path: &Path) -> Result<Tensors> {
    let at = || path.display().to_string();
    let bytes = fs::read(path).map_err(|error| anyhow::anyhow!("{}: {error}", at()))?;
    let file = SafeTensors::deserialize(&bytes)
        .map_err(|error| anyhow::anyhow!("{}: not a safetensors file: {error}", at()))?;
    file.iter()
        .map(|(name, view)| Ok((name.to_owned(), tensor(&at(), name, &view)?)))
        .collect()
}

fn tensor(file: &str, name: &str, view: &TensorView) -> Result<Tensor> {
    let Some((_, dtype)) = DTYPES.iter().find(|(stored, _)| *stored == view.dtype()) else {
        bail!(
            "{file}: tensor '{name}' is {:?}, which no input can be",
            view.dtype()
        );
    };
    Ok(Tensor::from_le_bytes(*dtype, view.shape(), view.data())?)
}

fn write(path: &Path, tensors: &Tensors) -> Result<()> {
    let bytes: Vec<(&str, &Tensor, Vec<u8>)> = tensors
        .iter()
        .map(|(name, tensor)| (name, tensor, tensor.to_le_bytes()))
        .collect();
    let views = bytes.iter().map(|(name, tensor, bytes)| {
        let (dtype, _) = DTYPES
            .iter()
            .find(|(_, ours)| *ours == tensor.dtype())
            .with_context(|| format!("output '{name}' is {tensor}, which safetensors lacks"))?;
        Ok((
            *name,
            TensorView::new(*dtype, tensor.shape().to_vec(), bytes)?,
        ))
    });
    let views = views.collect::<Result<Vec<_>>>()?;
    let file = safetensors::serialize(views, None)?;
    replace_file(path, true, |out| Ok(std::io::Write::write_all(out, &file)?))?;
    Ok(())
}
