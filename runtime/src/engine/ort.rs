//! ONNX Runtime, through the `ort` crate.
//!
//! Touching any of `ort`'s types before a library is loaded panics, so everything here that does
//! takes an [`Environment`], and only [`environment`] makes one: after it has loaded a library.

use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use nezha_graphs::Port;
use ort::environment::Environment;
use ort::ep::{CUDA, ExecutionProviderDispatch, TensorRT};
use ort::logging::LogLevel;
use ort::session::builder::{GraphOptimizationLevel, SessionBuilder};
use ort::session::{Session, SessionInputValue};
use ort::value::{DynValue, PrimitiveTensorElementType, TensorRef};

use super::pool::Pool;
use super::{Engine, EngineError, EngineKind, EngineOptions, Optimization};
use crate::tensor::{Element, with_array, with_element};
use crate::{Model, OrtLibrary, Tensor, Tensors, ort_library};

/// A model in ONNX Runtime.
pub(super) struct OrtEngine {
    kind: EngineKind,
    description: String,
    outputs: Vec<Port>,
    /// `run` of a session is not thread-safe, whatever ONNX Runtime says: see the `ort` crate.
    sessions: Pool<Session>,
}

impl OrtEngine {
    pub(super) fn load(
        model: &Model,
        kind: EngineKind,
        options: &EngineOptions,
    ) -> Result<Self, EngineError> {
        let (environment, library) = environment(kind, options.ort_library.as_deref())?;
        let open = |_| session(&environment, model.path(), kind, options);
        let sessions: Result<Vec<_>, _> = (0..options.sessions.get()).map(open).collect();
        Ok(Self {
            kind,
            description: format!("ONNX Runtime {} ({})", library.version, device(kind)),
            outputs: model.signature().outputs.clone(),
            sessions: Pool::new(sessions?),
        })
    }

    fn compute(&self, session: &mut Session, inputs: &Tensors) -> Result<Tensors, EngineError> {
        let failed = |error: ort::Error| EngineError::Run {
            engine: self.kind,
            reason: error.to_string(),
        };
        let values = inputs
            .iter()
            .map(|(name, tensor)| Ok((name, value(tensor)?)))
            .collect::<Result<Vec<_>, _>>()
            .map_err(failed)?;
        let outputs = session.run(values).map_err(failed)?;
        self.outputs
            .iter()
            .map(|port| {
                let found = outputs.get(&port.name);
                let tensor = found.and_then(|value| tensor(value, port));
                Ok((
                    port.name.as_str(),
                    tensor.ok_or_else(|| self.unexpected(port, found))?,
                ))
            })
            .collect()
    }

    fn unexpected(&self, port: &Port, found: Option<&DynValue>) -> EngineError {
        EngineError::Output {
            engine: self.kind,
            name: port.name.clone(),
            expected: port.dtype,
            found: found.map_or("nothing".to_owned(), |value| value.dtype().to_string()),
        }
    }
}

impl Engine for OrtEngine {
    fn kind(&self) -> EngineKind {
        self.kind
    }

    fn description(&self) -> &str {
        &self.description
    }

    fn run(&self, inputs: &Tensors) -> Result<Tensors, EngineError> {
        self.sessions.with(|session| self.compute(session, inputs))
    }
}

fn device(kind: EngineKind) -> &'static str {
    match kind {
        EngineKind::OrtCuda => "CUDA",
        EngineKind::OrtTensorRt => "TensorRT",
        EngineKind::OrtCpu | EngineKind::Tract => "CPU",
    }
}

/// What this process has loaded; it stays until the process ends.
struct Loaded {
    library: Option<OrtLibrary>,
    environment: Option<Environment>,
}

static LOADED: Mutex<Loaded> = Mutex::new(Loaded {
    library: None,
    environment: None,
});

/// The process's one environment, over `requested` or else the library that is found.
fn environment(
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
    // Loads at the first call; after that it only makes a builder.
    let builder = ort::init_from(&library.path).map_err(|error| start(error.to_string()))?;
    loaded.library = Some(library.clone());
    let environment = match &loaded.environment {
        Some(environment) => environment.clone(),
        None => {
            let made = builder.with_name("nezha").with_telemetry(false).build();
            let made = made.map_err(|error| start(error.to_string()))?;
            // The default hands every internal step of a run to a logger that drops it.
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
                loaded: loaded.path.clone(),
                requested: requested.to_path_buf(),
            })
        }
        _ => Ok(loaded.clone()),
    }
}

fn session(
    environment: &Environment,
    model: &Path,
    engine: EngineKind,
    options: &EngineOptions,
) -> Result<Session, EngineError> {
    let start = |reason: String| EngineError::Start { engine, reason };
    let mut builder = builder(environment, options).map_err(start)?;
    // Left alone, a provider that can't start is dropped without a word, and the CPU takes over.
    for provider in providers(engine) {
        let name = provider.name();
        builder = builder
            .with_execution_providers([provider.error_on_failure()])
            .map_err(|error| start(format!("{name}: {error}{}", hint(&error.to_string()))))?;
    }
    // From the file, not from the map: ONNX Runtime finds external weights beside it.
    builder
        .commit_from_file(model)
        .map_err(|error| EngineError::Load {
            engine,
            path: model.to_path_buf(),
            reason: error.to_string(),
        })
}

/// What to do about a provider that ONNX Runtime was built without.
fn hint(error: &str) -> &'static str {
    match error.contains("not enabled in this build") {
        true => " `nezha setup --gpu` installs a build that has it",
        false => "",
    }
}

fn builder(environment: &Environment, options: &EngineOptions) -> Result<SessionBuilder, String> {
    let level = match options.optimization {
        Optimization::None => GraphOptimizationLevel::Disable,
        Optimization::Basic => GraphOptimizationLevel::Level1,
        Optimization::Extended => GraphOptimizationLevel::Level2,
        Optimization::All => GraphOptimizationLevel::All,
    };
    let threads = options.threads.map_or(0, NonZeroUsize::get);
    let builder = Session::builder(environment).map_err(|error| error.to_string())?;
    let builder = builder
        .with_optimization_level(level)
        .map_err(|error| error.to_string())?;
    builder
        .with_intra_threads(threads)
        .map_err(|error| error.to_string())
}

/// The execution providers to register, the preferred one first; the CPU is always there.
fn providers(engine: EngineKind) -> Vec<ExecutionProviderDispatch> {
    match engine {
        EngineKind::OrtCpu | EngineKind::Tract => Vec::new(),
        EngineKind::OrtCuda => vec![CUDA::default().build()],
        EngineKind::OrtTensorRt => vec![TensorRT::default().build(), CUDA::default().build()],
    }
}

/// A view of a tensor.
fn value(tensor: &Tensor) -> ort::Result<SessionInputValue<'_>> {
    with_array!(tensor, array => {
        // A tensor's layout is standard, so its elements are one slice.
        let elements = array.as_slice().unwrap_or_default();
        Ok(TensorRef::from_array_view((array.shape(), elements))?.into())
    })
}

/// A copy of an output; `None` where it is not what the port says.
fn tensor(value: &DynValue, port: &Port) -> Option<Tensor> {
    fn copy<T: Element + PrimitiveTensorElementType>(value: &DynValue) -> Option<Tensor> {
        let (shape, elements) = value.try_extract_tensor::<T>().ok()?;
        let shape: Result<Vec<usize>, _> = shape.iter().map(|it| usize::try_from(*it)).collect();
        Tensor::from_elements(&shape.ok()?, elements.to_vec()).ok()
    }
    with_element!(port.dtype, T => copy::<T>(value))
}
