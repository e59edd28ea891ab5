//! Beam search, after transformers' `BeamSearchScorer`.

use ndarray::ArrayView2;

use super::DecoderError;
use super::sampling::{log_probabilities, ranked};
use super::search::{End, Finish, Generated, Search};

/// Follows the `width` best sequences of one prompt.
pub(super) struct Beams {
    end: End,
    width: usize,
    length_penalty: f64,
    /// The sequences that go on, best first.
    live: Vec<Beam>,
    /// The best of the sequences that have ended, best first, at most `width`.
    ended: Vec<Generated>,
}

struct Beam {
    ids: Vec<u32>,
    log_probability: f64,
}

/// A sequence and one token more.
struct Candidate {
    beam: usize,
    token: u32,
    log_probability: f64,
}

impl Beams {
    pub(super) fn new(end: End, width: usize, length_penalty: f64) -> Self {
        let prompt = Beam {
            ids: Vec::new(),
            log_probability: 0.0,
        };
        Self {
            end,
            width,
            length_penalty,
            live: vec![prompt],
            ended: Vec::new(),
        }
    }

    /// The score that sequences are compared by.
    fn score(&self, log_probability: f64, length: usize) -> f64 {
        log_probability / (length as f64).powf(self.length_penalty)
    }

    /// The best continuations, best first: enough that `width` of them do not end.
    fn candidates(
        &self,
        logits: ArrayView2<f32>,
        first: usize,
    ) -> Result<Vec<Candidate>, DecoderError> {
        let count = self.width.saturating_mul(1 + self.end.eos.len().max(1));
        let mut candidates = Vec::new();
        for (beam, (logits, live)) in logits.outer_iter().zip(&self.live).enumerate() {
            let log_probabilities = log_probabilities(logits, first + beam)?;
            let tokens = ranked(&log_probabilities, count).into_iter();
            candidates.extend(tokens.map(|token| Candidate {
                beam,
                token: token as u32,
                log_probability: live.log_probability + log_probabilities[token],
            }));
        }
        candidates.sort_by(|a, b| b.log_probability.total_cmp(&a.log_probability));
        candidates.truncate(count);
        Ok(candidates)
    }

    fn add_ended(&mut self, beam: Beam, finish: Finish) {
        self.ended.push(Generated {
            ids: beam.ids,
            log_probability: beam.log_probability,
            finish,
        });
        let mut ended = std::mem::take(&mut self.ended);
        let score = |it: &Generated| self.score(it.log_probability, it.ids.len());
        ended.sort_by(|a, b| score(b).total_cmp(&score(a)));
        ended.truncate(self.width);
        self.ended = ended;
    }

    /// Whether no live sequence can still become one of the best; `best` is the log probability of
    /// the most probable continuation, which has `length` new tokens.
    fn is_done(&self, best: f64, length: usize) -> bool {
        let worst = self.ended.last().filter(|_| self.ended.len() == self.width);
        worst.is_some_and(|it| {
            self.score(it.log_probability, it.ids.len()) >= self.score(best, length)
        })
    }
}

impl Search for Beams {
    fn advance(
        &mut self,
        logits: ArrayView2<f32>,
        first: usize,
    ) -> Result<Vec<(usize, u32)>, DecoderError> {
        let candidates = self.candidates(logits, first)?;
        let best = candidates.first().map_or(0.0, |it| it.log_probability);
        let mut length = 0;
        let mut next = Vec::new();
        let mut rows = Vec::new();
        for (rank, candidate) in candidates.into_iter().enumerate() {
            if next.len() == self.width {
                break;
            }
            let mut ids = self.live[candidate.beam].ids.clone();
            ids.push(candidate.token);
            length = ids.len();
            let beam = Beam {
                ids,
                log_probability: candidate.log_probability,
            };
            if !self.end.eos.contains(&candidate.token) {
                rows.push((candidate.beam, candidate.token));
                next.push(beam);
            } else if rank < self.width {
                self.add_ended(beam, Finish::Eos);
            }
        }
        self.live = next;
        if self.is_done(best, length) {
            return Ok(Vec::new());
        }
        if length >= self.end.max_new_tokens {
            for beam in std::mem::take(&mut self.live) {
                self.add_ended(beam, Finish::Length);
            }
            return Ok(Vec::new());
        }
        Ok(rows)
    }

    fn finish(self: Box<Self>) -> Generated {
        let nothing = Generated {
            ids: Vec::new(),
            log_probability: 0.0,
            finish: Finish::Length,
        };
        self.ended.into_iter().next().unwrap_or(nothing)
    }
}
