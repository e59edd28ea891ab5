//! Runs a decoder in steps, each of which computes only the new tokens.
//!
//! The graph must be exported with the option `kv_cache`. It takes the keys and values of all
//! earlier tokens as `past_key_values.…`, and returns them together with the new ones as
//! `present.…`. [`Decoder`] passes the outputs of one step to the next; [`Decoder::generate`] also
//! chooses tokens, and steps until every text ends.

mod beam;
mod error;
mod generation;
mod prompt;
mod sampling;
mod search;
#[cfg(feature = "pipelines")]
mod text;

use std::collections::BTreeMap;

use ndarray::{Array, Array2, Array3, ArrayView2, Axis, Dimension, Ix2, Ix3, concatenate};
use nezha_graphs::{Role, Signature, axes};

pub use error::DecoderError;
pub use generation::{GenerationOptions, Strategy};
pub use prompt::Prompt;
pub use sampling::Sampling;
pub use search::{Finish, Generated};
#[cfg(feature = "pipelines")]
pub use text::{GeneratedText, TextGeneration, TextGenerationBuilder};

use crate::engine::Residents;
use crate::{Session, SessionError, Tensor, Tensors};

/// A batch of sequences that grow together, and the cache of their keys and values.
///
/// The cache stays where the engine computes: with ONNX Runtime on its device from one step to the
/// next (IO binding), otherwise in host memory. It isn't copied between steps. Only
/// [`select`](Self::select), which beam search needs, copies it through host memory.
///
/// ```no_run
/// use ndarray::array;
/// use nezha_runtime::{Decoder, EngineChoice, EngineOptions, Session};
///
/// let session = Session::load("model.onnx")?;
/// let mut decoder = Decoder::new(&session)?;
/// let logits = decoder.step(array![[101, 2769, 1599]])?; // of what follows 1599, [1, vocabulary]
/// let logits = decoder.step(array![[3614]])?; // of what follows 3614
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Decoder<'s> {
    session: &'s Session,
    /// The inputs that take the cache, by the outputs that return it.
    past_of: BTreeMap<String, String>,
    encoder: Option<[Tensor; 2]>,
    /// The inputs of the next step besides its tokens: those that are the same in every step, and
    /// the cache if it lies in host memory.
    inputs: Tensors,
    /// The cache if it lies on the engine's device.
    residents: Residents,
    /// 1 for a cached token, 0 for padding, `[batch, past]`.
    past_mask: Array2<i64>,
}

impl<'s> Decoder<'s> {
    /// Creates an empty cache for a graph that was exported with one.
    ///
    /// # Errors
    /// [`DecoderError::NoCache`] if the graph has none.
    pub fn new(session: &'s Session) -> Result<Self, DecoderError> {
        let past_of = past_of(session.signature());
        if past_of.is_empty() {
            return Err(DecoderError::NoCache);
        }
        Ok(Self {
            session,
            past_of,
            encoder: None,
            inputs: Tensors::default(),
            residents: Residents::default(),
            past_mask: Array2::default((0, 0)),
        })
    }

    /// Sets the encoder's hidden states, `[batch, encoder sequence, hidden size]`, and their mask,
    /// `[batch, encoder sequence]`: 1 for a token, 0 for padding.
    ///
    /// The first step projects the hidden states to keys and values, which are cached like those of
    /// the sequence itself.
    pub fn with_encoder(self, hidden_states: Array3<f32>, attention_mask: Array2<i64>) -> Self {
        Self {
            encoder: Some([hidden_states.into(), attention_mask.into()]),
            ..self
        }
    }

    /// Sets the factor that each attention head is multiplied by, `[layers, attention heads]`.
    pub fn with_head_mask(mut self, head_mask: Array2<f32>) -> Self {
        self.give(Role::HeadMask, head_mask);
        self
    }

    /// How many tokens of each sequence are cached, padding included.
    pub fn len(&self) -> usize {
        self.past_mask.ncols()
    }

    /// Whether nothing is cached.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Empties the cache.
    pub fn reset(&mut self) {
        self.forget_host_cache();
        self.residents = Residents::default();
        self.past_mask = Array2::default((0, 0));
    }

    fn forget_host_cache(&mut self) {
        for past in self.past_of.values() {
            self.inputs.remove(past);
        }
    }

    /// Sets the input of this role.
    fn give(&mut self, role: Role, tensor: impl Into<Tensor>) {
        let name = self.session.signature().input_name(role);
        self.inputs.insert(name.as_ref(), tensor);
    }

    /// Sets the input of this role, if the graph has it, to integers of the input's element type.
    fn give_numbers<D: Dimension>(&mut self, role: Role, numbers: Array<i64, D>) {
        let port = self.session.signature().input_of(role);
        let tensor = port.and_then(|it| Tensor::of_integers(it.dtype, numbers.into_dyn()));
        if let Some(tensor) = tensor {
            self.give(role, tensor);
        }
    }

    /// Appends tokens, `[batch, new]`, and returns the logits of the token after them, `[batch,
    /// vocabulary]`.
    ///
    /// # Errors
    /// Those of [`step_masked`](Self::step_masked).
    pub fn step(&mut self, ids: Array2<i64>) -> Result<Array2<f32>, DecoderError> {
        let mask = Array2::ones(ids.dim());
        self.step_masked(ids, mask)
    }

    /// Appends tokens, `[batch, new]`; `mask`, of the same shape, is 1 for a token and 0 for
    /// padding. Returns the logits of the token after the last real token of each sequence,
    /// `[batch, vocabulary]`.
    ///
    /// Padding takes up positions: a sequence that is padded on the right continues behind its
    /// padding, farther from its tokens than without it. Pad prompts on the left.
    ///
    /// # Errors
    /// [`DecoderError::NoToken`], [`DecoderError::NoLogits`], and those of [`run`](Self::run). The
    /// cache then stays as it was.
    pub fn step_masked(
        &mut self,
        ids: Array2<i64>,
        mask: Array2<i64>,
    ) -> Result<Array2<f32>, DecoderError> {
        let first_text = Array2::zeros(ids.dim());
        self.step_typed(ids, mask, first_text)
    }

    /// Like [`step_masked`](Self::step_masked), with `token_types`, of the same shape as `ids`.
    ///
    /// # Errors
    /// Those of [`step_masked`](Self::step_masked).
    pub fn step_typed(
        &mut self,
        ids: Array2<i64>,
        mask: Array2<i64>,
        token_types: Array2<i64>,
    ) -> Result<Array2<f32>, DecoderError> {
        let logits = self.session.signature().output_of(Role::Logits);
        let logits = logits.ok_or(DecoderError::NoLogits)?.name.as_str();
        let last = last_tokens(mask.view())?;
        let mut outputs = self.run_typed(ids, mask, token_types)?;
        let logits = outputs.remove(logits).ok_or(DecoderError::NoLogits)?;
        let logits = logits.array::<f32>().map_err(|_| DecoderError::NoLogits)?;
        // A graph with `mask_positions` has scored only the last tokens.
        if let Ok(of_last) = logits.view().into_dimensionality::<Ix2>() {
            return Ok(of_last.to_owned());
        }
        let logits = logits.view().into_dimensionality::<Ix3>();
        let logits = logits.map_err(|_| DecoderError::NoLogits)?;
        let mut of_last = Array2::zeros((logits.dim().0, logits.dim().2));
        for ((mut row, all), last) in of_last.outer_iter_mut().zip(logits.outer_iter()).zip(last) {
            row.assign(&all.index_axis(Axis(0), last));
        }
        Ok(of_last)
    }

    /// Appends tokens, `[batch, new]`; `mask`, of the same shape, is 1 for a token and 0 for
    /// padding. Returns the graph's outputs for them, except those that are cached.
    ///
    /// If the graph takes a mask for each pair of tokens, the tokens of one step see one another
    /// and all earlier tokens. A first step can then read a prompt in both directions, as UniLM
    /// does, before single tokens follow.
    ///
    /// # Errors
    /// [`DecoderError::Batch`] if the batch size differs from that of the cache;
    /// [`DecoderError::NoToken`] in a graph with `mask_positions`, which reads only the last
    /// tokens; [`DecoderError::Session`]. The cache then stays as it was.
    pub fn run(&mut self, ids: Array2<i64>, mask: Array2<i64>) -> Result<Tensors, DecoderError> {
        let first_text = Array2::zeros(ids.dim());
        self.run_typed(ids, mask, first_text)
    }

    /// Like [`run`](Self::run), with `token_types`, of the same shape as `ids`.
    ///
    /// # Errors
    /// Those of [`run`](Self::run).
    pub fn run_typed(
        &mut self,
        ids: Array2<i64>,
        mask: Array2<i64>,
        token_types: Array2<i64>,
    ) -> Result<Tensors, DecoderError> {
        let attention_mask = self.attention_mask(mask.view())?;
        if self.is_empty() {
            self.start();
        }
        if self
            .session
            .signature()
            .input_of(Role::MaskPositions)
            .is_some()
        {
            let last = last_tokens(mask.view())?;
            let positions = Array2::from_shape_fn((last.len(), 2), |(row, axis)| match axis {
                0 => row as i64,
                _ => last[row] as i64,
            });
            self.give_numbers(Role::MaskPositions, positions);
        }
        self.give_numbers(Role::TokenTypes, token_types);
        let queries = ids.ncols();
        self.give_numbers(Role::TokenIds, ids);
        self.give_numbers(Role::AttentionMask, attention_mask.clone());
        self.give_numbers(Role::SelfAttentionMask, spread(&attention_mask, queries));
        self.session.complete(&mut self.inputs, &self.residents);
        let outputs = self.compute()?;
        self.past_mask = attention_mask;
        let states = self.session.signature().input_name(Role::EncoderStates);
        self.inputs.remove(&states);
        Ok(outputs)
    }

    /// Computes a step, and takes the cache out of the outputs.
    fn compute(&mut self) -> Result<Tensors, DecoderError> {
        let past = |name: &str| self.past_of.get(name).cloned();
        let session = self.session;
        if let Some(engine) = session.engine().keeping() {
            let (outputs, residents) =
                session.compute_keeping(engine, &self.inputs, &self.residents, &past)?;
            self.forget_host_cache();
            self.residents = residents;
            return Ok(outputs);
        }
        let mut rest = Tensors::default();
        for (name, tensor) in session.compute(&self.inputs, None)? {
            match past(&name) {
                Some(name) => self.inputs.insert(name, tensor),
                None => rest.insert(name, tensor),
            }
        }
        Ok(rest)
    }

    /// Goes on with these rows of the batch, in this order; a row may be given more than once.
    ///
    /// # Errors
    /// [`DecoderError::Row`] if there is no such row; [`DecoderError::Session`] if the cache can't
    /// be read from the engine's device.
    pub fn select(&mut self, rows: &[usize]) -> Result<(), DecoderError> {
        let batch = self.past_mask.nrows();
        if let Some(row) = rows.iter().copied().find(|row| *row >= batch) {
            return Err(DecoderError::Row { row, batch });
        }
        if rows.iter().copied().eq(0..batch) {
            return Ok(());
        }
        for (name, tensor) in self.residents.iter() {
            let tensor = tensor.to_host().map_err(SessionError::from)?;
            self.inputs.insert(name, tensor);
        }
        self.residents = Residents::default();
        for port in &self.session.signature().inputs {
            let of_batch = port.shape.first().and_then(|dim| dim.as_symbol()) == Some(axes::BATCH);
            if let Some(tensor) = self.inputs.get(&port.name).filter(|_| of_batch) {
                let selected = tensor.select(rows);
                self.inputs.insert(port.name.as_str(), selected);
            }
        }
        self.past_mask = self.past_mask.select(Axis(0), rows);
        Ok(())
    }

    /// Prepares the inputs that the first step takes besides its tokens.
    fn start(&mut self) {
        self.reset();
        if let Some([hidden_states, attention_mask]) = self.encoder.clone() {
            self.give(Role::EncoderStates, hidden_states);
            self.give(Role::EncoderMask, attention_mask);
        }
    }

    /// The mask of the cached and the new tokens, `[batch, past + new]`.
    fn attention_mask(&self, new: ArrayView2<i64>) -> Result<Array2<i64>, DecoderError> {
        if self.is_empty() {
            return Ok(new.to_owned());
        }
        concatenate(Axis(1), &[self.past_mask.view(), new]).map_err(|_| DecoderError::Batch {
            expected: self.past_mask.nrows(),
            found: new.nrows(),
        })
    }
}

/// Repeats a mask `[batch, keys]` for each query: `[batch, queries, keys]`.
fn spread(mask: &Array2<i64>, queries: usize) -> Array3<i64> {
    let (batch, keys) = mask.dim();
    Array3::from_shape_fn((batch, queries, keys), |(row, _, key)| mask[[row, key]])
}

/// The input that takes each output of the cache in the next step.
fn past_of(signature: &Signature) -> BTreeMap<String, String> {
    let presents = signature.outputs.iter();
    let pairs = presents.filter_map(|present| match present.role {
        Role::Present(cached) => {
            let past = signature.input_of(Role::Past(cached))?;
            Some((present.name.clone(), past.name.clone()))
        }
        _ => None,
    });
    pairs.collect()
}

/// The column of the last 1 in each row.
fn last_tokens(mask: ArrayView2<i64>) -> Result<Vec<usize>, DecoderError> {
    let rows = mask.outer_iter().enumerate();
    rows.map(|(row, mask)| {
        let last = mask.iter().rposition(|it| *it != 0);
        last.ok_or(DecoderError::NoToken { row })
    })
    .collect()
}
