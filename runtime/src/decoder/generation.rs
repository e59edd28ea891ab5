//! Generates token after token, until each sequence ends.

use ndarray::{Array2, ArrayView2, Axis, Slice};
use nezha_graphs::setters;

use super::beam::Beams;
use super::prompt::{Padded, Prompt};
use super::sampling::{Sampler, Sampling, best, log_probabilities};
use super::search::{End, Finish, Generated, Search};
use super::{Decoder, DecoderError};

/// How sequences are continued.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct GenerationOptions {
    /// The most tokens that a sequence is continued by, at least 1.
    pub max_new_tokens: usize,
    /// The tokens that end a sequence. If `None`, text generation stops at the tokenizer's
    /// separator, and generation from token ids stops at no token.
    pub eos: Option<Vec<u32>>,
    /// How tokens are chosen.
    pub strategy: Strategy,
}

impl GenerationOptions {
    setters! {
        max_new_tokens: usize,
        eos: impl Into<Option<Vec<u32>>>,
        strategy: Strategy,
    }
}

impl Default for GenerationOptions {
    /// 20 tokens, greedily.
    fn default() -> Self {
        Self {
            max_new_tokens: 20,
            eos: None,
            strategy: Strategy::Greedy,
        }
    }
}

/// How tokens are chosen.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Strategy {
    /// The most probable token each time.
    Greedy,
    /// A token drawn at random.
    Sample(Sampling),
    /// Beam search: after each token, the `width` best sequences go on.
    ///
    /// As in transformers, sequences are compared by the logarithm of their probability, divided by
    /// (number of new tokens)^`length_penalty`. The search ends when `width` sequences have ended
    /// and none that goes on is better at its present length.
    Beam {
        /// Sequences that are kept, at least 1.
        width: usize,
        /// Above 0 favors long sequences, below 0 short ones; 1 in transformers.
        length_penalty: f64,
    },
}

/// Follows one sequence.
struct Single {
    end: End,
    sampler: Option<Sampler>,
    found: Generated,
}

impl Search for Single {
    fn advance(
        &mut self,
        logits: ArrayView2<f32>,
        first: usize,
    ) -> Result<Vec<(usize, u32)>, DecoderError> {
        let log_probabilities = log_probabilities(logits.index_axis(Axis(0), 0), first)?;
        let token = match &mut self.sampler {
            Some(sampler) => sampler.draw(&log_probabilities),
            None => best(&log_probabilities),
        };
        self.found.log_probability += log_probabilities.get(token).copied().unwrap_or(0.0);
        self.found.ids.push(token as u32);
        match self.end.of(&self.found.ids) {
            None => Ok(vec![(0, token as u32)]),
            Some(finish) => {
                self.found.finish = finish;
                Ok(Vec::new())
            }
        }
    }

    fn finish(self: Box<Self>) -> Generated {
        self.found
    }
}

impl GenerationOptions {
    /// # Errors
    /// [`DecoderError::Option`] for the first option that is out of range.
    fn check(&self) -> Result<(), DecoderError> {
        let at_least_1 = |option, found: usize| match found {
            0 => Err(wrong(option, "at least 1", found)),
            _ => Ok(()),
        };
        at_least_1("max_new_tokens", self.max_new_tokens)?;
        match &self.strategy {
            Strategy::Greedy => Ok(()),
            Strategy::Sample(sampling) => {
                let Sampling {
                    top_k,
                    top_p,
                    temperature,
                    ..
                } = *sampling;
                at_least_1("top_k", top_k.unwrap_or(1))?;
                if let Some(p) = top_p.filter(|p| !(*p > 0.0 && *p <= 1.0)) {
                    return Err(wrong("top_p", "above 0 and at most 1", p));
                }
                match temperature > 0.0 && temperature.is_finite() {
                    true => Ok(()),
                    false => Err(wrong("temperature", "above 0", temperature)),
                }
            }
            Strategy::Beam {
                width,
                length_penalty,
            } => {
                at_least_1("width", *width)?;
                match length_penalty.is_finite() {
                    true => Ok(()),
                    false => Err(wrong("length_penalty", "a finite number", *length_penalty)),
                }
            }
        }
    }

    /// The search for the prompt of this index.
    fn search(&self, sequence: usize) -> Box<dyn Search> {
        let end = End {
            eos: self.eos.clone().unwrap_or_default(),
            max_new_tokens: self.max_new_tokens,
        };
        let single = |end, sampler| Single {
            end,
            sampler,
            found: Generated {
                ids: Vec::new(),
                log_probability: 0.0,
                finish: Finish::Length,
            },
        };
        match &self.strategy {
            Strategy::Greedy => Box::new(single(end, None)),
            Strategy::Sample(sampling) => {
                Box::new(single(end, Some(Sampler::new(*sampling, sequence))))
            }
            Strategy::Beam {
                width,
                length_penalty,
            } => Box::new(Beams::new(end, *width, *length_penalty)),
        }
    }
}

fn wrong(option: &'static str, expected: &'static str, found: impl ToString) -> DecoderError {
    DecoderError::Option {
        option,
        expected,
        found: found.to_string(),
    }
}

impl Decoder<'_> {
    /// Continues prompts, or the token ids of one text each, from an empty cache. They can differ
    /// in length.
    ///
    /// Shorter prompts are padded on the left, which changes no distance between their tokens. A
    /// sequence that has ended leaves the batch.
    ///
    /// # Errors
    /// [`DecoderError::Option`], [`DecoderError::EmptyPrompt`], [`DecoderError::NoLogits`],
    /// [`DecoderError::NotANumber`], [`DecoderError::Session`].
    pub fn generate(
        &mut self,
        prompts: &[impl Clone + Into<Prompt>],
        options: &GenerationOptions,
    ) -> Result<Vec<Generated>, DecoderError> {
        options.check()?;
        if prompts.is_empty() {
            return Ok(Vec::new());
        }
        let prompts: Vec<Prompt> = prompts.iter().cloned().map(Into::into).collect();
        let Padded {
            ids,
            mask,
            token_types,
        } = Padded::new(&prompts)?;
        let mut types: Vec<i64> = prompts.iter().map(Prompt::type_of_new).collect();
        let mut searches: Vec<_> = (0..prompts.len()).map(|it| options.search(it)).collect();
        let mut rows = vec![1; searches.len()];
        self.reset();
        let mut logits = self.step_typed(ids, mask, token_types)?;
        loop {
            let (mut kept, mut tokens) = (Vec::new(), Vec::new());
            let mut first = 0;
            for (search, rows) in searches.iter_mut().zip(&mut rows) {
                if *rows == 0 {
                    continue;
                }
                let of_search = logits.slice_axis(Axis(0), Slice::from(first..first + *rows));
                let next = search.advance(of_search, first)?;
                kept.extend(next.iter().map(|(row, _)| first + row));
                tokens.extend(next.iter().map(|(_, token)| i64::from(*token)));
                first += std::mem::replace(rows, next.len());
            }
            if tokens.is_empty() {
                return Ok(searches
                    .into_iter()
                    .map(super::search::Search::finish)
                    .collect());
            }
            self.select(&kept)?;
            types = kept.iter().map(|row| types[*row]).collect();
            let column =
                |numbers: &[i64]| Array2::from_shape_fn((numbers.len(), 1), |at| numbers[at.0]);
            let mask = Array2::ones((tokens.len(), 1));
            logits = self.step_typed(column(&tokens), mask, column(&types))?;
        }
    }
}
