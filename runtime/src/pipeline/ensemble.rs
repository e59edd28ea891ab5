//! Several models that answer together: each computes the same rows, and their outputs are
//! averaged.

use std::path::{Path, PathBuf};
use std::time::Instant;

use ndarray::{ArrayD, ArrayViewMut1, Axis};
use nezha_graphs::{GraphOption, Port, ProblemType, Role, Signature};

use super::PipelineError;
use super::description::Description;
use crate::task::{FixedAxes, Row};
use crate::{Session, SessionError, Tensors, Tokenizer};

/// Models that answer together with the one that a [pipeline](super::Pipeline) opens, such as the
/// folds of a cross-validation.
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

/// What is averaged over the models.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Average {
    /// The outputs as they are: logits or vectors.
    #[default]
    Logits,
    /// The probabilities of scores. If an answer is a place in the text, they are over the text's
    /// own tokens; if several labels may be right, each label has its own. Vectors and regression
    /// outputs are averaged as they are.
    Probabilities,
}

impl Ensemble {
    /// These models besides the first one, with equal weights; each is a folder or a file, as for
    /// [`Pipeline::load`](super::Pipeline::load).
    pub fn of(models: impl IntoIterator<Item = impl Into<PathBuf>>) -> Self {
        Self {
            models: models.into_iter().map(Into::into).collect(),
            ..Self::default()
        }
    }

    /// The weight of each model, beginning with the first one; only their ratios matter.
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

    /// The models besides the first one.
    pub(super) fn models(&self) -> &[PathBuf] {
        &self.models
    }

    /// The weights of all models, as shares of 1.
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
    /// The models besides the first one, and the shares of all.
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

    /// The model that describes all of them.
    pub(super) fn first(&self) -> &Session {
        &self.first
    }

    /// The outputs of all models for some rows, averaged, under the names of the first model's
    /// outputs. `inputs` returns the rows as a model with this signature takes them.
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

    /// The f32 outputs that the first model has, as a model with `signature` computed them,
    /// multiplied by its share.
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

    /// How the scores of an output become probabilities, if probabilities are averaged.
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

/// How many scores of a row belong to the row itself, and not to padding.
fn own(role: Role, row: &Row) -> usize {
    match role {
        Role::StartLogits | Role::EndLogits => row.len(),
        _ if row.sequences.len() > 1 => row.sequences.len(),
        _ => usize::MAX,
    }
}

/// How scores become probabilities.
#[derive(Clone, Copy)]
enum Scale {
    /// One of all is right: softmax.
    Together,
    /// Each may be right by itself: sigmoid.
    Each,
}

impl Scale {
    /// Turns the first `own` scores into probabilities; with softmax, the others become 0.
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

    /// A score that has this probability.
    fn to_logit(self, probability: f64) -> f64 {
        // Smaller probabilities become the smallest one that f32 can take the logarithm of.
        let probability = probability.max(f64::from(f32::MIN_POSITIVE));
        match self {
            Scale::Together => probability.ln(),
            Scale::Each => probability.ln() - (1.0 - probability).max(f64::EPSILON).ln(),
        }
    }
}

/// A model with its tokenizer and description, to be compared with the first one.
pub(super) struct Candidate<'a> {
    pub(super) path: &'a Path,
    pub(super) session: &'a Session,
    pub(super) tokenizer: &'a Tokenizer,
    pub(super) description: &'a Description,
}

impl Candidate<'_> {
    /// Returns the first difference that an average of this model and the first one would confuse.
    ///
    /// Models of different sizes are allowed: a large and a small one make an ensemble too.
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

/// What a classifier computes, according to its graph or its config.
fn problem(session: &Session, of: &Description) -> ProblemType {
    let metadata = session.metadata();
    let of_graph = metadata.and_then(|it| it.options.problem_type);
    of_graph.unwrap_or(of.config.effective_problem_type())
}
