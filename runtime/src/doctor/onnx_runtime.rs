use std::path::PathBuf;

use serde::Serialize;

use crate::library::{LibrarySource, RejectedLibrary};

/// The ONNX Runtime that was found, or what was tried; empty if the build has none.
#[derive(Clone, Debug, Default, Serialize)]
pub struct OnnxRuntime {
    /// The library; `None` if there is none to load.
    pub path: Option<PathBuf>,
    /// Its version.
    pub version: Option<String>,
    /// How it was found.
    pub source: Option<LibrarySource>,
    /// The libraries that were tried before it, or all of them if none can be loaded.
    pub rejected: Vec<RejectedLibrary>,
    /// The execution providers that it was built with, by ONNX Runtime's names.
    pub execution_providers: Vec<String>,
    /// Why a library that was found can't be loaded; `None` if it is.
    pub error: Option<String>,
    /// The folder that `setup` fills; `None` if the user has no cache folder.
    pub cache: Option<PathBuf>,
}

#[cfg(feature = "ort")]
impl OnnxRuntime {
    /// Looks for the library and loads it.
    pub(super) fn examine(options: &crate::EngineOptions) -> Self {
        use crate::engine::execution_providers;
        use crate::{EngineError, setup};

        let found = match execution_providers(options.ort.library.as_deref()) {
            Ok((library, execution_providers)) => Self {
                path: Some(library.path),
                version: Some(library.version),
                source: Some(library.source),
                rejected: library.rejected,
                execution_providers,
                ..Self::default()
            },
            Err(EngineError::Library { source, .. }) => Self {
                rejected: source.rejected,
                ..Self::default()
            },
            Err(error) => Self {
                error: Some(nezha_graphs::error_chain(&error)),
                ..Self::default()
            },
        };
        let folder = setup::folder(setup::Build::Cpu);
        Self {
            cache: folder.and_then(|it| Some(it.parent()?.to_path_buf())),
            ..found
        }
    }
}
