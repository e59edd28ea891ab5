//! `nezha setup`: a pinned ONNX Runtime or OpenVINO in the user's cache.

use anyhow::Result;
use nezha_runtime::setup::{Build, setup};

use crate::output;

/// Install a pinned ONNX Runtime or OpenVINO into the user's cache, with pip.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Install ONNX Runtime's build with CUDA and TensorRT.
    #[arg(long, conflicts_with = "openvino")]
    gpu: bool,
    /// Install OpenVINO, for the engines openvino:cpu, openvino:gpu and openvino:npu.
    #[arg(long)]
    openvino: bool,
}

/// Installs, or keeps what is there and whole.
pub(crate) fn run(args: Args) -> Result<()> {
    let installed = setup(match (args.openvino, args.gpu) {
        (true, _) => Build::OpenVino,
        (false, true) => Build::Gpu,
        (false, false) => Build::Cpu,
    })?;
    let what = if installed.kept { "found" } else { "installed" };
    output::line(format_args!("{what} {}", installed.library.display()))
}
