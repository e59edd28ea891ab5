use std::fmt;
use std::path::Path;

use ndarray::Dimension;
use nezha_graphs::{Bindings, Config, DType, Metadata, Port, Signature, SignatureError};

use crate::engine::{self, Skipped};
use crate::tensor::Element;
use crate::{Engine, EngineChoice, EngineError, EngineOptions, Model, ModelError, Tensor, Tensors};

/// A model and the engine that computes it; threads may share one by reference.
pub struct Session {
    signature: Signature,
    metadata: Option<Metadata>,
    config: Option<Config>,
    engine: Box<dyn Engine>,
    skipped: Vec<Skipped>,
}

/// Why a session doesn't start or doesn't answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SessionError {
    /// The file is not a model that can be run.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// No engine starts, or the one that runs fails.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The inputs don't fit the signature.
    #[error(transparent)]
    Signature(#[from] SignatureError),
    /// An id that its embedding table has no row for.
    #[error("input '{name}' is {value} at {index:?}, expected 0 to {last}")]
    Id {
        /// The input.
        name: &'static str,
        /// Where.
        index: Vec<usize>,
        /// The id.
        value: i64,
        /// The largest id that has a row.
        last: usize,
    },
}

impl Session {
    /// Opens a model and starts the first engine of `choice` that can run it.
    ///
    /// # Errors
    /// [`SessionError::Model`]; [`SessionError::Engine`] where a named engine doesn't start, or
    /// none of several does.
    pub fn load(
        path: impl AsRef<Path>,
        choice: &EngineChoice,
        options: &EngineOptions,
    ) -> Result<Self, SessionError> {
        let model = Model::open(path)?;
        let engine::Started { engine, skipped } = engine::start(&model, choice, options)?;
        Ok(Self {
            signature: model.signature().clone(),
            metadata: model.metadata().cloned(),
            config: model.config().cloned(),
            engine,
            skipped,
        })
    }

    /// Names, dtypes and shapes of inputs and outputs.
    pub fn signature(&self) -> &Signature {
        &self.signature
    }

    /// What the exporter wrote about the model; `None` for a model of another exporter.
    pub fn metadata(&self) -> Option<&Metadata> {
        self.metadata.as_ref()
    }

    /// The checkpoint's config, from the metadata.
    pub fn config(&self) -> Option<&Config> {
        self.config.as_ref()
    }

    /// The engine that runs.
    pub fn engine(&self) -> &dyn Engine {
        self.engine.as_ref()
    }

    /// The engines that were tried before it, and why they don't run.
    pub fn skipped(&self) -> &[Skipped] {
        &self.skipped
    }

    /// Computes all outputs, in the graph's order.
    ///
    /// A missing `attention_mask` is all ones and a missing `token_type_ids` all zeros, where the
    /// graph has them.
    ///
    /// # Errors
    /// [`SessionError::Signature`] where names, dtypes, ranks or sizes don't fit or an axis is
    /// empty; [`SessionError::Id`] where a token id or a token type is outside its embedding table,
    /// if the metadata says how large that is; [`SessionError::Engine`].
    pub fn run(&self, inputs: impl Into<Tensors>) -> Result<Tensors, SessionError> {
        let mut inputs = inputs.into();
        self.fill(&mut inputs, "attention_mask", 1);
        self.fill(&mut inputs, "encoder_attention_mask", 1);
        self.fill(&mut inputs, "token_type_ids", 0);
        let described = inputs
            .iter()
            .map(|(name, it)| (name, it.dtype(), it.shape()));
        self.signature.bind(described)?;
        if let Some(config) = &self.config {
            check_ids(&inputs, "input_ids", config.vocab_size)?;
            check_ids(&inputs, "token_type_ids", config.type_vocab_size)?;
        }
        Ok(self.engine.run(&inputs)?)
    }

    /// Adds an input that is left out, if the inputs that are given decide its shape.
    fn fill(&self, inputs: &mut Tensors, name: &str, value: u8) {
        let port = self.signature.inputs.iter().find(|port| port.name == name);
        let Some(port) = port.filter(|_| inputs.get(name).is_none()) else {
            return;
        };
        let axes = self.axes(inputs);
        let shape: Option<Vec<usize>> = port.shape.iter().map(|dim| dim.evaluate(&axes)).collect();
        if let Some(tensor) = shape.and_then(|shape| constant(port.dtype, &shape, value)) {
            inputs.insert(name, tensor);
        }
    }

    /// The sizes of the named axes, as far as the inputs say.
    fn axes(&self, inputs: &Tensors) -> Bindings {
        let given = |port: &Port| Some((port.shape.clone(), inputs.get(&port.name)?.shape()));
        let given = self.signature.inputs.iter().filter_map(given);
        given
            .flat_map(|(dims, sizes)| dims.into_iter().zip(sizes))
            .filter_map(|(dim, size)| Some((dim.as_symbol()?.to_owned(), *size)))
            .collect()
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("engine", &self.engine.description())
            .field("signature", &self.signature)
            .field("metadata", &self.metadata)
            .finish_non_exhaustive()
    }
}

/// A tensor of one value over and over; `None` for a type that no mask has.
fn constant(dtype: DType, shape: &[usize], value: u8) -> Option<Tensor> {
    fn full<T: Element + From<u8>>(shape: &[usize], value: u8) -> Tensor {
        ndarray::ArrayD::from_elem(shape, T::from(value)).into()
    }
    match dtype {
        DType::I64 => Some(full::<i64>(shape, value)),
        DType::I32 => Some(full::<i32>(shape, value)),
        DType::F32 => Some(full::<f32>(shape, value)),
        DType::F16 | DType::U8 | DType::I8 | DType::Bool => None,
    }
}

/// Engines differ in what they do with an id that has no embedding, down to reading past the end.
fn check_ids(inputs: &Tensors, name: &'static str, rows: usize) -> Result<(), SessionError> {
    let Ok(ids) = inputs.array::<i64>(name) else {
        return Ok(());
    };
    let outside = |id: &i64| usize::try_from(*id).map_or(true, |id| id >= rows);
    match ids.indexed_iter().find(|(_, id)| outside(id)) {
        None => Ok(()),
        Some((index, id)) => Err(SessionError::Id {
            name,
            index: index.slice().to_vec(),
            value: *id,
            last: rows.saturating_sub(1),
        }),
    }
}
