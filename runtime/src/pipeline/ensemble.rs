//! Several models that answer together: each computes the same rows, and what they give is averaged.

use std::path::{Path, PathBuf};
use std::time::Instant;

use ndarray::{ArrayD, ArrayViewMut1, Axis};
use nezha_graphs::{GraphOption, Port, ProblemType, Role, Signature};

use super::PipelineError;
use super::description::Description;
use crate::task::{FixedAxes, Row};
use crate::{Session, SessionError, Tensors, Tokenizer};

/// Models that answer together with the one that a [pipeline](super::Pipeline) opens, such as the folds of
/// a cross-validation.
///
/// ```no_run
/// use nezha_runtime::{Average, Ensemble, TextClassification};
///
/// let folds = Ensemble::of(["fold1", "fold2"])
///     .weights([2.0, 1.0, 1.0])
///     .average(Average::Probabilities);
/// let classifier = TextClassification::builder().ensemble(folds).load("fold0")?;
/// # Ok::<(), nezha_runtime::PipelineError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Ensemble {
    models: Vec<PathBuf>,
    weights: Option<Vec<f64>>,
    average: Average,
}

/// What of several models is averaged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Average {
    /// The outputs as they are: logits, or vectors.
    #[default]
    Logits,
    /// Of scores the probabilities: of a text's own tokens where an answer is a place among them, of each
    /// label by itself where several may be right. Vectors and numbers of a regression as they are.
    Probabilities,
}

impl Ensemble {
    /// These models beside the first one, each a folder or an `.onnx` file, of equal weight.
    pub fn of(models: impl IntoIterator<Item = impl Into<PathBuf>>) -> Self {
        Self {
            models: models.into_iter().map(Into::into).collect(),
            ..Self::default()
        }
    }

    /// How much each model counts, the first one too, in proportion to the others.
    #[must_use]
    pub fn weights(mut self, weights: impl IntoIterator<Item = f64>) -> Self {
        self.weights = Some(weights.into_iter().collect());
        self
    }

    /// What is averaged.
    #[must_use]
    pub fn average(mut self, average: Average) -> Self {
        self.average = average;
        self
    }

    /// The models beside the first one.
    pub(super) fn models(&self) -> &[PathBuf] {
        &self.models
    }

    /// How much each counts, as shares of 1.
    pub(super) fn shares(&self) -> Result<Vec<f64>, PipelineError> {
        let models = self.models.len() + 1;
        let weights = self.weights.clone().unwrap_or_else(|| vec![1.0; models]);
        let sum: f64 = weights.iter().sum();
        let are_shares = weights.iter().all(|it| *it >= 0.0) && sum > 0.0 && sum.is_finite();
        match weights.len() == models && are_shares {
            true => Ok(weights.into_iter().map(|it| it / sum).collect()),
            false => Err(PipelineError::Weights { models, weights }),
        }
    }
}

/// The models of a pipeline, each in an engine.
pub(super) struct Members {
    first: Session,
    /// The others, and the shares of all.
    others: Vec<Session>,
    shares: Vec<f64>,
    average: Average,
    problem: Option<ProblemType>,
}

impl Members {
    pub(super) fn new(
        first: Session,
        others: Vec<Session>,
        ensemble: &Ensemble,
        of: &Description,
    ) -> Result<Self, PipelineError> {
        let classifies = of.head.takes(GraphOption::ProblemType);
        Ok(Self {
            problem: classifies.then(|| problem(&first, of)),
            first,
            others,
            shares: ensemble.shares()?,
            average: ensemble.average,
        })
    }

    /// The model that describes them all.
    pub(super) fn first(&self) -> &Session {
        &self.first
    }

    /// What all models make of some rows, averaged: by the names of the first one's outputs. `inputs` are
    /// the rows as a model of this signature takes them.
    pub(super) fn compute(
        &self,
        inputs: impl Fn(&Signature) -> Tensors,
        rows: &[&Row],
        deadline: Option<Instant>,
    ) -> Result<Tensors, SessionError> {
        let run = |session: &Session| session.run_by(inputs(session.signature()), deadline);
        let outputs = run(&self.first)?;
        if self.others.is_empty() {
            return Ok(outputs);
        }
        let signature = self.first.signature();
        let mut sums = self.weighed(signature, signature, &outputs, rows, self.shares[0]);
        for (session, share) in self.others.iter().zip(&self.shares[1..]) {
            let outputs = run(session)?;
            let more = self.weighed(signature, session.signature(), &outputs, rows, *share);
            for ((_, sum), (_, more)) in sums.iter_mut().zip(more) {
                *sum += &more;
            }
        }
        let averages = sums.into_iter().map(|(port, mut sum)| {
            if let Some(scale) = self.scale(port) {
                sum.mapv_inplace(|it| scale.to_logit(it));
            }
            (port.name.clone(), sum.mapv(|it| it as f32).into())
        });
        Ok(averages.collect())
    }

    /// The first model's outputs of numbers, as another of `signature` gave them, times its share.
    fn weighed<'p>(
        &self,
        first: &'p Signature,
        signature: &Signature,
        outputs: &Tensors,
        rows: &[&Row],
        share: f64,
    ) -> Vec<(&'p Port, ArrayD<f64>)> {
        let ports = first.outputs.iter().filter_map(|port| {
            let name = &signature.output_of(port.role)?.name;
            let numbers = outputs.array::<f32>(name).ok()?;
            let mut numbers = numbers.mapv(f64::from);
            if let Some(scale) = self.scale(port) {
                for (place, mut scores) in numbers.outer_iter_mut().enumerate() {
                    let own = rows
                        .get(place)
                        .map_or(usize::MAX, |row| own(port.role, row));
                    let last = Axis(scores.ndim().saturating_sub(1));
                    scores
                        .lanes_mut(last)
                        .into_iter()
                        .for_each(|scores| scale.to_probabilities(scores, own));
                }
            }
            numbers *= share;
            Some((port, numbers))
        });
        ports.collect()
    }

    /// How the scores of an output become probabilities, where those are averaged.
    fn scale(&self, port: &Port) -> Option<Scale> {
        let is_score = matches!(
            port.role,
            Role::Logits
                | Role::PredictionLogits
                | Role::RelationshipLogits
                | Role::StartLogits
                | Role::EndLogits
        );
        match (self.average, self.problem) {
            (Average::Probabilities, Some(ProblemType::MultiLabelClassification)) if is_score => {
                Some(Scale::Each)
            }
            (Average::Probabilities, Some(ProblemType::Regression)) => None,
            (Average::Probabilities, _) if is_score => Some(Scale::Together),
            _ => None,
        }
    }
}

/// How many scores of a row are its own and not padding's.
fn own(role: Role, row: &Row) -> usize {
    match role {
        Role::StartLogits | Role::EndLogits => row.len(),
        _ if row.sequences.len() > 1 => row.sequences.len(),
        _ => usize::MAX,
    }
}

/// What scores are probabilities of.
#[derive(Clone, Copy)]
enum Scale {
    /// Of one thing among all: softmax.
    Together,
    /// Of each by itself: sigmoid.
    Each,
}

impl Scale {
    /// Makes the first `own` scores probabilities, and the others 0.
    fn to_probabilities(self, mut scores: ArrayViewMut1<'_, f64>, own: usize) {
        match self {
            Scale::Each => scores.mapv_inplace(|it| 1.0 / (1.0 + (-it).exp())),
            Scale::Together => {
                let largest = scores
                    .iter()
                    .take(own)
                    .copied()
                    .fold(f64::NEG_INFINITY, f64::max);
                let mut sum = 0.0;
                for (place, score) in scores.iter_mut().enumerate() {
                    *score = if place < own {
                        (*score - largest).exp()
                    } else {
                        0.0
                    };
                    sum += *score;
                }
                scores /= sum;
            }
        }
    }

    /// A score whose probability is this one.
    fn to_logit(self, probability: f64) -> f64 {
        // Beyond what single precision has a logarithm of, scores are as low as they get.
        let probability = probability.max(f64::from(f32::MIN_POSITIVE));
        match self {
            Scale::Together => probability.ln(),
            Scale::Each => probability.ln() - (1.0 - probability).max(f64::EPSILON).ln(),
        }
    }
}

/// A model, its tokenizer and what it is, to be compared with the first one.
pub(super) struct Candidate<'a> {
    pub(super) path: &'a Path,
    pub(super) session: &'a Session,
    pub(super) tokenizer: &'a Tokenizer,
    pub(super) description: &'a Description,
}

impl Candidate<'_> {
    /// Fails with the first thing that an average of this model and the first one would mix up.
    ///
    /// Models of other sizes are none: a large one beside a small one is an ensemble as well.
    pub(super) fn check(&self, first: &Self) -> Result<(), PipelineError> {
        let same = |what, expected: String, found: String| match expected == found {
            true => Ok(()),
            false => Err(PipelineError::Member {
                path: self.path.to_owned(),
                what,
                expected,
                found,
            }),
        };
        let (ours, firsts) = (self.description, first.description);
        same("head", firsts.head.to_string(), ours.head.to_string())?;
        let labels = |of: &Description| format!("{:?}", of.config.labels);
        same("labels", labels(firsts), labels(ours))?;
        let [expected, found] = [first, self].map(|it| problem(it.session, it.description));
        same(
            "problem_type",
            expected.name().to_owned(),
            found.name().to_owned(),
        )?;
        if let Some([expected, found]) = first.tokenizer.difference(self.tokenizer) {
            same("vocabulary", expected, found)?;
        }
        let [expected, found] = [first, self].map(|it| it.session.signature());
        let fixed = |of| format!("{:?}", FixedAxes::of(of));
        same("fixed axes", fixed(expected), fixed(found))?;
        let outputs = expected.outputs.iter().filter(|it| it.role != Role::Other);
        for port in outputs {
            let shape = |port: &Port| {
                let dims = port.shape.iter().map(ToString::to_string);
                format!("[{}]", dims.collect::<Vec<_>>().join(", "))
            };
            let other = found.output_of(port.role);
            let found = other.map_or_else(|| "nothing".to_owned(), shape);
            same(
                "outputs",
                format!("{} {}", port.name, shape(port)),
                format!("{} {found}", port.name),
            )?;
        }
        Ok(())
    }
}

/// What a classifier does, as its artifact says.
fn problem(session: &Session, of: &Description) -> ProblemType {
    let metadata = session.metadata();
    let of_graph = metadata.and_then(|it| it.options.problem_type);
    of_graph.unwrap_or(of.config.effective_problem_type())
}
