use std::path::Path;

use bytes::Bytes;
use nezha_graphs::Signature;
use ort::environment::Environment;
use ort::ep::{self, CPU, CUDA, ExecutionProviderDispatch};
use ort::session::builder::{GraphOptimizationLevel, SessionBuilder};

use super::tensorrt;
use crate::engine::kind::OrtDevice;
use crate::native::{self, OrtSession as Session};
use crate::{EngineError, EngineOptions, Model, Optimization};

/// Optimizers of ONNX Runtime that make a graph slower on the CPU. There its
/// `SkipLayerNormalization` takes 2.5 times as long as the Add and the `LayerNormalization` that it
/// replaces, which is 3 to 5 % of a run; its `BiasGelu` takes 1.1 times as long as Add and Gelu, up
/// to 1 %.
const SLOWER_ON_CPU: &str = "SkipLayerNormFusion;BiasGeluFusion";

/// Where ONNX Runtime reads a model from.
pub(super) enum Source<'m> {
    File(&'m Path),
    /// The graph's bytes; its weights are among them, or in files that the model holds in memory.
    Memory {
        model: &'m Model,
        bytes: &'m Bytes,
    },
}

impl<'m> Source<'m> {
    pub(super) fn of(model: &'m Model) -> Self {
        match model.in_memory() {
            Some(bytes) => Self::Memory { model, bytes },
            None => Self::File(model.path()),
        }
    }
}

/// What sessions of one model have in common.
pub(super) struct Settings<'a> {
    pub(super) environment: &'a Environment,
    pub(super) device: OrtDevice,
    pub(super) options: &'a EngineOptions,
    /// Threads of a session; 0 lets ONNX Runtime choose.
    pub(super) threads: usize,
    pub(super) signature: &'a Signature,
}

impl Settings<'_> {
    /// Opens a session of the model; `configure` may change every setting.
    pub(super) fn open(
        &self,
        source: &Source<'_>,
        configure: impl FnOnce(SessionBuilder) -> ort::Result<SessionBuilder>,
    ) -> Result<Session, EngineError> {
        let builder = self.builder().map_err(|error| self.failed(&error))?;
        self.check_options()?;
        self.check_build()?;
        let builder = self.register(builder)?;
        let mut builder = configure(builder).map_err(|error| self.failed(&error))?;
        let (path, session) = match source {
            // From the file, not from its map, so that ONNX Runtime finds external weights beside
            // it.
            Source::File(path) => (*path, builder.commit_from_file(path).map(Session::from)),
            Source::Memory { model, bytes } => {
                let mut weights = model.weights();
                let files = model.weight_files();
                let files = files
                    .into_iter()
                    .filter_map(|it| Some((it.to_owned(), weights.whole(it)?)));
                (
                    model.path(),
                    native::session(builder, bytes, files.collect()),
                )
            }
        };
        session.map_err(|error| EngineError::Load {
            engine: self.device.kind(),
            path: path.to_path_buf(),
            reason: error.to_string(),
        })
    }

    pub(super) fn failed(&self, error: &ort::Error) -> EngineError {
        EngineError::Start {
            engine: self.device.kind(),
            reason: error.to_string(),
        }
    }

    fn builder(&self) -> ort::Result<SessionBuilder> {
        let prepacking_off = if self.options.ort.low_memory {
            "1"
        } else {
            "0"
        };
        let stop_spinning = match self.options.ort.yield_between_runs {
            true => "1",
            false => "0",
        };
        Ok(ort::session::Session::builder(self.environment)?
            .with_config_entry("session.disable_prepacking", prepacking_off)?
            .with_config_entry("session.force_spinning_stop", stop_spinning)?
            .with_config_entry(
                "optimization.disable_specified_optimizers",
                without(self.device),
            )?
            .with_optimization_level(level(self.options.ort.optimization))?
            .with_intra_threads(self.threads)?
            // DirectML doesn't support it.
            .with_memory_pattern(self.device != OrtDevice::DirectMl)?
            .with_config_entry("session.x64quantprecision", quant_precision())?)
    }

    /// What a model tells of its options is an error on every machine, whatever its library was built with.
    fn check_options(&self) -> Result<(), EngineError> {
        if self.device == OrtDevice::TensorRt {
            tensorrt::check(&self.options.ort.tensorrt, self.signature)
                .map_err(|reason| self.option("ort.tensorrt", &reason))?;
        }
        Ok(())
    }

    /// Refuses a provider that the library was built without, so that all providers give the same
    /// error.
    fn check_build(&self) -> Result<(), EngineError> {
        let engine = self.device.kind();
        let spec = engine.spec();
        let built_with = native::available_providers();
        let built_with = built_with.map_err(|reason| EngineError::Start { engine, reason })?;
        match built_with.iter().any(|it| it == spec.provider) {
            true => Ok(()),
            false => Err(EngineError::Provider {
                engine,
                provider: spec.provider,
                reason: "it is not in this ONNX Runtime".to_owned(),
                remedy: spec.build,
            }),
        }
    }

    /// By default, ONNX Runtime silently drops a provider that can't start, and the CPU takes over.
    fn register(&self, mut builder: SessionBuilder) -> Result<SessionBuilder, EngineError> {
        for provider in self.providers()? {
            let name = provider.name();
            let registered = builder.with_execution_providers([provider.error_on_failure()]);
            builder = registered.map_err(|error| self.refused(name, &error.to_string()))?;
        }
        Ok(builder)
    }

    /// The execution providers to register, the preferred one first. The CPU is always the last.
    fn providers(&self) -> Result<Vec<ExecutionProviderDispatch>, EngineError> {
        let device = i32::try_from(self.options.ort.device);
        let device = device.map_err(|_| self.option("ort.device", "there is no such GPU"))?;
        let cuda = || CUDA::default().with_device_id(device).build();
        let cpu = CPU::default().with_arena_allocator(self.options.ort.memory_arena);
        let mut providers = match self.device {
            OrtDevice::Cpu => Vec::new(),
            OrtDevice::Cuda => vec![cuda()],
            OrtDevice::TensorRt => {
                let tensorrt = tensorrt::provider(&self.options.ort.tensorrt, self.signature)
                    .map_err(|reason| self.option("ort.tensorrt", &reason))?;
                vec![tensorrt.with_device_id(device).build(), cuda()]
            }
            // CoreML's older format computes in half precision.
            OrtDevice::CoreMl => {
                let program = ep::coreml::ModelFormat::MLProgram;
                vec![ep::CoreML::default().with_model_format(program).build()]
            }
            OrtDevice::DirectMl => vec![ep::DirectML::default().with_device_id(device).build()],
            // By default, CANN computes in half precision.
            OrtDevice::Cann => {
                let as_stored = ep::cann::PrecisionMode::MustKeepOrigin;
                let cann = ep::CANN::default().with_precision_mode(as_stored);
                vec![cann.with_device_id(device).build()]
            }
            OrtDevice::MiGraphX => vec![ep::MIGraphX::default().with_device_id(device).build()],
            OrtDevice::WebGpu => vec![ep::WebGPU::default().with_device_id(device).build()],
            OrtDevice::Xnnpack => {
                let xnnpack = ep::XNNPACK::default();
                vec![match self.options.threads {
                    Some(threads) => xnnpack.with_intra_op_num_threads(threads).build(),
                    None => xnnpack.build(),
                }]
            }
        };
        providers.push(cpu.build());
        Ok(providers)
    }

    /// If ONNX Runtime can't write a profile, it goes on without one and doesn't say so.
    pub(super) fn check_profile(&self, profile: &Path) -> Result<(), EngineError> {
        let folder = profile.parent().filter(|it| !it.as_os_str().is_empty());
        let folder = folder.unwrap_or(Path::new("."));
        let written = tempfile::tempfile_in(folder);
        written
            .map(drop)
            .map_err(|error| self.option("profile", &format!("{}: {error}", folder.display())))
    }

    pub(super) fn option(&self, option: &'static str, reason: &str) -> EngineError {
        EngineError::Option {
            engine: self.device.kind(),
            option,
            reason: reason.to_owned(),
        }
    }

    fn refused(&self, provider: &'static str, error: &str) -> EngineError {
        let engine = self.device.kind();
        EngineError::Provider {
            engine,
            provider,
            reason: readable(error).to_owned(),
            remedy: match self.device {
                OrtDevice::Cuda | OrtDevice::TensorRt => {
                    "`nezha doctor` lists the libraries that are missing"
                }
                _ => engine.spec().remedy,
            },
        }
    }
}

/// The disabled optimizers.
pub(super) fn without(device: OrtDevice) -> &'static str {
    match device {
        OrtDevice::Cpu | OrtDevice::Xnnpack => SLOWER_ON_CPU,
        _ => "",
    }
}

/// An error of ONNX Runtime without the source line and the status code before it.
fn readable(error: &str) -> &str {
    let status = error.split_once("[ONNXRuntimeError] : ");
    let message = status.and_then(|(_, status)| status.splitn(3, " : ").nth(2));
    message.unwrap_or(error).trim().trim_end_matches('.')
}

pub(super) fn level(optimization: Optimization) -> GraphOptimizationLevel {
    match optimization {
        Optimization::None => GraphOptimizationLevel::Disable,
        Optimization::Basic => GraphOptimizationLevel::Level1,
        Optimization::Extended => GraphOptimizationLevel::Level2,
        Optimization::All => GraphOptimizationLevel::All,
    }
}

/// Without VNNI, products of unsigned and signed bytes saturate unless ONNX Runtime is told to be
/// precise. With VNNI they don't, and the precise kernels would take 1.6 times as long for nothing.
pub(super) fn quant_precision() -> &'static str {
    #[cfg(target_arch = "x86_64")]
    if !is_x86_feature_detected!("avx512vnni") && !is_x86_feature_detected!("avxvnni") {
        return "1";
    }
    "0"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_read_from_behind_the_place_in_the_source_and_the_status_code() {
        let error = "/src/provider_bridge_ort.cc:2043 Provider& Get() [ONNXRuntimeError] : 1 : \
                     FAIL : Failed to load library libonnxruntime_providers_cuda.so with error: \
                     libcublasLt.so.13: cannot open shared object file\n";
        assert_eq!(
            readable(error),
            "Failed to load library libonnxruntime_providers_cuda.so with error: \
             libcublasLt.so.13: cannot open shared object file"
        );
        assert_eq!(readable("no status at all."), "no status at all");
    }
}
