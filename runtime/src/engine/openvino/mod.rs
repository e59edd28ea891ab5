//! OpenVINO, through its C interface.
//!
//! A model is compiled once, and all its infer requests share the compiled model. The compiled
//! model is asked which precision the device computes in, so that a change of precision never goes
//! unnoticed.

mod library;
mod model_error;
mod settings;
mod times;

use std::num::NonZeroUsize;
use std::time::Instant;

use bytes::Bytes;
use nezha_graphs::proto::TensorProto;
use nezha_graphs::{ExternalData, Initializer, Port, replace_initializers};

pub(crate) use self::library::devices;
use self::times::Times;
use super::kind::OpenVinoDevice;
use super::pool::Pool;
use super::profile::Profile;
use super::recorder::Recorder;
use super::{Engine, EngineError, EngineKind, EngineOptions, OpenVinoPrecision};
use crate::native::openvino::{Compiled, Core, End, Failure, Request};
use crate::{Model, Tensor, Tensors};

/// A model in OpenVINO.
pub(super) struct OpenVinoEngine {
    engine: EngineKind,
    description: String,
    outputs: Vec<Port>,
    requests: Pool<Request>,
    recorder: Option<Recorder>,
    times: Times,
    /// Freed after the requests, and before the core.
    _compiled: Compiled,
    _core: Core,
}

impl OpenVinoEngine {
    pub(super) fn load(
        model: &Model,
        device: OpenVinoDevice,
        options: &EngineOptions,
    ) -> Result<Self, EngineError> {
        let engine = device.kind();
        let start = |failure: Failure| EngineError::Start {
            engine,
            reason: readable(&failure.0),
        };
        let library = library::library(engine, options.openvino.library.as_deref())?;
        let mut core = Core::new().map_err(start)?;
        library::check_device(&core, device)?;
        settings::apply(&mut core, device, options)?;
        let recorder = options.profile.as_deref();
        let recorder = recorder.map(|it| Recorder::start(engine, it)).transpose()?;

        let refused = |failure: Failure| model_error::refused(engine, model, &failure.0);
        let graph = match model.in_memory() {
            None => core.read(model.path()),
            Some(_) => whole(model).and_then(|bytes| core.read_bytes(&bytes)),
        };
        let graph = graph.map_err(refused)?;
        let compiled = core.compile(&graph, device.id()).map_err(refused)?;
        let precision = precision(engine, &compiled, options.openvino.precision)?;
        let groups = settings::groups_of_activations(&compiled, model);
        // More requests than these would wait inside OpenVINO, where no deadline is checked.
        let count = compiled.property("OPTIMAL_NUMBER_OF_INFER_REQUESTS");
        let count = count.map_err(start)?.parse().unwrap_or(1_usize).max(1);
        let requests = (0..count).map(|_| compiled.request());
        Ok(Self {
            engine,
            description: format!(
                "OpenVINO {} ({}, {precision}{})",
                library.version,
                engine.spec().device,
                groups.map_or(String::new(), |it| format!(
                    ", 8-bit activations in groups of {it}"
                )),
            ),
            outputs: model.signature().outputs.clone(),
            requests: Pool::new(requests.collect::<Result<_, _>>().map_err(start)?),
            recorder,
            times: Times::default(),
            _compiled: compiled,
            _core: core,
        })
    }

    fn compute(
        &self,
        request: &mut Request,
        inputs: &Tensors,
        deadline: Option<Instant>,
    ) -> Result<Tensors, EngineError> {
        let begin = Instant::now();
        let time = deadline.map(|it| it.saturating_duration_since(begin));
        if time.is_some_and(|it| it.is_zero()) {
            return Err(self.late());
        }
        let end = request.run(inputs.iter(), time);
        let took = begin.elapsed();
        if end.map_err(|it| self.failed(&it))? == End::Late {
            return Err(self.late());
        }
        if let Some(recorder) = self.recorder.as_ref().filter(|it| it.is_recording()) {
            let times = request.times().map_err(|it| self.failed(&it))?;
            let steps = self.times.of_run(&times, begin);
            recorder.add(self.engine.name(), begin, took, steps.into_iter());
        }
        self.outputs
            .iter()
            .map(|port| Ok((port.name.as_str(), self.output(request, port)?)))
            .collect()
    }

    fn output(&self, request: &Request, port: &Port) -> Result<Tensor, EngineError> {
        let found = request.output(port);
        let tensor = found.map_err(|it| self.failed(&it))?;
        tensor.ok_or_else(|| EngineError::Output {
            engine: self.engine,
            name: port.name.clone(),
            expected: port.dtype,
            found: "another type".to_owned(),
        })
    }

    fn failed(&self, failure: &Failure) -> EngineError {
        EngineError::Run {
            engine: self.engine,
            reason: readable(&failure.0),
        }
    }

    fn late(&self) -> EngineError {
        EngineError::DeadlineExceeded {
            engine: self.engine,
        }
    }
}

impl Engine for OpenVinoEngine {
    fn kind(&self) -> EngineKind {
        self.engine
    }

    fn description(&self) -> &str {
        &self.description
    }

    fn runs_at_once(&self) -> NonZeroUsize {
        self.requests.size()
    }

    fn run(&self, inputs: &Tensors, deadline: Option<Instant>) -> Result<Tensors, EngineError> {
        let compute = |request: &mut Request| self.compute(request, inputs, deadline);
        let answer = self.requests.with(deadline, compute);
        answer.unwrap_or_else(|| Err(self.late()))
    }

    fn end_profiling(&self) -> Result<Profile, EngineError> {
        Recorder::end_of(self.engine, self.recorder.as_ref())
    }
}

/// The bytes of a model in memory, with its external weights embedded: OpenVINO reads external
/// weights only from files.
fn whole(model: &Model) -> Result<Bytes, Failure> {
    let failure = |error: &dyn std::fmt::Display| Failure(error.to_string());
    let bytes = model.bytes().map_err(|error| failure(&error))?;
    if model.weight_files().is_empty() {
        return Ok(bytes);
    }
    let mut weights = model.weights();
    let initializers = model.proto().graph.iter().flat_map(|it| &it.initializer);
    let mut embedded = Vec::new();
    for initializer in initializers {
        embedded.push(match ExternalData::of(initializer) {
            None => Initializer::Keep,
            Some(_) => Initializer::Replace(TensorProto {
                raw_data: weights.of(initializer).map_err(|error| failure(&error))?,
                external_data: Vec::new(),
                data_location: 0,
                ..initializer.clone()
            }),
        });
    }
    let mut embedded = embedded.into_iter();
    let choose = |_| embedded.next().unwrap_or(Initializer::Keep);
    let whole = replace_initializers(&bytes, choose).map_err(|error| failure(&error))?;
    match i32::try_from(whole.len()) {
        Ok(_) => Ok(whole.into()),
        Err(_) => Err(failure(&format!(
            "with its weights it has {} bytes, and OpenVINO reads no more than 2 GB from memory: unpack \
             it to a folder",
            whole.len()
        ))),
    }
}

/// The precision that a model was compiled for; an error if another was asked for.
fn precision(
    engine: EngineKind,
    compiled: &Compiled,
    asked: OpenVinoPrecision,
) -> Result<String, EngineError> {
    let found = compiled.property(settings::PRECISION);
    let found = found.map_err(|failure| EngineError::Start {
        engine,
        reason: readable(&failure.0),
    })?;
    match asked {
        OpenVinoPrecision::Auto => Ok(found),
        _ if found == asked.name() => Ok(found),
        _ => Err(EngineError::Option {
            engine,
            option: "openvino.precision",
            reason: format!(
                "this device computes in {found} where {asked} is asked for: expected {found}, f32 \
                 or auto"
            ),
        }),
    }
}

/// An error of OpenVINO without its source locations.
fn readable(message: &str) -> String {
    let lines = message.lines().map(str::trim);
    let says = |line: &&str| {
        let is_place = line.starts_with("Exception from ") || line.starts_with("Check '");
        !line.is_empty() && !is_place
    };
    let text: Vec<&str> = lines.filter(says).collect();
    match text.is_empty() {
        true => message.trim().to_owned(),
        false => text.join(" ").trim_end_matches('.').to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_read_without_the_places_in_openvinos_source() {
        let message = "Exception from src/inference/src/cpp/core.cpp:117:\n\
                       Check '!m_device_map.empty()' failed at src/plugins/plugin.cpp:559:\n\
                       [GPU] No supported devices found.\n\n\n";
        assert_eq!(readable(message), "[GPU] No supported devices found");
        assert_eq!(readable("GENERAL_ERROR"), "GENERAL_ERROR");
        let place = "Exception from src/core.cpp:1:";
        assert_eq!(readable(place), place, "better than nothing");
    }
}
