//! The engine and its options.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::path::PathBuf;

use nezha_runtime::{
    AxisRange, EngineChoice, EngineOptions, OpenVinoHint, OpenVinoOptions, OpenVinoPrecision,
    Optimization, OrtOptions, TensorRtOptions, TractOptions, library,
};
use pyo3::prelude::*;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::failure::{Class, Failure};

/// Sets the interpreter's package folders, which may contain ONNX Runtime and OpenVINO.
#[pyfunction]
pub(crate) fn set_packages(folders: Vec<PathBuf>) {
    library::set_interpreter_packages(folders);
}

/// The name of an engine, and its options: the fields of `nezha_onnx.EngineOptions`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct EngineRequest {
    engine: String,
    threads: Option<usize>,
    throughput: bool,
    sessions: usize,
    optimization: OptimizationName,
    memory_arena: bool,
    low_memory: bool,
    optimized_models: Option<PathBuf>,
    ort_library: Option<PathBuf>,
    device: u32,
    tensorrt_cache: Option<PathBuf>,
    tensorrt_fp16: bool,
    tensorrt_shapes: BTreeMap<String, (usize, usize, usize)>,
    openvino_precision: String,
    openvino_hint: HintName,
    openvino_group_size: Option<u64>,
    openvino_cache: Option<PathBuf>,
    openvino_library: Option<PathBuf>,
    tract_plans: usize,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum OptimizationName {
    None,
    Basic,
    Extended,
    All,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum HintName {
    Latency,
    Throughput,
}

impl EngineRequest {
    /// The engine and the options, as the runtime takes them.
    pub(crate) fn resolved(self) -> Result<(EngineChoice, EngineOptions), Failure> {
        let choice: EngineChoice = self.engine.parse()?;
        let precision: OpenVinoPrecision = self.openvino_precision.parse()?;
        let shape = |(axis, (min, optimal, max))| (axis, AxisRange { min, optimal, max });
        let tensorrt = TensorRtOptions {
            engine_cache: self.tensorrt_cache,
            fp16: self.tensorrt_fp16,
            shapes: self.tensorrt_shapes.into_iter().map(shape).collect(),
        };
        let ort = OrtOptions::default()
            .sessions(at_least_one("sessions", self.sessions)?)
            .optimization(match self.optimization {
                OptimizationName::None => Optimization::None,
                OptimizationName::Basic => Optimization::Basic,
                OptimizationName::Extended => Optimization::Extended,
                OptimizationName::All => Optimization::All,
            })
            .memory_arena(self.memory_arena)
            .low_memory(self.low_memory)
            .optimized_models(self.optimized_models)
            .library(self.ort_library)
            .device(self.device)
            .tensorrt(tensorrt);
        let openvino = OpenVinoOptions::default()
            .precision(precision)
            .hint(match self.openvino_hint {
                HintName::Latency => OpenVinoHint::Latency,
                HintName::Throughput => OpenVinoHint::Throughput,
            })
            .group_size(self.openvino_group_size)
            .cache(self.openvino_cache)
            .library(self.openvino_library);
        let threads = self.threads.map(|it| at_least_one("threads", it));
        let options = EngineOptions::default()
            .threads(threads.transpose()?)
            .throughput(self.throughput)
            .ort(ort)
            .openvino(openvino)
            .tract(TractOptions::default().plans(self.tract_plans));
        Ok((choice, options))
    }
}

/// A number that must be at least 1.
pub(crate) fn at_least_one(name: &str, number: usize) -> Result<NonZeroUsize, Failure> {
    let refused = || {
        Failure::new(
            Class::Option,
            format!("{name}: expected at least 1, found 0"),
        )
    };
    NonZeroUsize::new(number).ok_or_else(refused)
}

/// Reads a request that the package has built.
pub(crate) fn request<R: DeserializeOwned>(object: &Bound<'_, PyAny>) -> Result<R, Failure> {
    pythonize::depythonize(object).map_err(|error| Failure::new(Class::Option, error.to_string()))
}
