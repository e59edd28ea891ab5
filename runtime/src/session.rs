use std::fmt;
use std::path::Path;
use std::time::Instant;

use bytes::Bytes;
use ndarray::{ArrayD, IxDyn};
use nezha_graphs::{
    Artifact, Bindings, Config, Metadata, Port, Role, Signature, SignatureError, axes,
};

use crate::engine::{self, Residents, Skipped};
use crate::range;
use crate::{
    Engine, EngineChoice, EngineError, EngineOptions, Model, ModelError, Profile, SessionBuilder,
    Tensor, Tensors, UnknownEngine,
};

/// A model and the engine that computes it. Threads may share a session by reference.
pub struct Session {
    signature: Signature,
    metadata: Option<Metadata>,
    config: Option<Config>,
    engine: Box<dyn Engine>,
    skipped: Vec<Skipped>,
}

/// Why a session doesn't start or a run fails.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SessionError {
    /// The model can't be opened.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// No engine starts, or the engine fails.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The name belongs to no engine.
    #[error(transparent)]
    UnknownEngine(#[from] UnknownEngine),
    /// The inputs don't fit the signature.
    #[error(transparent)]
    Signature(#[from] SignatureError),
    /// An index of the inputs is out of range: it has no embedding, position or class.
    #[error("input '{name}' is {value} at {index:?}, expected 0 to {last}")]
    OutOfRange {
        /// The input's name.
        name: String,
        /// Its place in the input, by axis.
        index: Vec<usize>,
        /// The index.
        value: i64,
        /// The largest index that is allowed.
        last: usize,
    },
}

impl Session {
    /// Opens a model in the first engine of [`EngineChoice::Auto`] that starts, with default
    /// options. Use [`builder`](Self::builder) for others.
    ///
    /// # Errors
    /// Those of [`SessionBuilder::load`].
    pub fn load(path: impl AsRef<Path>) -> Result<Self, SessionError> {
        Self::builder().load(path)
    }

    /// Builds a session in another engine, or with other options.
    pub fn builder() -> SessionBuilder {
        SessionBuilder::default()
    }

    /// Opens a model in memory, in the first engine of [`EngineChoice::Auto`] that starts.
    /// `weights` are the files with its external weights, by their names; none if they are
    /// embedded.
    ///
    /// A static slice is not copied on the way to the engine; the guide, `docs/guide/embedding.md`,
    /// says what each engine copies. [`SessionBuilder::load_artifact`] takes options.
    ///
    /// # Errors
    /// Those of [`SessionBuilder::load_artifact`].
    pub fn from_bytes<N: Into<String>, B: Into<Bytes>>(
        model: impl Into<Bytes>,
        weights: impl IntoIterator<Item = (N, B)>,
    ) -> Result<Self, SessionError> {
        let weights = weights.into_iter();
        let weights = weights.map(|(name, bytes)| (name.into(), bytes.into()));
        let model = ("model.onnx".to_owned(), model.into());
        let parts = std::iter::once(model).chain(weights);
        let artifact = Artifact::from_parts(parts).map_err(ModelError::from)?;
        Self::builder().load_artifact(&artifact)
    }

    pub(crate) fn start(
        model: &Model,
        choice: &EngineChoice,
        options: &EngineOptions,
    ) -> Result<Self, SessionError> {
        let engine::Started { engine, skipped } = engine::start(model, choice, options)?;
        Ok(Self {
            skipped,
            ..Self::with_engine(model, engine)
        })
    }

    /// Runs a model in an engine of your own, which has loaded it.
    ///
    /// Inputs are completed and checked before they reach the engine, as for any other engine.
    /// `examples/own_engine.rs` shows one.
    pub fn with_engine(model: &Model, engine: Box<dyn Engine>) -> Self {
        Self {
            signature: model.signature().clone(),
            metadata: model.metadata().cloned(),
            config: model.config().cloned(),
            engine,
            skipped: Vec::new(),
        }
    }

    /// Names, dtypes and shapes of inputs and outputs.
    pub fn signature(&self) -> &Signature {
        &self.signature
    }

    /// What the exporter wrote about the model; `None` if another program exported it.
    pub fn metadata(&self) -> Option<&Metadata> {
        self.metadata.as_ref()
    }

    /// The checkpoint's config, from the metadata; `None` without metadata.
    pub fn config(&self) -> Option<&Config> {
        self.config.as_ref()
    }

    /// The engine that computes.
    pub fn engine(&self) -> &dyn Engine {
        self.engine.as_ref()
    }

    /// The engines that were tried before it, and why they don't start.
    pub fn skipped(&self) -> &[Skipped] {
        &self.skipped
    }

    /// Computes all outputs, in the graph's order.
    ///
    /// If the graph has them, a missing mask is filled with ones and missing `token_type_ids` with
    /// zeros. A decoder without any `past_key_values.…` starts with an empty cache. With a cache it
    /// needs no `encoder_hidden_states`, because their keys and values are cached. A `head_mask` of
    /// rank 1, with one number for each attention head, applies to every layer.
    ///
    /// # Errors
    /// [`SessionError::Signature`] if names, dtypes, ranks or sizes don't fit, or an axis is empty;
    /// [`SessionError::OutOfRange`] if a position or a label is out of range, or a token id or
    /// token type is outside its embedding table and the metadata tells the table's size;
    /// [`SessionError::Engine`].
    pub fn run(&self, inputs: impl Into<Tensors>) -> Result<Tensors, SessionError> {
        self.run_by(inputs.into(), None)
    }

    /// Like [`run`](Self::run), but stops at the deadline.
    ///
    /// The deadline is checked between the nodes of the graph, and while the run waits for one of
    /// the [`sessions`](crate::OrtOptions::sessions): the run ends at most one node late. Only
    /// tract doesn't check it while it makes a plan for a new shape, if
    /// [`plans`](crate::TractOptions::plans) asks for such plans.
    ///
    /// # Errors
    /// Those of [`run`](Self::run); [`EngineError::DeadlineExceeded`] if the outputs aren't
    /// complete at the deadline. The session still serves other runs.
    pub fn run_until(
        &self,
        inputs: impl Into<Tensors>,
        deadline: Instant,
    ) -> Result<Tensors, SessionError> {
        self.run_by(inputs.into(), Some(deadline))
    }

    pub(crate) fn run_by(
        &self,
        mut inputs: Tensors,
        deadline: Option<Instant>,
    ) -> Result<Tensors, SessionError> {
        self.complete(&mut inputs, &Residents::default());
        self.compute(&inputs, deadline)
    }

    /// Ends the profiling that [`EngineOptions::profile`] asked for, and returns what computed each
    /// node, and for how long.
    ///
    /// Waits for runs that have begun; later runs are not recorded.
    ///
    /// # Errors
    /// [`EngineError::NotProfiled`] without that option, or if profiling has ended before;
    /// [`EngineError::Profile`] if the file can't be written or read back.
    pub fn end_profiling(&self) -> Result<Profile, EngineError> {
        self.engine.end_profiling()
    }

    /// Computes all outputs from inputs that are [complete](Self::complete).
    pub(crate) fn compute(
        &self,
        inputs: &Tensors,
        deadline: Option<Instant>,
    ) -> Result<Tensors, SessionError> {
        self.check(inputs, &Residents::default())?;
        Ok(self.engine.run(inputs, deadline)?)
    }

    /// Like [`compute`](Self::compute), with inputs on the engine's device and outputs that stay
    /// there.
    #[cfg(feature = "decoder")]
    pub(crate) fn compute_keeping(
        &self,
        engine: &dyn engine::KeepOutputs,
        inputs: &Tensors,
        residents: &Residents,
        keep: &dyn Fn(&str) -> Option<String>,
    ) -> Result<(Tensors, Residents), SessionError> {
        self.check(inputs, residents)?;
        Ok(engine.run_keeping(inputs, residents, keep)?)
    }

    fn check(&self, inputs: &Tensors, residents: &Residents) -> Result<(), SessionError> {
        let inputs_here = inputs
            .iter()
            .map(|(name, it)| (name, it.dtype(), it.shape()));
        let there = residents
            .iter()
            .map(|(name, it)| (name, it.dtype(), it.shape()));
        let bindings = self.signature.bind(inputs_here.chain(there))?;
        range::check(&self.signature, self.config.as_ref(), inputs, &bindings)
    }

    /// Adds the inputs that may be omitted, if the given inputs determine their shape.
    pub(crate) fn complete(&self, inputs: &mut Tensors, residents: &Residents) {
        let is_resident = |port: &Port| residents.iter().any(|(name, _)| name == port.name);
        let is_given = |port: &Port| inputs.get(&port.name).is_some() || is_resident(port);
        let mut ports = self.signature.inputs.iter();
        let cached = ports.any(|port| port.role.is_past() && is_given(port));
        let axes = self.axes(inputs, residents, cached);
        for port in &self.signature.inputs {
            let value = match port.role {
                Role::AttentionMask | Role::SelfAttentionMask | Role::EncoderMask => 1,
                Role::TokenTypes => 0,
                Role::EncoderStates if cached => 0,
                Role::Past(_) if !cached => 0,
                Role::HeadMask => {
                    repeat_for_layers(inputs, port);
                    continue;
                }
                _ => continue,
            };
            let shape: Option<Vec<usize>> =
                port.shape.iter().map(|dim| dim.evaluate(&axes)).collect();
            let missing = inputs.get(&port.name).is_none() && !is_resident(port);
            if let Some(shape) = shape.filter(|_| missing)
                && let Some(tensor) =
                    Tensor::of_integers(port.dtype, ArrayD::from_elem(shape, value))
            {
                inputs.insert(port.name.as_str(), tensor);
            }
        }
    }

    /// The sizes of the symbolic axes, as far as the inputs determine them. Axes of inputs that
    /// this step doesn't need have size 0.
    fn axes(&self, inputs: &Tensors, residents: &Residents, cached: bool) -> Bindings {
        let given = |port: &Port| {
            let resident = || residents.iter().find(|(name, _)| *name == port.name);
            let shape = match inputs.get(&port.name) {
                Some(tensor) => tensor.shape(),
                None => resident()?.1.shape(),
            };
            Some((port.shape.clone(), shape))
        };
        let given = self.signature.inputs.iter().filter_map(given);
        let mut sizes: Bindings = given
            .flat_map(|(dims, sizes)| dims.into_iter().zip(sizes))
            .filter_map(|(dim, size)| Some((dim.as_symbol()?.to_owned(), *size)))
            .collect();
        let absent: &[&str] = match cached {
            true => &[axes::ENCODER],
            false => &[axes::PAST, axes::PAST_ENCODER],
        };
        for axis in absent {
            sizes.entry((*axis).to_owned()).or_insert(0);
        }
        sizes
    }
}

/// Repeats a head mask `[A]` for every layer, as `[L, A]`.
fn repeat_for_layers(inputs: &mut Tensors, port: &Port) {
    let shape: Option<Vec<usize>> = port.shape.iter().map(nezha_graphs::Dim::as_fixed).collect();
    let Ok(mask) = inputs.array::<f32>(&port.name) else {
        return;
    };
    if let (1, Some(shape)) = (mask.ndim(), shape)
        && let Some(repeated) = mask.broadcast(IxDyn(&shape))
    {
        let repeated: ArrayD<f32> = repeated.to_owned();
        inputs.insert(port.name.as_str(), repeated);
    }
}

/// Fails to compile if threads can't share sessions.
const _: () = {
    const fn shared<T: Send + Sync>() {}
    shared::<Session>();
};

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("engine", &self.engine.description())
            .field("signature", &self.signature)
            .field("metadata", &self.metadata)
            .finish_non_exhaustive()
    }
}
