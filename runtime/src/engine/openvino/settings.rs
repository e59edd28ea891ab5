//! Translates options to OpenVINO's properties.

use super::readable;
use crate::engine::kind::OpenVinoDevice;
use crate::engine::{EngineError, EngineOptions, OpenVinoPrecision};
use crate::native::openvino::{Compiled, Core};
use crate::{Model, OpenVinoHint};

/// The property with the type that products are computed in.
pub(super) const PRECISION: &str = "INFERENCE_PRECISION_HINT";
const GROUP_SIZE: &str = "DYNAMIC_QUANTIZATION_GROUP_SIZE";

/// A property, and the option that it comes from.
struct Setting {
    option: &'static str,
    key: &'static str,
    value: String,
}

/// Sets a device up as the options say; if it refuses a setting, the error names the option.
pub(super) fn apply(
    core: &mut Core,
    device: OpenVinoDevice,
    options: &EngineOptions,
) -> Result<(), EngineError> {
    let engine = device.kind();
    // This loads the device's plugin; a setting can be refused only after that.
    let loaded = core.property(device.id(), "FULL_DEVICE_NAME");
    loaded.map_err(|failure| EngineError::Start {
        engine,
        reason: readable(&failure.0),
    })?;
    let refused = |option, reason| EngineError::Option {
        engine,
        option,
        reason,
    };
    if options.profile.is_some() && hint(options) == OpenVinoHint::Throughput {
        let reason = "OpenVINO tells the times of one run at a time: expected the hint for latency";
        return Err(refused("profile", reason.to_owned()));
    }
    if let Some(folder) = &options.openvino.cache {
        let made = std::fs::create_dir_all(folder);
        let at = |error| format!("{}: {error}", folder.display());
        made.map_err(|error| refused("openvino.cache", at(error)))?;
    }
    for Setting { option, key, value } in settings(device, options) {
        let set = core.set(device.id(), key, &value);
        set.map_err(|failure| refused(option, readable(&failure.0)))?;
    }
    Ok(())
}

/// What OpenVINO optimizes for.
fn hint(options: &EngineOptions) -> OpenVinoHint {
    match options.throughput {
        true => OpenVinoHint::Throughput,
        false => options.openvino.hint,
    }
}

fn settings(device: OpenVinoDevice, options: &EngineOptions) -> Vec<Setting> {
    let openvino = &options.openvino;
    let precision = match openvino.precision {
        OpenVinoPrecision::Auto => None,
        named => Some(named.name().to_owned()),
    };
    let hint = match hint(options) {
        OpenVinoHint::Latency => "LATENCY",
        OpenVinoHint::Throughput => "THROUGHPUT",
    };
    let cache = openvino.cache.as_ref();
    // By itself OpenVINO binds the threads of each session to the first cores, in each process anew: two sessions
    // of one thread would take turns on one core.
    let binding = (device == OpenVinoDevice::Cpu).then(|| "NO".to_owned());
    let settings = [
        ("openvino.precision", PRECISION, precision),
        ("openvino.hint", "PERFORMANCE_HINT", Some(hint.to_owned())),
        (
            "threads",
            "INFERENCE_NUM_THREADS",
            options.threads.map(|it| it.to_string()),
        ),
        ("threads", "ENABLE_CPU_PINNING", binding),
        (
            "openvino.group_size",
            GROUP_SIZE,
            openvino.group_size.map(|it| it.to_string()),
        ),
        (
            "openvino.cache",
            "CACHE_DIR",
            cache.map(|it| it.display().to_string()),
        ),
        (
            "profile",
            "PERF_COUNT",
            options.profile.as_ref().map(|_| "YES".to_owned()),
        ),
    ];
    let set = settings
        .into_iter()
        .filter_map(|(option, key, value)| value.map(|value| Setting { option, key, value }));
    set.collect()
}

/// How many activations share one 8-bit scale when a model multiplies them with weights of few
/// bits; `None` if no activations are quantized.
pub(super) fn groups_of_activations(compiled: &Compiled, model: &Model) -> Option<u64> {
    let mut nodes = model.proto().graph.iter().flat_map(|it| &it.node);
    let few_bits = nodes.any(|it| ["DequantizeLinear", "MatMulNBits"].contains(&&*it.op_type));
    let size: u64 = compiled.property(GROUP_SIZE).ok()?.parse().ok()?;
    (few_bits && size > 0 && size < u64::MAX).then_some(size)
}
