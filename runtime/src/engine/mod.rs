//! What computes a graph: one trait, one file per engine, and the choice between them.

mod choice;
mod error;
mod options;
#[cfg(feature = "ort")]
mod ort;
#[cfg(feature = "ort")]
mod pool;
mod profile;
#[cfg(feature = "tract")]
mod recent;
#[cfg(feature = "tract")]
mod recorder;
mod resident;
mod trace;
#[cfg(feature = "tract")]
mod tract;

use std::time::Instant;

pub use choice::{EngineChoice, EngineKind, UnknownEngine};
pub use error::{EngineError, Skipped};
pub use options::{AxisRange, EngineOptions, Optimization, TensorRtOptions};
pub use profile::{NodeProfile, Profile};
pub use resident::{KeepOutputs, Resident, Residents};

#[cfg(feature = "ort")]
pub(crate) use self::ort::execution_providers;
#[cfg(feature = "tract")]
pub(crate) use self::tract::VERSION as TRACT_VERSION;
use crate::{Model, Tensors};

/// A model, ready to compute.
pub trait Engine: Send + Sync {
    /// Which engine it is.
    fn kind(&self) -> EngineKind;

    /// What computes, for people: `ONNX Runtime 1.31.1 (CPU)`.
    fn description(&self) -> &str;

    /// Computes all outputs, in the graph's order, from exactly the graph's inputs.
    ///
    /// Threads may share an engine. Inputs are taken to fit the graph's signature:
    /// [`Session`](crate::Session) checks them. The deadline is looked at between nodes, so a run
    /// ends at most one node late.
    ///
    /// # Errors
    /// [`EngineError::Run`]; [`EngineError::DeadlineExceeded`]; [`EngineError::Output`] where the
    /// engine gives what the signature doesn't say.
    fn run(&self, inputs: &Tensors, deadline: Option<Instant>) -> Result<Tensors, EngineError>;

    /// The same engine, if it can leave outputs on its device: ONNX Runtime by IO binding.
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

/// The engine that runs, and those that were tried before it.
pub(crate) struct Started {
    pub(crate) engine: Box<dyn Engine>,
    pub(crate) skipped: Vec<Skipped>,
}

/// Starts the first engine of `choice` that can run `model`.
///
/// Only a list or `auto` goes on to the next engine; a single one's error is the answer.
pub(crate) fn start(
    model: &Model,
    choice: &EngineChoice,
    options: &EngineOptions,
) -> Result<Started, EngineError> {
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
    kind: EngineKind,
    options: &EngineOptions,
) -> Result<Box<dyn Engine>, EngineError> {
    match kind {
        #[cfg(feature = "tract")]
        EngineKind::Tract => Ok(Box::new(tract::TractEngine::load(model, options)?)),
        #[cfg(not(feature = "tract"))]
        EngineKind::Tract => not_built(kind, "tract"),
        #[cfg(feature = "ort")]
        _ => Ok(Box::new(ort::OrtEngine::load(model, kind, options)?)),
        #[cfg(not(feature = "ort"))]
        _ => not_built(kind, "ort"),
    }
}

#[cfg(not(all(feature = "ort", feature = "tract")))]
fn not_built(engine: EngineKind, feature: &'static str) -> Result<Box<dyn Engine>, EngineError> {
    Err(EngineError::NotBuilt { engine, feature })
}
