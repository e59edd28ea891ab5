//! What a model's answers are compared with: those of the first model, or with labels its score.

use nezha_runtime::{Model, Way};

use super::answers::Answers;
use super::{Score, TuneError, Tuning};

/// The result of the first model, in the first way that starts.
pub(super) enum Judge<'t> {
    /// Its answers.
    Answers(Answers),
    /// Its score, and the function that scores.
    Score(f64, &'t Score<'t>),
}

/// How much worse a model's answers are.
pub(super) struct Verdict {
    /// The share of answers that changed, or by how much the score is lower.
    pub(super) change: f64,
    /// The score.
    pub(super) score: Option<f64>,
}

impl<'t> Judge<'t> {
    /// Runs the first model.
    pub(super) fn new(tuning: &Tuning<'t>) -> Result<Self, TuneError> {
        let first = tuning.contenders.first().map(|(model, _)| *model);
        let of_first =
            |(model, _): &&(&Model, Way)| first.is_some_and(|it| std::ptr::eq(it, *model));
        let mut failed = TuneError::NoModel;
        for (model, way) in tuning.contenders.iter().take_while(of_first) {
            let found = match tuning.score {
                None => answers(tuning, model, *way).map(Self::Answers),
                Some(score) => match score(model, *way) {
                    Ok(found) => Ok(Self::Score(found, score)),
                    Err(error) => Err(TuneError::Score(error)),
                },
            };
            match found {
                Ok(judge) => return Ok(judge),
                Err(error) => failed = error,
            }
        }
        Err(failed)
    }

    /// Runs a model in one way, and compares it.
    pub(super) fn verdict(
        &self,
        tuning: &Tuning<'_>,
        model: &Model,
        way: Way,
    ) -> Result<Verdict, TuneError> {
        match self {
            Self::Score(expected, score) => {
                let score = score(model, way).map_err(TuneError::Score)?;
                Ok(Verdict {
                    // A score above that of single precision is no change.
                    change: (expected - score).max(0.0),
                    score: Some(score),
                })
            }
            Self::Answers(expected) => Ok(Verdict {
                change: answers(tuning, model, way)?.change(expected),
                score: None,
            }),
        }
    }

    /// Why a model is omitted.
    pub(super) fn reason(&self, verdict: &Verdict, max_change: f64) -> String {
        let [change, most] = [verdict.change, max_change].map(|it| 100.0 * it);
        match (self, verdict.score) {
            (Self::Score(expected, _), Some(score)) => format!(
                "scores {:.2} %, in fp32 {:.2} %, and may lose {most:.2} points",
                100.0 * score,
                100.0 * expected
            ),
            _ => format!("{change:.2} % of the answers change, {most:.2} % are allowed"),
        }
    }
}

fn answers(tuning: &Tuning<'_>, model: &Model, way: Way) -> Result<Answers, TuneError> {
    Answers::of(model, way, tuning.options, tuning.texts)
}
