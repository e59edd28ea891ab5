use std::fs;
use std::path::{Path, PathBuf};

use nezha_graphs::ExternalData;
use ort::session::builder::GraphOptimizationLevel;
use xxhash_rust::xxh3::{xxh3_64, xxh3_128};

use super::builder::Settings;
use crate::doctor::Cpu;
use crate::engine::kind::OrtDevice;
use crate::{EngineError, Model, native};

/// The optimised form of a model in the cache; ONNX Runtime makes it where it is missing.
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
    let content = native::map(model.path()).map_err(at(model.path()))?;
    let path = folder.join(format!(
        "{:032x}-{:016x}.onnx",
        xxh3_128(&content),
        xxh3_64(conditions(settings, version).as_bytes())
    ));
    if !path.exists() {
        fs::create_dir_all(folder).map_err(at(folder))?;
        let scratch = tempfile::tempdir_in(folder).map_err(at(folder))?;
        let made = scratch.path().join("model.onnx");
        settings.open(model.path(), |builder| {
            Ok(builder.with_optimized_model_path(&made)?)
        })?;
        fs::rename(&made, &path).map_err(at(&path))?;
    }
    Ok(path)
}

/// What an optimised model depends on, beside the model.
fn conditions(settings: &Settings, version: &str) -> String {
    format!(
        "{version} {} {:?} {:?}",
        settings.device.kind(),
        settings.options.ort.optimization,
        Cpu::examine()
    )
}

/// What is optimised already is loaded as it is.
pub(super) const LEVEL: GraphOptimizationLevel = GraphOptimizationLevel::Disable;
