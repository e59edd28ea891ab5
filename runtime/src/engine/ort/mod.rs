//! ONNX Runtime, through the `ort` crate.
//!
//! `ort` panics if one of its types is used before a library is loaded. So everything here that
//! uses them takes an [`Environment`](ort::environment::Environment), and only [`environment()`]
//! makes one, after it has loaded a library.

mod builder;
mod environment;
mod optimized;
mod resident;
mod shared;
mod tensorrt;

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;
use std::{fs, io, thread};

use nezha_graphs::Port;
use ort::session::builder::SessionBuilder;
use ort::session::{RunOptions, SessionInputValue};
use ort::value::{DynValue, PrimitiveTensorElementType, TensorRef};

use self::builder::{Settings, Source};
use self::environment::environment;
pub(crate) use self::environment::execution_providers;
use self::shared::SharedWeights;
use super::kind::OrtDevice;
use super::pool::Pool;
use super::profile::Profile;
use super::{Engine, EngineError, EngineKind, EngineOptions, KeepOutputs, Residents, trace};
use crate::native::OrtSession as Session;
use crate::tensor::{Element, with_array, with_element};
use crate::{Model, Tensor, Tensors};

/// A model in ONNX Runtime.
pub(super) struct OrtEngine {
    device: OrtDevice,
    /// The number of the GPU, if there are several.
    gpu: u32,
    description: String,
    outputs: Vec<Port>,
    /// A session's `run` is not thread-safe, despite ONNX Runtime's promise: see the `ort` crate.
    sessions: Pool<Session>,
    profiling: Mutex<bool>,
}

/// How many runs are computed at the same time, and with how many threads each; 0 threads let ONNX
/// Runtime choose.
struct Runs {
    sessions: usize,
    threads: usize,
}

/// The most sessions that threads are divided among, because each needs memory of its own.
const MOST_SESSIONS: usize = 8;

impl Runs {
    fn of(device: OrtDevice, options: &EngineOptions) -> Self {
        if device == OrtDevice::Cpu && options.throughput {
            let all = options.threads.or(thread::available_parallelism().ok());
            let all = all.map_or(1, NonZeroUsize::get);
            let sessions = all.min(MOST_SESSIONS);
            return Self {
                sessions,
                threads: all / sessions,
            };
        }
        Self {
            sessions: options.ort.sessions.get(),
            threads: options.threads.map_or(0, NonZeroUsize::get),
        }
    }
}

impl OrtEngine {
    pub(super) fn load(
        model: &Model,
        device: OrtDevice,
        options: &EngineOptions,
    ) -> Result<Self, EngineError> {
        let (environment, library) = environment(device.kind(), options.ort.library.as_deref())?;
        let runs = Runs::of(device, options);
        let settings = Settings {
            environment: &environment,
            device,
            options,
            threads: runs.threads,
            signature: model.signature(),
        };
        if let Some(profile) = &options.profile {
            settings.check_profile(profile)?;
        }
        let optimized = options.ort.optimized_models.as_deref();
        let optimized = optimized
            .map(|folder| optimized::optimized(&settings, model, &library.version, folder))
            .transpose()?;
        let several = runs.sessions > 1;
        let shared = (several && optimized.is_none() && !options.ort.low_memory)
            .then(|| SharedWeights::of(model))
            .transpose()
            .map_err(|error| settings.failed(&error))?;
        let open = |index| {
            let source = match &optimized {
                Some(path) => Source::File(path),
                None => Source::of(model),
            };
            settings.open(&source, |mut builder: SessionBuilder| {
                if optimized.is_some() {
                    builder = builder.with_optimization_level(optimized::LEVEL)?;
                }
                if let Some(shared) = &shared {
                    builder = shared.give_to(builder)?;
                }
                if let Some(graph) = options.ort.optimized_graph.as_ref().filter(|_| index == 0) {
                    builder = builder.with_optimized_model_path(graph)?;
                }
                match &options.profile {
                    Some(profile) => Ok(builder.with_profiling(numbered(profile, index))?),
                    None => Ok(builder),
                }
            })
        };
        let sessions: Result<Vec<_>, _> = (0..runs.sessions).map(open).collect();
        Ok(Self {
            device,
            gpu: options.ort.device,
            description: format!(
                "ONNX Runtime {} ({})",
                library.version,
                device.kind().spec().device
            ),
            outputs: model.signature().outputs.clone(),
            sessions: Pool::new(sessions?),
            profiling: Mutex::new(options.profile.is_some()),
        })
    }

    fn compute(
        &self,
        session: &mut Session,
        inputs: &Tensors,
        deadline: Option<Instant>,
    ) -> Result<Tensors, EngineError> {
        let values = inputs
            .iter()
            .map(|(name, tensor)| Ok((name, value(tensor)?)))
            .collect::<ort::Result<Vec<_>>>()
            .map_err(|error| self.failed(&error))?;
        let options = RunOptions::new().map_err(|error| self.failed(&error))?;
        let run = || session.run_with_options(values, &options);
        let (outputs, stopped) = match deadline {
            None => (run(), false),
            Some(deadline) => {
                stopped_at(deadline, &options, run).map_err(|error| self.failed(&error))?
            }
        };
        let outputs = outputs.map_err(|error| match stopped {
            true => self.late(),
            false => self.failed(&error),
        })?;
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

    fn failed(&self, error: &impl ToString) -> EngineError {
        EngineError::Run {
            engine: self.device.kind(),
            reason: error.to_string(),
        }
    }

    fn late(&self) -> EngineError {
        EngineError::DeadlineExceeded {
            engine: self.device.kind(),
        }
    }

    fn unexpected(&self, port: &Port, found: Option<&DynValue>) -> EngineError {
        EngineError::Output {
            engine: self.device.kind(),
            name: port.name.clone(),
            expected: port.dtype,
            found: found.map_or("nothing".to_owned(), |value| value.dtype().to_string()),
        }
    }

    /// Reads a profile that ONNX Runtime has finished.
    fn profile(&self, finished: ort::Result<String>) -> Result<Profile, EngineError> {
        let file = PathBuf::from(finished.map_err(|error| self.failed(&error))?);
        let text = fs::read(&file).map_err(|error| error.to_string());
        let events =
            text.and_then(|text| serde_json::from_slice(&text).map_err(|error| error.to_string()));
        let events = events.map_err(|reason| EngineError::Profile {
            engine: self.device.kind(),
            path: file.clone(),
            reason,
        })?;
        Ok(Profile {
            files: vec![file],
            ..trace::profile(events)
        })
    }
}

impl Engine for OrtEngine {
    fn kind(&self) -> EngineKind {
        self.device.kind()
    }

    fn description(&self) -> &str {
        &self.description
    }

    fn runs_at_once(&self) -> NonZeroUsize {
        self.sessions.size()
    }

    fn run(&self, inputs: &Tensors, deadline: Option<Instant>) -> Result<Tensors, EngineError> {
        let compute = |session: &mut Session| match deadline {
            // A short run could end before the watching thread reads the clock.
            Some(deadline) if Instant::now() >= deadline => Err(self.late()),
            _ => self.compute(session, inputs, deadline),
        };
        let answer = self.sessions.with(deadline, compute);
        answer.unwrap_or_else(|| Err(self.late()))
    }

    fn keeping(&self) -> Option<&dyn KeepOutputs> {
        Some(self)
    }

    fn end_profiling(&self) -> Result<Profile, EngineError> {
        let mut profiling = self
            .profiling
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if !std::mem::take(&mut *profiling) {
            return Err(EngineError::NotProfiled {
                engine: self.device.kind(),
            });
        }
        let finished = self.sessions.with_each(|it| it.end_profiling());
        let profiles = finished.into_iter().map(|it| self.profile(it));
        Ok(Profile::joined(profiles.collect::<Result<Vec<_>, _>>()?))
    }
}

impl KeepOutputs for OrtEngine {
    fn run_keeping(
        &self,
        inputs: &Tensors,
        residents: &Residents,
        keep: &dyn Fn(&str) -> Option<String>,
    ) -> Result<(Tensors, Residents), EngineError> {
        let compute =
            |session: &mut Session| self.compute_resident(session, inputs, residents, keep);
        let answer = self.sessions.with(None, compute);
        answer.unwrap_or_else(|| Err(self.late()))
    }
}

/// Runs `work`, and stops the runs of `options` at the deadline; also returns whether they were
/// stopped.
fn stopped_at<R>(
    deadline: Instant,
    options: &RunOptions,
    work: impl FnOnce() -> R,
) -> io::Result<(R, bool)> {
    thread::scope(|scope| {
        let (done, watched) = mpsc::channel::<()>();
        let watch = move || {
            let left = deadline.saturating_duration_since(Instant::now());
            let late = watched.recv_timeout(left) == Err(RecvTimeoutError::Timeout);
            late && options.terminate().is_ok()
        };
        let watch = thread::Builder::new().spawn_scoped(scope, watch)?;
        let answer = work();
        drop(done);
        Ok((answer, watch.join().unwrap_or(false)))
    })
}

/// The profile of one of several sessions; the first session's has the given name.
fn numbered(profile: &Path, session: usize) -> PathBuf {
    let mut name = profile.as_os_str().to_owned();
    if session > 0 {
        name.push(format!("-{session}"));
    }
    name.into()
}

/// A view of a tensor for ONNX Runtime.
fn value(tensor: &Tensor) -> ort::Result<SessionInputValue<'_>> {
    with_array!(&tensor.0, array => {
        // A tensor's layout is standard, so its elements are one slice.
        let elements = array.as_slice().unwrap_or_default();
        Ok(TensorRef::from_array_view((array.shape(), elements))?.into())
    })
}

/// A copy of an output; `None` if it doesn't fit the port.
fn tensor(value: &DynValue, port: &Port) -> Option<Tensor> {
    fn copy<T: Element + PrimitiveTensorElementType>(value: &DynValue) -> Option<Tensor> {
        let (shape, elements) = value.try_extract_tensor::<T>().ok()?;
        let shape: Result<Vec<usize>, _> = shape.iter().map(|it| usize::try_from(*it)).collect();
        Tensor::from_elements(&shape.ok()?, elements.to_vec()).ok()
    }
    with_element!(port.dtype, T => copy::<T>(value))
}
