use std::path::PathBuf;

use serde::Serialize;

use crate::library::{LibrarySource, RejectedLibrary};

/// The OpenVINO that was found, or what was tried; empty if the build has none.
#[derive(Clone, Debug, Default, Serialize)]
pub struct OpenVino {
    /// The library of its C interface; `None` if there is none to load.
    pub path: Option<PathBuf>,
    /// Its version.
    pub version: Option<String>,
    /// How it was found.
    pub source: Option<LibrarySource>,
    /// The libraries that were tried before it, or all of them if none can be loaded.
    pub rejected: Vec<RejectedLibrary>,
    /// The devices that it sees.
    pub devices: Vec<OpenVinoDevice>,
    /// Why a library that was found can't be loaded; `None` if it is.
    pub error: Option<String>,
}

/// A device that OpenVINO sees.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct OpenVinoDevice {
    /// OpenVINO's name for it: `CPU`, `GPU.0`.
    pub name: String,
    /// What its maker calls it.
    pub full_name: String,
    /// The types that it is optimized for, such as `BF16` and `INT8`, by OpenVINO's names.
    pub capabilities: String,
}

#[cfg(feature = "openvino")]
impl OpenVino {
    /// Looks for the library, loads it and asks for its devices.
    pub(super) fn examine(options: &crate::EngineOptions) -> Self {
        use crate::EngineError;
        use crate::engine::openvino_devices;

        match openvino_devices(options.openvino.library.as_deref()) {
            Ok((library, devices)) => Self {
                path: Some(library.path),
                version: Some(library.version),
                source: Some(library.source),
                rejected: library.rejected,
                devices: devices
                    .into_iter()
                    .map(|it| OpenVinoDevice {
                        name: it.name,
                        full_name: it.full_name,
                        capabilities: it.capabilities,
                    })
                    .collect(),
                error: None,
            },
            Err(EngineError::Library { source, .. }) => Self {
                rejected: source.rejected,
                ..Self::default()
            },
            Err(error) => Self {
                error: Some(nezha_graphs::error_chain(&error)),
                ..Self::default()
            },
        }
    }
}
