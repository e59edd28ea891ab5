use std::path::Path;
use std::sync::{Mutex, PoisonError};

use ort::environment::Environment;
use ort::logging::LogLevel;

use crate::{EngineError, EngineKind, OrtLibrary, native, ort_library};

/// What this process has loaded; it stays loaded until the process ends.
struct Loaded {
    library: Option<OrtLibrary>,
    environment: Option<Environment>,
}

static LOADED: Mutex<Loaded> = Mutex::new(Loaded {
    library: None,
    environment: None,
});

/// The environment of this process, in the library `requested` or else in the one that is found.
pub(super) fn environment(
    engine: EngineKind,
    requested: Option<&Path>,
) -> Result<(Environment, OrtLibrary), EngineError> {
    let start = |reason: String| EngineError::Start { engine, reason };
    let mut loaded = LOADED.lock().unwrap_or_else(PoisonError::into_inner);
    let library = match &loaded.library {
        Some(library) => same_library(engine, library, requested)?,
        None => ort_library::find(requested)
            .map_err(|source| EngineError::Library { engine, source })?,
    };
    // The first call loads the library; later calls only make a builder.
    let builder = ort::init_from(&library.path).map_err(|error| start(error.to_string()))?;
    loaded.library = Some(library.clone());
    let environment = match &loaded.environment {
        Some(environment) => environment.clone(),
        None => {
            let made = builder.with_name("nezha").with_telemetry(false).build();
            let made = made.map_err(|error| start(error.to_string()))?;
            // By default, every internal step of a run is sent to a logger that drops it.
            made.set_log_level(LogLevel::Warning);
            loaded.environment.insert(made).clone()
        }
    };
    Ok((environment, library))
}

fn same_library(
    engine: EngineKind,
    loaded: &OrtLibrary,
    requested: Option<&Path>,
) -> Result<OrtLibrary, EngineError> {
    match requested {
        Some(requested) if !ort_library::is_at(&loaded.path, requested) => {
            Err(EngineError::OtherLibrary {
                engine,
                product: "ONNX Runtime",
                loaded: loaded.path.clone(),
                requested: requested.to_path_buf(),
            })
        }
        _ => Ok(loaded.clone()),
    }
}

/// The library that runs, and the execution providers that it was built with.
pub(crate) fn execution_providers(
    requested: Option<&Path>,
) -> Result<(OrtLibrary, Vec<String>), EngineError> {
    let engine = EngineKind::OrtCpu;
    let (_environment, library) = environment(engine, requested)?;
    let providers = native::available_providers();
    let providers = providers.map_err(|reason| EngineError::Start { engine, reason })?;
    Ok((library, providers))
}
