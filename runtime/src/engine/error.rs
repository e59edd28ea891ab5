use std::path::PathBuf;

use nezha_graphs::{DType, error_chain};

use super::EngineKind;
use crate::library::LibraryError;

/// Why an engine doesn't start or a run fails.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EngineError {
    /// The engine was left out when the program was built.
    #[error("{engine} is not in this build: build with the feature '{feature}'")]
    NotBuilt {
        /// The engine.
        engine: EngineKind,
        /// The feature of this crate that has it.
        feature: &'static str,
    },
    /// No library of the engine can be loaded.
    #[error("{engine} can't start")]
    Library {
        /// The engine.
        engine: EngineKind,
        /// What was tried.
        source: LibraryError,
    },
    /// The process has loaded another library of the engine; it can load only one.
    #[error(
        "{engine} can't start: this process has loaded the {product} {}; {} needs a process of \
         its own",
        loaded.display(), requested.display()
    )]
    OtherLibrary {
        /// The engine.
        engine: EngineKind,
        /// The libraries' product, such as `ONNX Runtime`.
        product: &'static str,
        /// The library that is loaded.
        loaded: PathBuf,
        /// The library that was asked for.
        requested: PathBuf,
    },
    /// The engine can't be initialized.
    #[error("{engine} can't start: {reason}")]
    Start {
        /// The engine.
        engine: EngineKind,
        /// The engine's message.
        reason: String,
    },
    /// ONNX Runtime can't start an execution provider: it was built without it, or a library is
    /// missing.
    #[error("{engine} can't start: {provider}: {reason}; {remedy}")]
    Provider {
        /// The engine.
        engine: EngineKind,
        /// The execution provider.
        provider: &'static str,
        /// ONNX Runtime's message.
        reason: String,
        /// What to do.
        remedy: &'static str,
    },
    /// The device isn't there.
    #[error("{engine} can't start: no {device} is here, only {found}; {remedy}")]
    Device {
        /// The engine.
        engine: EngineKind,
        /// The device.
        device: &'static str,
        /// The devices that are there.
        found: String,
        /// What to do.
        remedy: &'static str,
    },
    /// An option has a value that the engine can't take.
    #[error("{engine} can't start: option '{option}': {reason}")]
    Option {
        /// The engine.
        engine: EngineKind,
        /// The field of [`EngineOptions`](super::EngineOptions), such as `ort.device`.
        option: &'static str,
        /// What is wrong, and what is expected.
        reason: String,
    },
    /// The engine can't load the model.
    #[error("{engine} can't load {}: {reason}", path.display())]
    Load {
        /// The engine.
        engine: EngineKind,
        /// The model.
        path: PathBuf,
        /// The engine's message.
        reason: String,
    },
    /// The engine lacks an operator of the model, or is known to compute it wrongly.
    #[error(
        "{engine} can't load {}: node '{node}' is a {operator}, which this engine doesn't have or \
         computes wrongly; {remedy}",
        path.display()
    )]
    Operator {
        /// The engine.
        engine: EngineKind,
        /// The model.
        path: PathBuf,
        /// The operator.
        operator: String,
        /// The first node of this operator.
        node: String,
        /// What to do.
        remedy: &'static str,
    },
    /// None of the chosen engines starts.
    #[error("no engine starts:{}", lines(.0))]
    NoneStarts(
        /// What was tried, in order.
        Vec<Skipped>,
    ),
    /// A run failed.
    #[error("{engine} failed: {reason}")]
    Run {
        /// The engine.
        engine: EngineKind,
        /// The engine's message.
        reason: String,
    },
    /// A run was stopped because it reached its deadline.
    #[error("{engine} did not answer before the deadline")]
    DeadlineExceeded {
        /// The engine.
        engine: EngineKind,
    },
    /// No profile is being recorded.
    #[error(
        "{engine} is not recording a profile: set the option 'profile' when the engine is started, \
         and end the profile only once"
    )]
    NotProfiled {
        /// The engine.
        engine: EngineKind,
    },
    /// A profile can't be written or read back.
    #[error("{engine} has no profile that can be read: {}: {reason}", path.display())]
    Profile {
        /// The engine.
        engine: EngineKind,
        /// The profile.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// An output is missing, or has another element type than the signature says.
    #[error("{engine} gives output '{name}' as {found}, expected {expected}")]
    Output {
        /// The engine.
        engine: EngineKind,
        /// The output.
        name: String,
        /// The element type in the signature.
        expected: DType,
        /// What the engine returns.
        found: String,
    },
}

/// An engine that was tried before the one that runs.
#[derive(Debug)]
pub struct Skipped {
    /// The engine.
    pub engine: EngineKind,
    /// Why it doesn't run; the message names the engine.
    pub error: EngineError,
}

fn lines(skipped: &[Skipped]) -> String {
    skipped
        .iter()
        .map(|it| format!("\n  {}", error_chain(&it.error)))
        .collect()
}
