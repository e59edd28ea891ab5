//! What every way to continue a sequence has in common.

use ndarray::ArrayView2;

use super::DecoderError;

/// A sequence that was generated.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Generated {
    /// The new tokens, the one that ended the sequence included.
    pub ids: Vec<u32>,
    /// The logarithm of their probability, given the prompt.
    pub log_probability: f64,
    /// Why there are no more.
    pub finish: Finish,
}

/// Why a sequence ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Finish {
    /// At one of the tokens that end a sequence.
    Eos,
    /// At [`GenerationOptions::max_new_tokens`](super::GenerationOptions::max_new_tokens).
    Length,
}

impl Finish {
    /// `eos` or `length`.
    pub fn name(self) -> &'static str {
        match self {
            Finish::Eos => "eos",
            Finish::Length => "length",
        }
    }
}

/// When a sequence ends.
#[derive(Clone)]
pub(super) struct End {
    pub(super) eos: Vec<u32>,
    pub(super) max_new_tokens: usize,
}

impl End {
    /// Whether new tokens are complete.
    pub(super) fn of(&self, ids: &[u32]) -> Option<Finish> {
        match ids.last() {
            Some(last) if self.eos.contains(last) => Some(Finish::Eos),
            _ if ids.len() >= self.max_new_tokens => Some(Finish::Length),
            _ => None,
        }
    }
}

/// How one prompt is continued; it has a row of the decoder for each sequence that it follows.
pub(super) trait Search {
    /// Takes the scores of the next token, [rows, vocabulary], the first of them row `first` of the
    /// decoder. Gives the sequences to go on with, as one of the rows and the token after it; none
    /// where the search has ended.
    fn advance(
        &mut self,
        logits: ArrayView2<f32>,
        first: usize,
    ) -> Result<Vec<(usize, u32)>, DecoderError>;

    /// What was found.
    fn finish(self: Box<Self>) -> Generated;
}
