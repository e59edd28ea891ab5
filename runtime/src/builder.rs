//! How models are loaded: in which engine, and with which options.

use std::convert::Infallible;
use std::num::NonZeroUsize;
use std::path::Path;

use nezha_graphs::Artifact;

use crate::{
    EngineChoice, EngineError, EngineKind, EngineOptions, Model, Session, SessionError,
    UnknownEngine,
};

/// Where a model is computed, as the caller asked. An invalid request is an error only when the
/// model is loaded.
#[derive(Clone, Debug)]
pub(crate) struct Start {
    choice: Result<EngineChoice, UnknownEngine>,
    options: EngineOptions,
    threads: Option<usize>,
}

impl Default for Start {
    fn default() -> Self {
        Self {
            choice: Ok(EngineChoice::Auto),
            options: EngineOptions::default(),
            threads: None,
        }
    }
}

impl Start {
    pub(crate) fn engine<E: Into<UnknownEngine>>(
        &mut self,
        engine: impl TryInto<EngineChoice, Error = E>,
    ) {
        self.choice = engine.try_into().map_err(Into::into);
    }

    pub(crate) fn options(&mut self, options: EngineOptions) {
        self.options = options;
    }

    pub(crate) fn threads(&mut self, threads: usize) {
        self.threads = Some(threads);
    }

    /// Starts the model in the first engine that can run it.
    pub(crate) fn session(self, model: &Model) -> Result<Session, SessionError> {
        let (choice, options) = self.resolved()?;
        Session::start(model, &choice, &options)
    }

    /// The engines to choose from, and the options to start them with.
    pub(crate) fn resolved(self) -> Result<(EngineChoice, EngineOptions), SessionError> {
        let choice = self.choice?;
        let mut options = self.options;
        if let Some(threads) = self.threads {
            let engine = choice.candidates().first();
            let engine = engine.copied().unwrap_or(EngineKind::OrtCpu);
            let none = || EngineError::Option {
                engine,
                option: "threads",
                reason: "expected at least 1, found 0".to_owned(),
            };
            options.threads = Some(NonZeroUsize::new(threads).ok_or_else(none)?);
        }
        Ok((choice, options))
    }
}

/// The builder methods that say where the model is computed, for a builder with a field `start`.
macro_rules! start_setters {
    () => {
        /// The engine: a name or a list that is tried in order (`"openvino,ort,tract"`), an
        /// [`EngineKind`](crate::EngineKind) or an [`EngineChoice`](crate::EngineChoice).
        ///
        /// An unknown name is an error when the model is loaded.
        pub fn engine<E: Into<$crate::UnknownEngine>>(
            mut self,
            engine: impl TryInto<$crate::EngineChoice, Error = E>,
        ) -> Self {
            self.start.engine(engine);
            self
        }

        /// Threads that share one run, at least 1; this replaces the threads of the [engine's
        /// options](Self::engine_options).
        pub fn threads(mut self, threads: usize) -> Self {
            self.start.threads(threads);
            self
        }

        /// The options that the engine is started with.
        pub fn engine_options(mut self, options: $crate::EngineOptions) -> Self {
            self.start.options(options);
            self
        }
    };
}

/// Builds a [`Session`]; [`Session::builder`] makes one.
///
/// ```no_run
/// use nezha_runtime::Session;
///
/// let session = Session::builder().engine("ort,tract").threads(2).load("model.onnx")?;
/// # Ok::<(), nezha_runtime::SessionError>(())
/// ```
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct SessionBuilder {
    start: Start,
}

impl SessionBuilder {
    start_setters!();

    /// Opens a model and starts the first engine that can run it.
    ///
    /// # Errors
    /// [`SessionError::UnknownEngine`]; [`SessionError::Model`]; [`SessionError::Engine`] if a
    /// named engine doesn't start, or none of several does.
    pub fn load(self, path: impl AsRef<Path>) -> Result<Session, SessionError> {
        self.start.session(&Model::open(path)?)
    }

    /// Like [`load`](Self::load), for the [graph](Model::from_artifact) of an artifact.
    ///
    /// # Errors
    /// Those of [`load`](Self::load).
    pub fn load_artifact(self, artifact: &Artifact) -> Result<Session, SessionError> {
        self.start.session(&Model::from_artifact(artifact)?)
    }
}

impl TryFrom<&str> for EngineChoice {
    type Error = UnknownEngine;

    fn try_from(text: &str) -> Result<Self, UnknownEngine> {
        text.parse()
    }
}

impl From<&EngineChoice> for EngineChoice {
    fn from(choice: &EngineChoice) -> Self {
        choice.clone()
    }
}

impl From<Infallible> for UnknownEngine {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}
