//! A decoder in steps, each of which computes only the tokens that are new.
//!
//! The graph is one that was exported with the option `kv_cache`: it takes the keys and values of all tokens
//! before as `past_key_values.…` and gives them with the new ones as `present.…`. [`Decoder`] hands
//! the one on as the other; [`Decoder::generate`] chooses tokens and steps until a text ends.

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

/// A batch of sequences that grow together, and the cache of what is computed of them.
///
/// The cache lies where the engine computes: ONNX Runtime's stays on its device from one step to the
/// next (IO binding), tract's in host memory. It is not copied on the way. Only
/// [`select`](Self::select), which beam search needs, takes it through host memory.
///
/// ```no_run
/// use ndarray::array;
/// use nezha_runtime::{Decoder, EngineChoice, EngineOptions, Session};
///
/// let session = Session::load("model.onnx")?;
/// let mut decoder = Decoder::new(&session)?;
/// let logits = decoder.step(array![[101, 2769, 1599]])?; // of the token after 1599, [1, vocabulary]
/// let logits = decoder.step(array![[3614]])?; // of the token after 3614
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Decoder<'s> {
    session: &'s Session,
    /// The inputs that hold the cache, by the outputs that give it.
    past_of: BTreeMap<String, String>,
    encoder: Option<[Tensor; 2]>,
    /// What the next step takes besides its tokens: what is the same in every step, and the cache
    /// where it lies in host memory.
    inputs: Tensors,
    /// The cache where it lies on the engine's device.
    residents: Residents,
    /// 1 for a cached token, 0 for padding, [batch, past].
    past_mask: Array2<i64>,
}

impl<'s> Decoder<'s> {
    /// An empty cache for a graph that has one.
    ///
    /// # Errors
    /// [`DecoderError::NoCache`].
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

    /// What an encoder gave for each sequence, `[batch, encoder sequence, hidden size]`, and 1 for a
    /// token of it, 0 for padding, `[batch, encoder sequence]`.
    ///
    /// The first step projects it to keys and values, which are cached like the sequence's own.
    pub fn with_encoder(self, hidden_states: Array3<f32>, attention_mask: Array2<i64>) -> Self {
        Self {
            encoder: Some([hidden_states.into(), attention_mask.into()]),
            ..self
        }
    }

    /// What each attention head is multiplied by, `[layers, attention heads]`.
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

    /// Sets the input of this role to whole numbers of its element type, where the graph has it.
    fn give_numbers<D: Dimension>(&mut self, role: Role, numbers: Array<i64, D>) {
        let port = self.session.signature().input_of(role);
        let tensor = port.and_then(|it| Tensor::of_integers(it.dtype, numbers.into_dyn()));
        if let Some(tensor) = tensor {
            self.give(role, tensor);
        }
    }

    /// Appends tokens, `[batch, new]`, and gives the scores of the token after them,
    /// `[batch, vocabulary]`.
    ///
    /// # Errors
    /// As [`step_masked`](Self::step_masked).
    pub fn step(&mut self, ids: Array2<i64>) -> Result<Array2<f32>, DecoderError> {
        let mask = Array2::ones(ids.dim());
        self.step_masked(ids, mask)
    }

    /// Appends tokens, `[batch, new]`, some of them padding where `mask`, of the same shape, is 0.
    /// Gives the scores of the token after the last one of each sequence that is no padding,
    /// `[batch, vocabulary]`.
    ///
    /// Padding has a place of its own: a sequence that is padded on the right goes on behind its
    /// padding, farther from its tokens than without. Pad prompts on the left.
    ///
    /// # Errors
    /// [`DecoderError::NoToken`], [`DecoderError::NoLogits`], and those of [`run`](Self::run). The
    /// cache is then as before.
    pub fn step_masked(
        &mut self,
        ids: Array2<i64>,
        mask: Array2<i64>,
    ) -> Result<Array2<f32>, DecoderError> {
        let first_text = Array2::zeros(ids.dim());
        self.step_typed(ids, mask, first_text)
    }

    /// As [`step_masked`](Self::step_masked), tokens of the texts `token_types`, of the same shape.
    ///
    /// # Errors
    /// As [`step_masked`](Self::step_masked).
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
        // A graph with `mask_positions` has scored the last tokens alone.
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

    /// Appends tokens, `[batch, new]`, some of them padding where `mask`, of the same shape, is 0.
    ///
    /// Where the graph takes a mask for each pair of tokens, the tokens of a step see one another and all
    /// before them: a prompt in both directions, as in UniLM, and then token after token.
    ///
    /// Gives the graph's outputs for them, but for those that are cached.
    ///
    /// # Errors
    /// [`DecoderError::Batch`] where the batch is not that of the cache; [`DecoderError::NoToken`]
    /// in a graph with `mask_positions`, which reads the last tokens alone;
    /// [`DecoderError::Session`]. The cache is then as before.
    pub fn run(&mut self, ids: Array2<i64>, mask: Array2<i64>) -> Result<Tensors, DecoderError> {
        let first_text = Array2::zeros(ids.dim());
        self.run_typed(ids, mask, first_text)
    }

    /// As [`run`](Self::run), tokens of the texts `token_types`, of the same shape.
    ///
    /// # Errors
    /// As [`run`](Self::run).
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

    /// Computes, and takes the cache out of the outputs.
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

    /// Goes on with these of the sequences, in this order; one may be there more than once.
    ///
    /// # Errors
    /// [`DecoderError::Row`]; [`DecoderError::Session`] where the engine's device doesn't give the
    /// cache.
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

    /// What the first step takes besides its tokens.
    fn start(&mut self) {
        self.reset();
        if let Some([hidden_states, attention_mask]) = self.encoder.clone() {
            self.give(Role::EncoderStates, hidden_states);
            self.give(Role::EncoderMask, attention_mask);
        }
    }

    /// The mask of what is cached and what is new.
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

/// A mask [batch, keys] as one with a row for each of the queries, [batch, queries, keys].
fn spread(mask: &Array2<i64>, queries: usize) -> Array3<i64> {
    let (batch, keys) = mask.dim();
    Array3::from_shape_fn((batch, queries, keys), |(row, _, key)| mask[[row, key]])
}

/// For each output of the cache, the input that takes it in the next step.
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

/// The column of the last 1 of each row.
fn last_tokens(mask: ArrayView2<i64>) -> Result<Vec<usize>, DecoderError> {
    let rows = mask.outer_iter().enumerate();
    rows.map(|(row, mask)| {
        let last = mask.iter().rposition(|it| *it != 0);
        last.ok_or(DecoderError::NoToken { row })
    })
    .collect()
}
