//! The arguments of every subcommand that computes, and what is said of the engine that does.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::process::Command;

use nezha_graphs::error_chain;
use nezha_runtime::{
    AxisRange, EngineChoice, EngineKind, EngineOptions, OrtOptions, Session, TensorRtOptions,
    TractOptions,
};

use crate::openvino::OpenVinoArgs;
use crate::output::note;

/// Where and how a model is computed.
#[derive(clap::Args, Clone)]
#[command(next_help_heading = "Engine")]
pub(crate) struct EngineArgs {
    #[arg(long, default_value = "auto", help = engine_help())]
    pub engine: EngineChoice,
    #[command(flatten)]
    resources: EngineResources,
}

/// What an engine is given to compute with.
#[derive(clap::Args, Clone)]
pub(crate) struct EngineResources {
    /// Threads of one run; by default one per physical core, in tract one per logical core.
    #[arg(long)]
    threads: Option<NonZeroUsize>,
    /// Have ONNX Runtime leave the weights as they are stored: less memory, slower runs.
    #[arg(long)]
    low_memory: bool,
    /// Have tract keep a plan, with a copy of the weights, for each of the last N shapes of the inputs:
    /// faster on some processors and slower on others, see `nezha bench --tract-plans`.
    #[arg(long, value_name = "N", default_value_t = 0)]
    tract_plans: usize,
    /// Have TensorRT keep its engines here: building one takes minutes.
    #[arg(long, value_name = "DIR", hide_short_help = true)]
    tensorrt_cache: Option<PathBuf>,
    /// Let TensorRT compute in float16.
    #[arg(long, hide_short_help = true)]
    tensorrt_fp16: bool,
    /// Sizes that TensorRT builds an engine for, such as `sequence_length=1:128:512` (smallest,
    /// the one to tune for, largest); one for each axis of the inputs.
    #[arg(
        long,
        value_name = "AXIS=MIN:OPTIMAL:MAX",
        value_parser = axis_range,
        hide_short_help = true
    )]
    tensorrt_shape: Vec<(String, AxisRange)>,
    #[command(flatten)]
    openvino: OpenVinoArgs,
    #[command(flatten)]
    library: LibraryArgs,
}

/// Which ONNX Runtime and which GPU.
#[derive(clap::Args, Clone)]
#[command(next_help_heading = "Engine")]
pub(crate) struct LibraryArgs {
    /// The ONNX Runtime library, or the folder that holds it.
    #[arg(long, value_name = "PATH")]
    ort_library: Option<PathBuf>,
    /// The GPU of ort:cuda and ort:tensorrt, counted from 0.
    #[arg(long, value_name = "N", default_value_t = 0)]
    device: u32,
}

impl EngineArgs {
    /// As the runtime takes them.
    pub(crate) fn options(&self) -> EngineOptions {
        self.resources.options()
    }
}

impl EngineResources {
    /// As the runtime takes them.
    pub(crate) fn options(&self) -> EngineOptions {
        let mut tensorrt = TensorRtOptions::default();
        tensorrt.engine_cache.clone_from(&self.tensorrt_cache);
        tensorrt.fp16 = self.tensorrt_fp16;
        tensorrt.shapes = self.tensorrt_shape.iter().cloned().collect();
        let ort = self.library.ort().low_memory(self.low_memory);
        self.library
            .options()
            .threads(self.threads)
            .ort(ort.tensorrt(tensorrt))
            .openvino(self.openvino.options())
            .tract(TractOptions::default().plans(self.tract_plans))
    }
}

impl LibraryArgs {
    /// As the runtime takes them.
    pub(crate) fn options(&self) -> EngineOptions {
        EngineOptions::default().ort(self.ort())
    }

    /// As another process of this program takes them.
    pub(crate) fn pass_on(&self, command: &mut Command) {
        if let Some(path) = &self.ort_library {
            command.arg("--ort-library").arg(path);
        }
    }

    fn ort(&self) -> OrtOptions {
        OrtOptions::default()
            .library(self.ort_library.clone())
            .device(self.device)
    }
}

fn engine_help() -> String {
    format!(
        "auto, {}, or several tried in order: openvino,tract",
        EngineKind::names()
    )
}

/// Reads `sequence_length=1:128:512`.
fn axis_range(text: &str) -> Result<(String, AxisRange), String> {
    let expected = || format!("'{text}': expected AXIS=MIN:OPTIMAL:MAX, such as batch_size=1:8:32");
    let (axis, sizes) = text.split_once('=').ok_or_else(expected)?;
    let sizes: Result<Vec<usize>, _> = sizes.split(':').map(str::parse).collect();
    match sizes.as_deref() {
        Ok(&[min, optimal, max]) => Ok((axis.to_owned(), AxisRange { min, optimal, max })),
        _ => Err(expected()),
    }
}

/// Says on standard error which engine runs, and why those before it don't.
pub(crate) fn announce(session: &Session) {
    for skipped in session.skipped() {
        note(error_chain(&skipped.error));
    }
    note(format_args!("engine: {}", session.engine().description()));
}
