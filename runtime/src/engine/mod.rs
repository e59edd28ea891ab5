//! What computes a graph: one trait, one file or folder per engine, and the choice between them.

mod choice;
mod error;
mod kind;
#[cfg(feature = "openvino")]
mod openvino;
mod openvino_options;
mod options;
#[cfg(feature = "ort")]
mod ort;
#[cfg(any(feature = "openvino", feature = "ort"))]
#[cfg_attr(
    not(feature = "ort"),
    allow(dead_code, reason = "only ONNX Runtime collects all of a pool")
)]
mod pool;
mod profile;
#[cfg(feature = "tract")]
mod recent;
#[cfg(any(feature = "openvino", feature = "tract"))]
mod recorder;
mod resident;
mod table;
mod trace;
#[cfg(feature = "tract")]
mod tract;
mod way;

use std::num::NonZeroUsize;
use std::time::Instant;

pub use choice::EngineChoice;
pub use error::{EngineError, Skipped};
pub use kind::{Capabilities, EngineKind, EngineSpec, Family, Tolerances, UnknownEngine};
pub use openvino_options::{
    OpenVinoHint, OpenVinoOptions, OpenVinoPrecision, UnknownOpenVinoPrecision,
};
pub use options::{
    AxisRange, EngineOptions, Optimization, OrtOptions, TensorRtOptions, TractOptions,
};
pub use profile::{NodeProfile, Profile};
pub use resident::{KeepOutputs, Resident, Residents};
pub use way::{UnknownWay, Way};

#[cfg(feature = "ort")]
pub(crate) use self::kind::OrtDevice;
pub(crate) use self::kind::Place;
#[cfg(feature = "openvino")]
pub(crate) use self::openvino::devices as openvino_devices;
#[cfg(feature = "ort")]
pub(crate) use self::ort::execution_providers;
#[cfg(feature = "tract")]
pub(crate) use self::tract::VERSION as TRACT_VERSION;
use crate::{Model, Tensors};

/// A model that is ready to compute.
///
/// [`Session::load`](crate::Session::load) starts the engines of this crate;
/// [`Session::with_engine`](crate::Session::with_engine) takes one of your own.
pub trait Engine: Send + Sync {
    /// Which engine it is.
    fn kind(&self) -> EngineKind;

    /// What computes, to be shown to people: `ONNX Runtime 1.31.1 (CPU)`.
    fn description(&self) -> &str;

    /// Computes all outputs, in the graph's order, from exactly the graph's inputs.
    ///
    /// Threads may share an engine. The inputs must fit the graph's signature, which
    /// [`Session`](crate::Session) checks. The deadline is checked between nodes, so a run ends at
    /// most one node late.
    ///
    /// # Errors
    /// [`EngineError::Run`]; [`EngineError::DeadlineExceeded`]; [`EngineError::Output`] if an
    /// output doesn't fit the signature.
    fn run(&self, inputs: &Tensors, deadline: Option<Instant>) -> Result<Tensors, EngineError>;

    /// How many runs it computes at the same time; further callers wait.
    fn runs_at_once(&self) -> NonZeroUsize {
        NonZeroUsize::MIN
    }

    /// The same engine, if it can keep outputs on its device, as ONNX Runtime does by IO binding.
    fn keeping(&self) -> Option<&dyn KeepOutputs> {
        None
    }

    /// Ends profiling and reads the profile back.
    ///
    /// # Errors
    /// [`EngineError::NotProfiled`], [`EngineError::Profile`].
    fn end_profiling(&self) -> Result<Profile, EngineError> {
        Err(EngineError::NotProfiled {
            engine: self.kind(),
        })
    }
}

/// The engine that runs, and those that were tried before it and didn't start.
pub(crate) struct Started {
    pub(crate) engine: Box<dyn Engine>,
    pub(crate) skipped: Vec<Skipped>,
}

/// Starts the first engine of `choice` that can run `model`.
///
/// Only a list or `auto` goes on to the next engine; the error of a single engine is returned.
pub(crate) fn start(
    model: &Model,
    choice: &EngineChoice,
    options: &EngineOptions,
) -> Result<Started, EngineError> {
    options.check(choice.candidates())?;
    let mut skipped = Vec::new();
    for engine in choice.candidates().iter().copied() {
        match start_one(model, engine, options) {
            Ok(engine) => return Ok(Started { engine, skipped }),
            Err(error) if matches!(choice, EngineChoice::Only(_)) => return Err(error),
            Err(error) => skipped.push(Skipped { engine, error }),
        }
    }
    Err(EngineError::NoneStarts(skipped))
}

fn start_one(
    model: &Model,
    engine: EngineKind,
    options: &EngineOptions,
) -> Result<Box<dyn Engine>, EngineError> {
    match engine.spec().place {
        #[cfg(feature = "ort")]
        Place::Ort(device) => Ok(Box::new(ort::OrtEngine::load(model, device, options)?)),
        #[cfg(not(feature = "ort"))]
        Place::Ort(_) => not_built(engine, "ort"),
        #[cfg(feature = "openvino")]
        Place::OpenVino(device) => {
            let engine = openvino::OpenVinoEngine::load(model, device, options)?;
            Ok(Box::new(engine))
        }
        #[cfg(not(feature = "openvino"))]
        Place::OpenVino(_) => not_built(engine, "openvino"),
        #[cfg(feature = "tract")]
        Place::Tract => Ok(Box::new(tract::TractEngine::load(model, options)?)),
        #[cfg(not(feature = "tract"))]
        Place::Tract => not_built(engine, "tract"),
        Place::Custom => Err(EngineError::Start {
            engine,
            reason: "it is not an engine of this crate; expected one of those, or the engine \
                     itself in `Session::with_engine`"
                .to_owned(),
        }),
    }
}

#[cfg(not(all(feature = "openvino", feature = "ort", feature = "tract")))]
fn not_built(engine: EngineKind, feature: &'static str) -> Result<Box<dyn Engine>, EngineError> {
    Err(EngineError::NotBuilt { engine, feature })
}
