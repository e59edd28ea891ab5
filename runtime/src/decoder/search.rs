//! What all strategies to continue a sequence have in common.

use ndarray::ArrayView2;

use super::DecoderError;

/// A generated sequence.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Generated {
    /// The new tokens, including the one that ended the sequence.
    pub ids: Vec<u32>,
    /// The logarithm of their probability, given the prompt.
    pub log_probability: f64,
    /// Why the sequence ended.
    pub finish: Finish,
}

/// Why a sequence ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Finish {
    /// At one of the [`eos`](super::GenerationOptions::eos) tokens.
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
    /// Why new tokens are complete; `None` if they are not.
    pub(super) fn of(&self, ids: &[u32]) -> Option<Finish> {
        match ids.last() {
            Some(last) if self.eos.contains(last) => Some(Finish::Eos),
            _ if ids.len() >= self.max_new_tokens => Some(Finish::Length),
            _ => None,
        }
    }
}

/// How one prompt is continued; the decoder has a row for each sequence that the search follows.
pub(super) trait Search {
    /// Takes the logits of the next token, `[rows, vocabulary]`; their first row is row `first` of
    /// the decoder. Returns the sequences to go on with, each as a row and the token that follows
    /// it; none if the search has ended.
    fn advance(
        &mut self,
        logits: ArrayView2<f32>,
        first: usize,
    ) -> Result<Vec<(usize, u32)>, DecoderError>;

    /// The sequence that was found.
    fn finish(self: Box<Self>) -> Generated;
}
