//! The arguments that OpenVINO takes.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Command;

use nezha_runtime::{OpenVinoHint, OpenVinoOptions, OpenVinoPrecision};

/// How OpenVINO computes.
#[derive(clap::Args, Clone, Default)]
#[command(next_help_heading = "Engine")]
pub(crate) struct OpenVinoArgs {
    /// The precision of OpenVINO's products: f32, bf16, f16, or auto for what the device does fastest.
    #[arg(long, value_name = "PRECISION", default_value_t)]
    openvino_precision: OpenVinoPrecision,
    /// Have OpenVINO compute several runs at a time, each on some of the threads.
    #[arg(long)]
    openvino_throughput: bool,
    /// How many activations share a scale where OpenVINO multiplies 8-bit weights; 0 leaves activations as
    /// they are.
    #[arg(long, value_name = "N", hide_short_help = true)]
    openvino_group_size: Option<u64>,
    /// Have OpenVINO keep compiled models here.
    #[arg(long, value_name = "DIR", hide_short_help = true)]
    openvino_cache: Option<PathBuf>,
    #[command(flatten)]
    library: OpenVinoLibrary,
}

/// Which OpenVINO.
#[derive(clap::Args, Clone, Default)]
#[command(next_help_heading = "Engine")]
pub(crate) struct OpenVinoLibrary {
    /// The library of OpenVINO's C interface, or the folder that holds it.
    #[arg(long, value_name = "PATH")]
    openvino_library: Option<PathBuf>,
}

impl OpenVinoArgs {
    /// As the runtime takes them.
    pub(crate) fn options(&self) -> OpenVinoOptions {
        let hint = match self.openvino_throughput {
            true => OpenVinoHint::Throughput,
            false => OpenVinoHint::Latency,
        };
        self.library
            .options()
            .precision(self.openvino_precision)
            .hint(hint)
            .group_size(self.openvino_group_size)
            .cache(self.openvino_cache.clone())
    }

    /// As another process of this program takes them.
    pub(crate) fn arguments(&self) -> Vec<OsString> {
        let mut arguments: Vec<OsString> = vec![
            "--openvino-precision".into(),
            self.openvino_precision.name().into(),
        ];
        if self.openvino_throughput {
            arguments.push("--openvino-throughput".into());
        }
        if let Some(size) = self.openvino_group_size {
            arguments.extend(["--openvino-group-size".into(), size.to_string().into()]);
        }
        if let Some(folder) = &self.openvino_cache {
            arguments.extend(["--openvino-cache".into(), folder.into()]);
        }
        if let Some(path) = &self.library.openvino_library {
            arguments.extend(["--openvino-library".into(), path.into()]);
        }
        arguments
    }
}

impl OpenVinoLibrary {
    /// As the runtime takes it.
    pub(crate) fn options(&self) -> OpenVinoOptions {
        OpenVinoOptions::default().library(self.openvino_library.clone())
    }

    /// As another process of this program takes it.
    pub(crate) fn pass_on(&self, command: &mut Command) {
        if let Some(path) = &self.openvino_library {
            command.arg("--openvino-library").arg(path);
        }
    }
}
