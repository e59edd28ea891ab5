use std::env::consts;
use std::fs;
use std::path::{Path, PathBuf};

use nezha_graphs::ExternalData;
use ort::session::builder::GraphOptimizationLevel;
use xxhash_rust::xxh3::{xxh3_64, xxh3_128};

use super::builder::{Settings, Source, quant_precision, without};
use crate::cpu::Cpu;
use crate::engine::kind::OrtDevice;
use crate::{EngineError, Model, Optimization};

/// The optimized model in the cache; ONNX Runtime makes it if it isn't there.
pub(super) fn optimized(
    settings: &Settings,
    model: &Model,
    version: &str,
    folder: &Path,
) -> Result<PathBuf, EngineError> {
    let refused = |reason: &str| settings.option("ort.optimized_models", reason);
    if settings.device == OrtDevice::TensorRt {
        return Err(refused(
            "TensorRT keeps engines instead: expected ort.tensorrt.engine_cache",
        ));
    }
    if !settings.device.kind().spec().capabilities.writes_graph {
        return Err(refused(
            "what this execution provider compiles can't be saved",
        ));
    }
    let graph = model.proto().graph.iter();
    if graph
        .flat_map(|it| &it.initializer)
        .any(|it| ExternalData::of(it).is_some())
    {
        return Err(refused(
            "the model's weights are external: expected one with embedded weights",
        ));
    }
    let at = |path: &Path| {
        let path = path.display().to_string();
        move |error: std::io::Error| refused(&format!("{path}: {error}"))
    };
    let content = model.bytes().map_err(at(model.path()))?;
    let conditions = Conditions {
        version,
        device: settings.device,
        optimization: settings.options.ort.optimization,
        cpu: &Cpu::examine(),
    };
    let path = folder.join(conditions.file_name(&content));
    if !path.exists() {
        fs::create_dir_all(folder).map_err(at(folder))?;
        let scratch = tempfile::tempdir_in(folder).map_err(at(folder))?;
        let made = scratch.path().join("model.onnx");
        settings.open(&Source::of(model), |builder| {
            Ok(builder.with_optimized_model_path(&made)?)
        })?;
        fs::rename(&made, &path).map_err(at(&path))?;
    }
    Ok(path)
}

/// What an optimized model depends on besides the model's own bytes.
struct Conditions<'a> {
    /// The version of ONNX Runtime.
    version: &'a str,
    device: OrtDevice,
    optimization: Optimization,
    cpu: &'a Cpu,
}

impl Conditions<'_> {
    /// The parts of the key, by their names. A saved model stays valid if anything else changes.
    fn parts(&self) -> [(&'static str, String); 8] {
        let present = self.cpu.features.iter().filter(|it| it.present);
        let mut features: Vec<&str> = present.map(|it| it.name).collect();
        features.sort_unstable();
        [
            ("onnxruntime", self.version.to_owned()),
            ("engine", self.device.kind().name().to_owned()),
            ("optimization", level(self.optimization).to_owned()),
            ("disabled_optimizers", without(self.device).to_owned()),
            ("x64quantprecision", quant_precision().to_owned()),
            ("os", consts::OS.to_owned()),
            ("architecture", self.cpu.architecture.to_owned()),
            ("instruction_sets", features.join(",")),
        ]
    }

    /// The file name of the optimized form of a model with these bytes.
    fn file_name(&self, model: &[u8]) -> String {
        let parts = self.parts().map(|(name, value)| format!("{name}={value}"));
        let key = xxh3_64(parts.join("\n").as_bytes());
        format!("{:032x}-{key:016x}.onnx", xxh3_128(model))
    }
}

/// A level's name in a key. It must never change.
fn level(optimization: Optimization) -> &'static str {
    match optimization {
        Optimization::None => "none",
        Optimization::Basic => "basic",
        Optimization::Extended => "extended",
        Optimization::All => "all",
    }
}

/// An optimized model is loaded as it is.
pub(super) const LEVEL: GraphOptimizationLevel = GraphOptimizationLevel::Disable;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cpu::CpuFeature;

    fn cpu(features: &[(&'static str, bool)], threads: usize, purpose: &'static str) -> Cpu {
        let feature = |&(name, present)| CpuFeature {
            name,
            present,
            purpose,
        };
        Cpu {
            architecture: "x86_64",
            threads: threads.try_into().ok(),
            features: features.iter().map(feature).collect(),
        }
    }

    fn conditions(cpu: &Cpu) -> Conditions<'_> {
        Conditions {
            version: "1.31.1",
            device: OrtDevice::Cpu,
            optimization: Optimization::All,
            cpu,
        }
    }

    #[test]
    fn the_key_has_what_decides_the_optimised_model_and_nothing_else() {
        let cpu = cpu(&[("FMA", true), ("AVX2", true), ("AMX INT8", false)], 2, "");
        assert_eq!(
            conditions(&cpu).parts(),
            [
                ("onnxruntime", "1.31.1".to_owned()),
                ("engine", "ort:cpu".to_owned()),
                ("optimization", "all".to_owned()),
                (
                    "disabled_optimizers",
                    "SkipLayerNormFusion;BiasGeluFusion".to_owned()
                ),
                ("x64quantprecision", quant_precision().to_owned()),
                ("os", consts::OS.to_owned()),
                ("architecture", "x86_64".to_owned()),
                ("instruction_sets", "AVX2,FMA".to_owned()),
            ]
        );
    }

    #[test]
    fn words_for_people_and_the_number_of_threads_are_no_part_of_it() {
        let [before, after] = [
            cpu(&[("AVX2", true), ("FMA", false)], 2, "float32"),
            cpu(
                &[("FMA", false), ("AVX2", true)],
                64,
                "products of matrices",
            ),
        ];
        let [before, after] = [&before, &after].map(|it| conditions(it).file_name(b"model"));
        assert_eq!(before, after);
    }

    #[test]
    fn each_part_tells_saved_models_apart() {
        let [old, new] = [
            cpu(&[("AVX2", true), ("AVX-512", false)], 2, ""),
            cpu(&[("AVX2", true), ("AVX-512", true)], 2, ""),
        ];
        let usual = || conditions(&old);
        let names = [
            usual().file_name(b"model"),
            usual().file_name(b"another"),
            conditions(&new).file_name(b"model"),
            Conditions {
                version: "1.32.0",
                ..usual()
            }
            .file_name(b"model"),
            Conditions {
                device: OrtDevice::Cuda,
                ..usual()
            }
            .file_name(b"model"),
            Conditions {
                optimization: Optimization::Basic,
                ..usual()
            }
            .file_name(b"model"),
        ];
        let different: std::collections::BTreeSet<&String> = names.iter().collect();
        assert_eq!(different.len(), names.len(), "{names:?}");
    }
}
