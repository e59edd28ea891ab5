use std::path::Path;
use std::sync::{Mutex, PoisonError};

use super::readable;
use crate::engine::kind::OpenVinoDevice;
use crate::engine::{EngineError, EngineKind};
use crate::library::Library;
use crate::native::openvino::{self, Core};
use crate::openvino_library;

/// The library that this process has loaded; it stays loaded until the process ends.
static LOADED: Mutex<Option<Library>> = Mutex::new(None);

/// The library of this process: `requested`, or else the one that is found.
pub(super) fn library(
    engine: EngineKind,
    requested: Option<&Path>,
) -> Result<Library, EngineError> {
    let mut loaded = LOADED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(library) = loaded.as_ref() {
        return match requested {
            Some(requested) if !openvino_library::is_at(&library.path, requested) => {
                Err(EngineError::OtherLibrary {
                    engine,
                    product: "OpenVINO",
                    loaded: library.path.clone(),
                    requested: requested.to_path_buf(),
                })
            }
            _ => Ok(library.clone()),
        };
    }
    let library = openvino_library::find(requested)
        .map_err(|source| EngineError::Library { engine, source })?;
    openvino::load(&library.path).map_err(|failure| EngineError::Start {
        engine,
        reason: failure.0,
    })?;
    Ok(loaded.insert(library).clone())
}

/// A device that OpenVINO sees.
pub(crate) struct Device {
    /// OpenVINO's name for it: `CPU`, `GPU.0`.
    pub(crate) name: String,
    /// What its maker calls it.
    pub(crate) full_name: String,
    /// The types that it is optimized for: `BF16`, `INT8`.
    pub(crate) capabilities: String,
}

/// The library that runs, and the devices that it sees.
pub(crate) fn devices(requested: Option<&Path>) -> Result<(Library, Vec<Device>), EngineError> {
    let engine = EngineKind::OpenVinoCpu;
    let library = library(engine, requested)?;
    let ask = || {
        let core = Core::new()?;
        let device = |name: String| {
            // A device is listed even if it doesn't answer these questions.
            let property = |key| core.property(&name, key).unwrap_or_default();
            Device {
                full_name: property("FULL_DEVICE_NAME"),
                capabilities: property("OPTIMIZATION_CAPABILITIES"),
                name,
            }
        };
        Ok(core.devices()?.into_iter().map(device).collect())
    };
    let devices: Result<_, openvino::Failure> = ask();
    let devices = devices.map_err(|failure| EngineError::Start {
        engine,
        reason: readable(&failure.0),
    })?;
    Ok((library, devices))
}

/// Refuses a device that isn't there. The CPU is always there.
pub(super) fn check_device(core: &Core, device: OpenVinoDevice) -> Result<(), EngineError> {
    if device == OpenVinoDevice::Cpu {
        return Ok(());
    }
    let engine = device.kind();
    let found = core.devices().map_err(|failure| EngineError::Start {
        engine,
        reason: readable(&failure.0),
    })?;
    // If there are several of a kind, each has a number: GPU.0.
    let kind = |name: &str| name.split('.').next() == Some(device.id());
    match found.iter().any(|it| kind(it)) {
        true => Ok(()),
        false => Err(EngineError::Device {
            engine,
            device: device.id(),
            found: found.join(", "),
            remedy: engine.spec().remedy,
        }),
    }
}
